"""How an agent shows a server which one it is: TLS with its own key and the certificate that the server gave for it."""

import ssl
from typing import Final

from tailrace.agent.identity.identity import AgentIdentity, JoinedServer
from tailrace.agent.platform.descriptors import in_memory
from tailrace.wire.tls import client_context

STANDING_PATH: Final = "/api/v1/agents/self"
"""How the server sees the agent that shows itself. Asking changes nothing."""


def own_context(identity: AgentIdentity, server: JoinedServer) -> ssl.SSLContext:
    """Trusts the roots of this server only. The library wants key and certificate in a file: it gets one that lies on no disk.

    OSError (ssl.SSLError) when they cannot be used.
    """
    with in_memory(identity.key + server.certificate) as file:
        return client_context(server.roots, file)

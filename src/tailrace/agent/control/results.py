"""Lays down with a server what a command of it has brought forth, where that is more than a sentence."""

from tailrace.agent.control.calls import Line
from tailrace.agent.control.ledger import Taken
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.identity.proof import own_context
from tailrace.errors import UnreachableError
from tailrace.wire.commands import RESULT_PATH

PATIENCE_SECS = 60.0
MEDIA_TYPE = "application/octet-stream"


def lay_down(identity: AgentIdentity, command: Taken, data: bytes) -> None:
    """Durable there on return. UnreachableError, ApiError."""
    server = identity.servers.get(command.server)
    if server is None:
        raise UnreachableError("the agent does not belong to the server any more")
    try:
        tls = own_context(identity, server)
    except OSError as error:  # it would be told as a full disk
        raise UnreachableError(f"the agent's key and certificate cannot be used: {error}") from error
    last = UnreachableError("the server has told no address")
    for address in server.addresses:
        line = Line(address, tls)
        try:
            line.exchange("POST", f"{RESULT_PATH}/{command.id}", data, media_type=MEDIA_TYPE, timeout=PATIENCE_SECS)
        except UnreachableError as error:
            last = error
        else:
            return
        finally:
            line.close()
    raise last

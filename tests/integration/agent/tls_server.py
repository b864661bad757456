"""A server with a certificate of a test's own, that takes everything, and an agent that has joined it."""

import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import ec

from tailrace.agent.identity.identity import AgentIdentity, Enrolment, JoinedServer
from tailrace.server.auth.authority import Authority, key_pem, pem_of
from tailrace.server.auth.tls import general_names

SERVER = "5" * 32


class Taking(http.server.BaseHTTPRequestHandler):
    """Answers everything with 200 and one object, as a rule an empty one. Its clock is `ahead_secs` ahead."""

    protocol_version = "HTTP/1.1"
    got: ClassVar[list[str]]
    ahead_secs: ClassVar[float] = 0.0
    answer: ClassVar[bytes] = b"{}"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.got.append(self.path)
        self.send_response(200)
        self.send_header("content-length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    do_GET = do_POST  # noqa: N815 - the library's name

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.ahead_secs)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def serving(
    authority: Authority,
    directory: Path,
    *,
    names: tuple[str, ...] = ("127.0.0.1",),
    life: timedelta = timedelta(days=1),
    ahead_secs: float = 0.0,
    port: int = 0,
    answer: object = (),
) -> Iterator[tuple[str, list[str]]]:
    """Address of a server that takes everything, and the paths that it was asked for. `life` may lie in the past."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.certify_server(key.public_key(), general_names(names), life)
    file = directory / "server.pem"
    file.write_text(key_pem(key) + "".join(map(pem_of, [issued, *authority.chain])))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    handler = type("Recording", (Taking,), {"got": [], "ahead_secs": ahead_secs, "answer": json.dumps(answer or {}).encode()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}", handler.got
        finally:
            server.shutdown()
            thread.join()


def joined(authority: Authority, *addresses: str) -> AgentIdentity:
    """With a key that is valid."""
    key = ec.generate_private_key(ec.SECP256R1())
    server = JoinedServer(
        SERVER, addresses, [authority.signer.pem], pem_of(authority.certify_agent(key.public_key(), "a1")), ["batch_group"]
    )
    known = AgentIdentity(
        "a1", [Enrolment(addresses[0], "demo", ["*"], "K", "secret-of-k", ["batch_group"], SERVER)], {SERVER: server}, key_pem(key)
    )
    known.states = {SERVER: ""}
    return known

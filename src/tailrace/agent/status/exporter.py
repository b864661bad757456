"""The agent's metrics for Prometheus, and its health for whoever runs it (Kubernetes' probes), over HTTP at an address that the
administrator names (`metrics_listen` in `HOME/agent.yaml`).

`GET /metrics` and `GET /healthz` are all there is; they ask for no name and tell no log, no secret and no path of a file. Without the
setting nothing listens. It needs no HTTP library: few agents serve anything, and these two answers are short.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from tailrace import telemetry

METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
PATIENCE_SECS: Final = 10.0
MAX_HEAD: Final = 16_384
MAX_CONNECTIONS: Final = 16


@asynccontextmanager
async def exporting(listen: str, unwell: Callable[[], str] = str) -> AsyncGenerator[None]:
    """Within it both are served at `HOST:PORT`; nowhere when that is empty. An address that cannot be had is said, and the agent works
    without. `unwell` says what stands still, or nothing."""
    if not listen:
        yield
        return
    slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with slots, asyncio.timeout(PATIENCE_SECS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head, unwell))
                await writer.drain()
        writer.close()

    host, _, port = listen.rpartition(":")
    log = telemetry.logger("agent.exporter")
    server = None
    try:
        server = await asyncio.start_server(connected, host.strip("[]"), int(port), limit=MAX_HEAD)
        log.info("metrics are served", at=f"http://{host}:{server.sockets[0].getsockname()[1]}/metrics")
    except (OSError, UnicodeError) as error:  # UnicodeError: it is no host name
        reason = error.strerror if isinstance(error, OSError) else ""
        log.warning("cannot serve metrics; the agent works without", address=listen, reason=reason or str(error))
    try:
        yield
    finally:
        if server is not None:
            server.close()
            await server.wait_closed()


def _answer(head: bytes, unwell: Callable[[], str]) -> bytes:
    method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    status, kind, body = HTTPStatus.NOT_FOUND, TEXT, b"not found\n"
    if path in (b"/metrics", b"/healthz") and method not in (b"GET", b"HEAD"):
        status, body = HTTPStatus.METHOD_NOT_ALLOWED, b"only GET\n"
    elif path == b"/metrics":
        status, kind, body = HTTPStatus.OK, METRICS, telemetry.render()
    elif path == b"/healthz":
        why = unwell()
        status, body = (HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n".encode()) if why else (HTTPStatus.OK, b"ok\n")
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == b"HEAD" else body)

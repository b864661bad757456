"""An HTTP proxy between agent and server that fails as it is told: what crosses it is the only thing that the two have of each other."""

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping

Fault = str
FAULTS = (
    "refuse", "reset", "delay", "500", "503", "429", "403", "404", "slow read", "lost answer", "garbage", "short answer",
    "flipped", "replayed",
)  # fmt: skip
"""reset: in the midst of the body. lost answer: the server has stored it. short answer: the server has stored it, and says so in part.
flipped: one bit of the body is another one. replayed: somebody sends it a second time, as it stands."""
ERRORS = {
    "500": "InternalServerError", "503": "ServerBusy", "429": "WriteQuotaExceed", "403": "Unauthorized", "404": "LogStoreNotExist",
}  # fmt: skip


class Proxy:
    """On a free port of its own. `fault` is asked with the number of each write of logs; None lets it through."""

    tls: ssl.SSLContext | None = None
    """How it is known to agents; None: by nothing, it speaks plain HTTP."""
    environment: Mapping[str, str] = {}
    """What an agent has to have in its environment to trust it."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.fault: Callable[[int], Fault | None] = lambda _: None
        self.seen: Counter[str] = Counter()
        """Writes of logs by what became of them."""
        self.answers: Counter[str] = Counter()
        """What the server answered to those that were flipped."""
        self._open: set[asyncio.StreamWriter] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, sock=self._listening, limit=1 << 20, ssl=self.tls)
        self._ready.set()
        await self._over.wait()
        server.close()

    def hang_up(self) -> None:
        """End all connections: who comes back makes a new one."""
        for writer in list(self._open):
            self._loop.call_soon_threadsafe(writer.transport.abort)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        fault = None
        if head.startswith(b"POST /logstores/"):
            fault = self.fault(self.seen.total())
            self.seen[fault or "fine"] += 1
        if fault == "refuse":
            _reset(writer)
            return False
        length = _length(head)
        if fault == "reset":
            await reader.readexactly(length // 2)
            _reset(writer)
            return False
        body = await _slowly(reader, length) if fault == "slow read" else await reader.readexactly(length)
        if fault == "delay":
            await asyncio.sleep(0.3)
        if fault == "garbage":
            writer.write(b"\x00\xff nothing that HTTP knows\r\n\r\n")
            await writer.drain()
            return False
        if fault in ERRORS:
            text = json.dumps({"errorCode": ERRORS[fault], "errorMessage": "told to"}).encode()
            writer.write(b"HTTP/1.1 %s No\r\nretry-after: 0\r\ncontent-length: %d\r\n\r\n%s" % (fault.encode(), len(text), text))
            await writer.drain()
            return True
        if fault == "flipped":
            body = body[:-1] + bytes([body[-1] ^ 1])
        answer = await self._forward(head, body)
        self.answers[answer[9:12].decode()] += fault == "flipped"
        if fault == "replayed":
            answer = await self._forward(head, body)
        if fault == "lost answer":
            _reset(writer)
            return False
        writer.write(answer[: len(answer) // 2] if fault == "short answer" else answer)
        await writer.drain()
        return fault != "short answer"

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port, limit=1 << 20)
        try:
            writer.write(head + body)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            return answer + await reader.readexactly(_length(answer))
        finally:
            writer.transport.abort()


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)


async def _slowly(reader: asyncio.StreamReader, length: int) -> bytes:
    body = b""
    while len(body) < length:
        body += await reader.readexactly(min(max(1, length // 8), length - len(body)))
        await asyncio.sleep(0.03)
    return body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the peer gets an RST."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

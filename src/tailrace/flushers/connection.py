"""HTTP/1.1 to one address: kept-alive connections over asyncio streams, POST only.

It is what a sender of large bodies needs and nothing more; docs/adr/0002-agent-http.md has the figures.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tailrace.errors import UnreachableError
from tailrace.flushers.names import look_up
from tailrace.wire.outward import outward
from tailrace.wire.proxy import Proxy, bracketed

CONNECT_SECS = 5.0
ANSWER_SECS = 30.0
MAX_AGE_SECS = 300.0
"""Addresses change behind a name: no connection lives longer."""
MAX_ANSWER_BYTES = 1_048_576
HEAD_LIMIT = 65_536
SMALL = 8_192
_REASONS = {
    401: ", it wants another user and password",
    403: ", it is not allowed to",
    405: ", it is not allowed to",
    407: ", it wants another user and password",
}


class AnswerError(OSError):
    """What came back is no HTTP answer."""


class ProxyError(OSError):
    """The proxy does not lead to the server."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    opened_at: float = field(default_factory=time.monotonic)

    @property
    def usable(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing() and time.monotonic() - self.opened_at < MAX_AGE_SECS


class HttpConnections:
    """Connections to one server, through a proxy where there is one. They belong to the event loop."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        proxy: Proxy | None = None,
        forwards: bool = False,
    ) -> None:
        """`forwards`: the proxy is given the requests themselves; else it is asked for a tunnel."""
        self._host = host
        self._port = port
        self._tls = tls
        self._server_name = server_name if tls else None
        self._proxy = proxy
        self._forwarded = proxy.headers if proxy is not None and forwards else None
        self._idle: list[_Connection] = []
        self._closed = False

    async def post(self, path: str, headers: Mapping[str, str], body: Sequence[bytes]) -> Answer:
        """Send `body`, whose chunks follow each other, and wait for the answer. OSError or TimeoutError when there is none.

        `headers` hold `host`; `content-length` is added.
        """
        connection = self._take() or await self._open()
        kept = False
        try:
            async with asyncio.timeout(ANSWER_SECS):
                if self._forwarded is not None:
                    path, headers = f"http://{headers['host']}{path}", {**headers, **self._forwarded}
                lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
                lines.append(f"content-length: {sum(map(len, body))}\r\n\r\n")
                for chunk in _gathered(["\r\n".join(lines).encode("latin-1"), *body]):
                    if chunk:
                        connection.writer.write(chunk)
                await connection.writer.drain()
                answer, kept = await _read_answer(connection.reader)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise AnswerError(f"the connection ended within the answer, or it is no HTTP: {error}") from error
        finally:
            if kept and not self._closed:
                self._idle.append(connection)
            else:
                connection.writer.transport.abort()
        return answer

    async def close(self) -> None:
        """Requests under way are finished."""
        self._closed = True
        while self._idle:
            writer = self._idle.pop().writer
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.writer.transport.abort()
        return None

    async def _open(self) -> _Connection:
        async with asyncio.timeout(CONNECT_SECS):
            if self._proxy is not None:
                opened = await self._through(self._proxy)
            else:
                opened = await _dial(self._host, self._port, tls=self._tls, server_name=self._server_name)
        return _Connection(*opened)

    async def _through(self, proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the proxy; where it does not forward, its other end is the server."""
        try:
            reader, writer = await _dial(proxy.host, proxy.port, share=0.9)  # before the time for all is over
        except OSError as error:
            raise ProxyError(f"cannot reach the proxy `{proxy}`: {error.strerror or error or 'no answer in time'}") from error
        with contextlib.ExitStack() as failed:
            failed.callback(writer.transport.abort)
            try:
                if self._forwarded is None:
                    await self._tunnel(proxy, reader, writer)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
                raise ProxyError(f"the proxy `{proxy}` does not answer as one: {error}") from error
            failed.pop_all()
        return reader, writer

    async def _tunnel(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = f"{bracketed(self._host)}:{self._port}"
        headers = "".join(f"{name}: {value}\r\n" for name, value in {"host": server, **proxy.headers}.items())
        writer.write(f"CONNECT {server} HTTP/1.1\r\n{headers}\r\n".encode("latin-1"))
        status, _, _ = await _read_head(reader)
        if not 200 <= status < 300:
            raise ProxyError(f"the proxy `{proxy}` opens no tunnel to `{server}`: it answers {status}{_REASONS.get(status, '')}")
        if self._tls is not None:
            await writer.start_tls(self._tls, server_hostname=self._server_name)


async def _dial(
    host: str, port: int, *, tls: ssl.SSLContext | None = None, server_name: str | None = None, share: float = 1.0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of its addresses that answers, within this share of CONNECT_SECS. Each has a part of that: one that swallows all, as an
    IPv6 address without a route does, must not hide the others. OSError, TimeoutError."""
    until = time.monotonic() + share * CONNECT_SECS
    found = await look_up(host, port)
    failed: OSError | None = None
    for left, (family, there, its_port) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            async with asyncio.timeout((until - time.monotonic()) / left):
                return await asyncio.open_connection(
                    there, its_port, family=family, ssl=tls, server_hostname=server_name, limit=HEAD_LIMIT, local_addr=_source(family)
                )
        except ssl.SSLError:
            raise  # it has answered, and is another one
        except OSError as error:
            failed = failed or error
    raise failed or OSError(f"`{host}` has no address")


def _source(family: int) -> tuple[str, int] | None:
    try:
        return outward().source(family)
    except UnreachableError as error:
        raise OSError(error.message) from error


def _gathered(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Small chunks joined, since each write may be a packet of its own; large ones as they are."""
    small: list[bytes] = []
    for chunk in chunks:
        if len(chunk) < SMALL:
            small.append(chunk)
            continue
        yield b"".join(small)
        yield chunk
        small.clear()
    yield b"".join(small)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether the connection may be used again."""
    status, version, headers = await _read_head(reader)
    while 100 <= status < 200:
        status, version, headers = await _read_head(reader)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in headers or status in (204, 304):
        body = await reader.readexactly(_bounded(int(headers.get("content-length", "0"))))
    else:
        return Answer(status, headers, await _read_to_the_end(reader)), False
    return Answer(status, headers, body), version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"`{first[:80]}` is no status line")
    pairs = (line.partition(":") for line in lines)
    return int(rest[:3]), version, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while part := await reader.read(HEAD_LIMIT):
        body += part
        _bounded(len(body))
    return bytes(body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(_bounded(size + len(body)) - len(body))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return bytes(body)


def _bounded(size: int) -> int:
    if not 0 <= size <= MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {size} bytes")
    return size

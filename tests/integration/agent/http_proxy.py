"""A small HTTP proxy: tunnels, and requests in absolute form whose `Host` it makes anew, as RFC 9112 §3.2.2 wants it."""

import asyncio
import base64
import contextlib
import threading


class HttpProxy:
    """On a free port. It finds every host at `server_port` of this machine; with `password`, `user` must name it. Many make no tunnels but
    to port 443: without `tunnels` it makes none."""

    def __init__(self, server_port: int, password: str = "", *, tunnels: bool = True) -> None:
        self.server_port = server_port
        self.tunnels = tunnels
        self.expected = f"Basic {base64.b64encode(f'user:{password}'.encode()).decode()}" if password else ""
        self.asked: list[str] = []
        """The request lines."""

    def __enter__(self) -> "HttpProxy":
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._clients: set[asyncio.Task[None]] = set()
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        await asyncio.gather(*self._clients)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode()[:-4].split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            method, target, _ = first.split(" ")
            self.asked.append(first)
            if headers.pop("proxy-authorization", "") != self.expected:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            elif method == "CONNECT" and not self.tunnels:
                writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            elif method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await self._join(reader, writer, b"")
            else:
                host, _, path = target.removeprefix("http://").partition("/")
                kept = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "host")
                head = f"{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{kept}\r\n"
                await self._join(reader, writer, head.encode())
        writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        to_server.write(head)
        try:
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
        finally:
            to_server.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """To the end of either."""
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()

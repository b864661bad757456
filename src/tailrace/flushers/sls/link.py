"""The way to a target: its addresses, of which the next one is tried when one fails, and the connections to the present one."""

import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tailrace.flushers.connection import Answer, HttpConnections, ProxyError
from tailrace.pipeline.contract import FlusherContext, ServerName
from tailrace.wire.proxy import PORTS, Proxy, as_address, bracketed, may_be_forwarded, way_to
from tailrace.wire.tls import explain


class CertificateError(OSError):
    """The target is not who it should be. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Link:
    """`url` is the address that the config gives; a server that has told its addresses is reached at these. Belongs to the event loop."""

    def __init__(self, url: str, project: str, context: FlusherContext | None, proxy: str = "") -> None:
        """`proxy` goes before what the agent's settings say: an address, or `none`."""
        self._url = url
        self._project = project
        self._proxy = proxy
        self._context = context
        self._connections: HttpConnections | None = None
        self._tls: ssl.SSLContext | None = None
        self.address = url
        """The present one, `scheme://host:port`."""

    @property
    def host(self) -> str:
        """The `Host` header: `<project>.<host>`. A proxy that forwards the request finds the server by it, so that it has the port, too."""
        url = urlsplit(self.address)
        host = f"{self._project}.{bracketed(url.hostname or '')}"
        return f"{host}:{url.port}" if self._forwards and url.port not in (None, PORTS["http"]) else host

    @property
    def _forwards(self) -> bool:
        """Whether a proxy may be given the request itself: not where only we know the way to the host's name."""
        return may_be_forwarded(self.address) and self._server is None and self._way() is not None

    def open(self) -> None:
        self.address = self._addresses()[0]

    async def post(self, path: str, headers: Mapping[str, str], body: Sequence[bytes]) -> Answer:
        """One request to the present address; when that cannot be reached, the next request goes to the next one. OSError, TimeoutError."""
        if self._connections is None or self._roots() is not self._tls:
            await self.close()
        connections, used = self._connections or self._connect(), self.address
        try:
            return await connections.post(path, headers, body)
        except ssl.SSLError as error:
            await self._leave(used)
            raise CertificateError(*explain(error, used)) from error
        except OSError:
            await self._leave(used)
            raise

    async def close(self) -> None:
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def _leave(self, address: str) -> None:
        """For the next one, unless another request has done so already."""
        addresses = self._addresses()
        place = addresses.index(address) + 1 if address in addresses else 0
        following = addresses[place % len(addresses)]
        if self.address == address != following:
            self.address = following
            await self.close()

    def _addresses(self) -> Sequence[str]:
        """The config's own first where the server counts it among its addresses."""
        known = self._server
        if known is None or not known.addresses:
            return [self._url]
        return [self._url, *(one for one in known.addresses if one != self._url)] if self._url in known.addresses else known.addresses

    @property
    def _server(self) -> ServerName | None:
        """The one that enrolled the agent there."""
        return self._context.server(self._url, self._project) if self._context else None

    def _way(self) -> Proxy | None:
        try:
            return way_to(self.address, self._proxy)
        except ValueError as error:
            raise ProxyError(f"cannot use the proxy for `{self.address}`: {error}") from error

    def _roots(self) -> ssl.SSLContext | None:
        return self._context.tls(self._url, self._project) if self._context else None

    def _connect(self) -> HttpConnections:
        url = urlsplit(self.address)
        self._tls = self._roots()
        secure = url.scheme == "https"
        host = url.hostname or ""
        # A server of our own has a certificate for the names it is reached by; a service's is for what is below its name.
        name = host if self._tls is not None or as_address(host) is not None else f"{self._project}.{host}"
        tls = self._tls or ssl.create_default_context() if secure else None
        port = url.port or PORTS["https" if secure else "http"]
        self._connections = HttpConnections(host, port, tls=tls, server_name=name, proxy=self._way(), forwards=self._forwards)
        return self._connections

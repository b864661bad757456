"""The way to a target: its addresses, of which the next one is tried when one fails, and the connections to the present one."""

import ipaddress
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tailrace.flushers.connection import Answer, HttpConnections
from tailrace.pipeline.contract import FlusherContext
from tailrace.wire.tls import explain


class CertificateError(OSError):
    """The target is not who it should be. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Link:
    """`url` is the address that the config gives; a server that has told its addresses is reached at these. Belongs to the event loop."""

    def __init__(self, url: str, project: str, context: FlusherContext | None) -> None:
        self._url = url
        self._project = project
        self._context = context
        self._connections: HttpConnections | None = None
        self._tls: ssl.SSLContext | None = None
        self.address = url
        """The present one, `scheme://host:port`."""

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""

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
        known = self._context.server(self._url, self._project) if self._context else None
        if known is None or not known.addresses:
            return [self._url]
        return [self._url, *(one for one in known.addresses if one != self._url)] if self._url in known.addresses else known.addresses

    def _roots(self) -> ssl.SSLContext | None:
        return self._context.tls(self._url, self._project) if self._context else None

    def _connect(self) -> HttpConnections:
        url = urlsplit(self.address)
        self._tls = self._roots()
        secure = url.scheme == "https"
        # A server of our own has a certificate for the names it is reached by; a service's is for what is below its name.
        name = self.host if self._tls is not None or _is_address(self.host) else f"{self._project}.{self.host}"
        tls = self._tls or ssl.create_default_context() if secure else None
        self._connections = HttpConnections(self.host, url.port or (443 if secure else 80), tls=tls, server_name=name)
        return self._connections


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

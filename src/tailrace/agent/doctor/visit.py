"""One visit to an address, step by step as a sender goes: the name, the port, the certificate, an answer and its date."""

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from tailrace.errors import UnreachableError
from tailrace.wire.outward import outward
from tailrace.wire.proxy import Proxy
from tailrace.wire.tls import EXPIRED, NOT_YET_VALID, explain, unchecked_context

STEP_SECS: Final = 5.0
PATH: Final = "/healthz"
PROXYS_OWN: Final = (407, 502, 503, 504)
"""Answers of a proxy that wants to be told who we are, or does not get through itself."""
HALF_SECOND: Final = 0.5
"""A `Date` header has whole seconds, cut off."""

NAME_REMEDY: Final = "check the name: `Endpoint` of the pipeline, `addresses` of the server, and how this machine resolves names"
PORT_REMEDY: Final = "check that the address has the right scheme and port: 9481 speaks TLS (`https`), 9480 does not (`http`)"

Step: TypeAlias = Literal["name", "port", "certificate", "answer"]


@dataclass(frozen=True, slots=True)
class Address:
    """`tls` is how the server is known; None: by the roots that this machine trusts. A service of others is reached below `project`.
    `proxy` leads there, where there is one; `forwarded`: it gets the requests themselves, no tunnel is asked of it."""

    url: str
    tls: ssl.SSLContext | None
    whose: str
    project: str = ""
    proxy: Proxy | None = None
    forwarded: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def secure(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.secure else 80)

    @property
    def server_name(self) -> str:
        """What its certificate has to be for."""
        return f"{self.project}.{self.host}" if self.project and not _is_address(self.host) else self.host


class ProxyRefusalError(OSError):
    """The proxy itself has answered, and does not lead there."""


@dataclass(frozen=True, slots=True)
class Visit:
    """`failed` is the step that did; then `trouble` and `remedy` say why. `ahead_secs`: how far the server's clock is ahead of ours."""

    address: Address
    failed: Step | None = None
    trouble: str = ""
    remedy: str = ""
    took_secs: float = 0.0
    ahead_secs: float | None = None


def visit(address: Address) -> Visit:
    """Ask the address whether it is there. It takes some seconds at most, and shows the server nothing of the agent."""
    began = time.monotonic()
    host, port = (address.proxy.host, address.proxy.port) if address.proxy else (address.host, address.port)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is no host name"
        return Visit(address, "name", f"the name `{host}` cannot be resolved: {reason}", NAME_REMEDY)
    try:
        with _connected(address) as connection:
            found = _speak(address, connection)
    except UnreachableError as error:
        return Visit(address, "port", error.message, error.hint)
    except (OSError, http.client.HTTPException) as error:
        return Visit(address, "port", *(_no_way(address, address.proxy, error) if address.proxy else _no_connection(address, error)))
    return replace(found, took_secs=time.monotonic() - began)


def _connected(address: Address) -> socket.socket:
    """To the address, to the proxy that forwards what it is sent, or through a proxy's tunnel. UnreachableError, OSError, HTTPException."""
    proxy = address.proxy
    there = (proxy.host, proxy.port) if proxy else (address.host, address.port)
    source = outward().source_to(*there)
    if proxy is None or address.forwarded:
        return socket.create_connection(there, STEP_SECS, source)
    tunnel = http.client.HTTPConnection(proxy.host, proxy.port, timeout=STEP_SECS, source_address=source)
    tunnel.set_tunnel(address.host, address.port, proxy.headers)
    tunnel.connect()
    return tunnel.sock


def _no_way(address: Address, proxy: Proxy, error: Exception) -> tuple[str, str]:
    remedy = "check `http_proxy` and `https_proxy`, with user and password; `no_proxy` names what is reached without it"
    return f"the proxy `{proxy}` does not lead to `{address.url}`: {str(error).lower()}", remedy


def _no_connection(address: Address, error: Exception) -> tuple[str, str]:
    if isinstance(error, ConnectionRefusedError):
        remedy = f"is the server running, does it listen on this address (`tls_host` in its server.yaml), and is {address.port} its port?"
        return f"nothing listens at `{address.url}`", remedy
    if isinstance(error, TimeoutError):
        remedy = f"let a firewall on the way pass TCP to port {address.port}; check that the machine is up"
        return f"`{address.url}` does not answer within {STEP_SECS:.0f} s", remedy
    return f"`{address.url}` cannot be reached: {str(error).lower()}", "check this machine's network and its routes"


def _speak(address: Address, connection: socket.socket) -> Visit:
    try:
        if address.secure:
            context = address.tls or ssl.create_default_context()
            connection = context.wrap_socket(connection, server_hostname=address.server_name)
    except ssl.SSLError as error:
        message, hint = explain(error, address.url)
        dated = isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in (EXPIRED, NOT_YET_VALID)
        return Visit(address, "certificate", message, hint, ahead_secs=_date_of_a_stranger(address) if dated else None)
    except OSError as error:
        return Visit(address, "certificate", f"`{address.url}` ends the connection: {(error.strerror or str(error)).lower()}", PORT_REMEDY)
    try:
        with connection:
            return Visit(address, ahead_secs=_ahead(address, connection))
    except ProxyRefusalError:
        raise
    except (OSError, http.client.HTTPException) as error:
        return Visit(address, "answer", f"`{address.url}` gives no answer of HTTP: {str(error).lower()}", PORT_REMEDY)


def _ahead(address: Address, connection: socket.socket) -> float | None:
    """By the `Date` of an answer, measured at the middle of question and answer; None when there is none. ProxyRefusalError."""
    path, headers = PATH, {"host": address.host, "connection": "close"}
    if address.proxy is not None and address.forwarded:
        headers["host"] = f"{address.server_name}:{address.port}"
        path, headers = f"http://{headers['host']}{PATH}", {**headers, **address.proxy.headers}
    speaking = http.client.HTTPConnection(address.host, address.port, timeout=STEP_SECS)
    speaking.sock = connection
    asked_at = time.time()
    speaking.request("GET", path, headers=headers)
    with speaking.getresponse() as answer:
        date = answer.headers.get("date")
        if address.forwarded and answer.status in PROXYS_OWN:
            raise ProxyRefusalError(f"it answers {answer.status} {answer.reason}")
    middle = (asked_at + time.time()) / 2
    try:
        return parsedate_to_datetime(date).timestamp() + HALF_SECOND - middle if date else None
    except ValueError:
        return None


def _date_of_a_stranger(address: Address) -> float | None:
    """Where a certificate's dates do not fit: what time it is there, for the reader to compare; nothing else is believed."""
    try:
        with _connected(address) as plain, unchecked_context().wrap_socket(plain) as connection:
            return _ahead(address, connection)
    except (OSError, http.client.HTTPException):
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

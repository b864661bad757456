"""Proxies of HTTP: which one leads to an address, as the settings or the usual environment variables say, and what one is told.

`https` goes through a tunnel (CONNECT). So does `http`, unless the proxy may see the request and can resolve its host: then it gets the
request itself (absolute form, RFC 9112 §3.2.2).
"""

import base64
import contextlib
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

DEFAULT_PORT: Final = 3128
NONE: Final = "none"
PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """`authorization` is the value of `Proxy-Authorization`, or nothing. `repr` never shows it."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> "Proxy":
        """`http://[USER:PASSWORD@]HOST[:PORT]`; ValueError without the text, which may hold a password."""
        try:
            url = urlsplit(text if "://" in text else f"http://{text}")
            host, port = url.hostname, url.port
        except ValueError as error:
            raise ValueError("its port is none") from error
        if url.scheme != "http" or not host:
            raise ValueError("only proxies of the form `http://HOST:PORT` are known")
        authorization = ""
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
            authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(host, port or DEFAULT_PORT, authorization)

    @property
    def headers(self) -> dict[str, str]:
        """Beside those of a request that is made of the proxy itself."""
        return {"proxy-authorization": self.authorization} if self.authorization else {}

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Proxies:
    """Texts as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` have them; empty: no proxy."""

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    without: str = ""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> "Proxies":
        def named(name: str) -> str:
            return environment.get(name) or environment.get(name.upper(), "")

        return cls(named("http_proxy"), named("https_proxy"), named("no_proxy"))

    def way_to(self, url: str, own: str = "") -> Proxy | None:
        """The proxy that leads to `url`; None where it is reached directly. `own` goes before all: an address, or `none`. ValueError."""
        if own:
            return None if own == NONE else Proxy.parse(own)
        parts = urlsplit(url)
        text = self.https if parts.scheme == "https" else self.http
        if not text or text == NONE or self._goes_without(parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)):
            return None
        return Proxy.parse(text)

    def shown(self) -> dict[str, str]:
        """By scheme the proxy's host and port, without its password; nothing where there is none."""
        return {scheme: _shown(text) for scheme, text in (("http", self.http), ("https", self.https)) if text and text != NONE}

    def _goes_without(self, host: str, port: int) -> bool:
        address = as_address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return True
        return any(_covers(one.strip().lower(), host, port) for one in self.without.split(",") if one.strip())


def may_be_forwarded(url: str) -> bool:
    """Whether a proxy may be given a request for `url` itself: nothing in it is secret, and its host is a name."""
    parts = urlsplit(url)
    return parts.scheme == "http" and as_address(parts.hostname or "") is None


def _shown(text: str) -> str:
    try:
        return str(Proxy.parse(text))
    except ValueError as error:
        return str(error)


def wrong_proxy(text: str) -> str:
    """What is wrong with a text that should be a proxy's address, or nothing."""
    try:
        Proxies().way_to("", text)
    except ValueError as error:
        return str(error)
    return ""


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def bracketed(host: str) -> str:
    """As it stands in a URL or a `Host` header."""
    return f"[{host}]" if ":" in host else host


def _covers(pattern: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` names the host: `*`, a name and all below it, an address, a network; each but a network
    with or without a port."""
    if pattern == "*":
        return True
    address = as_address(host)
    if address is not None:
        with contextlib.suppress(ValueError):
            return address in ipaddress.ip_network(pattern.strip("[]"), strict=False)
    name, colon, own_port = pattern.rpartition(":")
    if colon and own_port.isdigit():
        return int(own_port) == port and _covers(name, host, port)
    name = pattern.lstrip("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


_in_force: Proxies | None = None


def use(proxies: Proxies) -> None:
    """From now on these are this process's; before, they are what its environment says."""
    global _in_force  # noqa: PLW0603 - as the environment, which it stands for, it belongs to the process
    _in_force = proxies


def way_to(url: str, own: str = "") -> Proxy | None:
    """By this process's proxies. ValueError."""
    return in_force().way_to(url, own)


def in_force() -> Proxies:
    """This process's."""
    return _in_force or Proxies.of_environment()

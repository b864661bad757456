"""Which authority a command believes when it talks TLS: the one that is named, else the one that the home knows for this server, and no
other; a server that the home does not know has to be known to this machine."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tailrace.cli.home import read_json
from tailrace.errors import ConfigError
from tailrace.wire.proxy import bracketed
from tailrace.wire.tls import certificates_in

BUNDLE: Final = "ca.pem"
"""In a server's home: its root certificates, for clients of every kind."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def trusted_roots(endpoint: str, home: Path, named: str) -> str:
    """Root certificates, PEM; empty: those of this machine. `named` is a file. ConfigError when it holds none, or when `endpoint` is no
    address."""
    place = _place(endpoint)
    if named:
        return _from_file(Path(named).expanduser())
    if urlsplit(endpoint).scheme != "https":
        return ""
    for addresses, roots in _known(home):
        if place in [_place(address) for address in addresses]:
            return roots
    return ""


def _known(home: Path) -> Iterator[tuple[list[str], str]]:
    """Addresses and roots of the server on this home, and of those that its agent has joined."""
    bundle, running = home / BUNDLE, _read(home / "run" / "server.json")
    if bundle.exists() and running:
        own = [f"https://{bracketed(host)}:{running.get('tls_port')}" for host in LOOPBACK]
        yield [*own, str(running.get("tls_address")), *running.get("addresses", [])], _from_file(bundle)
    for server in _read(home / "secret" / "agent.json").get("servers", []):
        yield server["addresses"], "".join(server["roots"])


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return read_json(path)
    except PermissionError:  # another user's home says nothing to this one
        return {}


def _from_file(path: Path) -> str:
    try:
        found = "".join(certificates_in(path.read_text(encoding="ascii")))
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"cannot read the certificates in `{path}`: {reason}", hint="name a PEM file with `--ca`") from error
    if not found:
        raise ConfigError(f"there is no certificate in `{path}`", hint="`tailrace ca show --pem` on the server prints its own")
    return found


def _place(address: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ConfigError(f"`{address}` is not an endpoint: {str(error).lower()}", hint="it looks like `http://127.0.0.1:9480`") from error

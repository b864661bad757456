"""Addresses of servers as people write them: `https://logs.example.org:9481`."""

from urllib.parse import urlsplit


def wrong_endpoint(url: str, *schemes: str) -> str:
    """Why nothing can be reached there, or nothing when something may. `schemes`: those that will do. The answer does not show the address,
    which may hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "its host or its port is none"
    if parts.scheme not in schemes:
        return f"it does not begin with {' or '.join(f'`{scheme}://`' for scheme in schemes)}"
    if not host or not is_name(host):
        return "it names no host"
    if parts.username is not None:
        return "it holds a user's name"
    return "there is something behind the host and its port" if parts.path.rstrip("/") or parts.query or parts.fragment else ""


def is_name(host: str) -> bool:
    """Whether it can be asked for: the look-up refuses others with an error of its own kind."""
    try:
        return " " not in host and bool(host.encode("idna"))
    except UnicodeError:
        return False

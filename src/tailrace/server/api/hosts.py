"""Which project a `Host` header names (sls-api §1.1): `<project>.<base domain>[:port]`, by a list of base domains, never by guessing."""

import ipaddress
import re
from collections.abc import Collection

from tailrace.errors import ApiError

IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)")
PROJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])")


def project_of_host(host: str, domains: Collection[str]) -> str | None:
    """The project's name, or None for a base domain by itself. `localhost` and every address are base domains, too, those of IPv6
    in brackets.

    Raises ApiError 400 MissingHost for an empty header and InvalidHost for a host below none of the domains.
    """
    name = host.strip().lower().rsplit(":", 1)[0] if _has_port(host) else host.strip().lower()
    name = name.removesuffix(".")
    if not name:
        raise ApiError(400, "MissingHost", "the Host header is missing")
    if _is_base(name, domains):
        return None
    label, _, rest = name.partition(".")
    if rest and _is_base(rest, domains):
        return label
    known = ", ".join(sorted({*domains, "localhost"})) + " and addresses"
    raise ApiError(400, "InvalidHost", f"host `{host}` is not `<project>.<domain>` for any domain of this server: {known}")


def _has_port(host: str) -> bool:
    return host.rsplit(":", 1)[-1].strip().isdigit() and ":" in host


def _is_base(name: str, domains: Collection[str]) -> bool:
    return name == "localhost" or name in domains or IPV4.fullmatch(name) is not None or _is_ipv6(name)


def _is_ipv6(name: str) -> bool:
    try:
        return name.startswith("[") and name.endswith("]") and bool(ipaddress.IPv6Address(name[1:-1]))
    except ValueError:
        return False

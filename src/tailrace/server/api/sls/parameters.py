"""Parameters of the read calls: in the query of a GET as text, in the body of a POST as JSON (sls-api §2.2, §2.3)."""

import zoneinfo
from collections.abc import Mapping
from functools import cache
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call
from tailrace.server.query.allowance import allowance_of
from tailrace.server.query.service import Page, Queries
from tailrace.server.query.window import NS, Window

MAX_LINES = 100
HASH_KEY_DIGITS = 32


def window_of(parameters: Mapping[str, Any]) -> Window:
    start = number(parameters, "from", None, "InvalidTimeRange") * NS + number(parameters, "fromNs", 0, "InvalidTimeRange")
    end = number(parameters, "to", None, "InvalidTimeRange") * NS + number(parameters, "toNs", 0, "InvalidTimeRange")
    return Window(start, end, str(parameters.get("topic") or ""))


def page_of(parameters: Mapping[str, Any]) -> Page:
    """The limits hold for a search; SQL has its own LIMIT and ignores these (clients send anything there)."""
    line = number(parameters, "line", MAX_LINES, "InvalidLine")
    offset = number(parameters, "offset", 0, "InvalidOffset")
    reverse = str(parameters.get("reverse") or "false").lower()
    if reverse not in ("true", "false"):
        raise ApiError(400, "InvalidReverse", f"reverse `{reverse}` is not true or false")
    return Page(line, offset, reverse == "true")


def queries_of(call: Call, parameters: Mapping[str, Any] | None = None) -> Queries:
    """Of the call's project, in the time zone that the parameters ask for."""
    project = call.require_project()
    return Queries(call.store, time_zone_of(call, parameters or {}), allowance_of(project, call.settings), call.services.unfinished)


def time_zone_of(call: Call, parameters: Mapping[str, Any]) -> str:
    """Of the request (`timeZone`, or `timezone=…` in `session`), else of the project, else of the server."""
    session = dict(part.strip().split("=", 1) for part in str(parameters.get("session") or "").split(";") if "=" in part)
    named = parameters.get("timeZone") or session.get("timezone")
    return known_zone(named) if named else str(call.require_project().options.get("timeZone") or call.settings.time_zone)


def known_zone(name: object) -> str:
    """Raises ApiError(400, ParameterInvalid) for what the IANA database does not name."""
    if not isinstance(name, str) or name not in _zones():
        raise ApiError(400, "ParameterInvalid", f"`{str(name)[:40]}` is no time zone of the IANA database, such as `Asia/Shanghai`")
    return name


def number(parameters: Mapping[str, Any], name: str, default: int | None, code: str) -> int:
    """Numbers may come as text; an empty text is the default."""
    value = parameters.get(name)
    if value is None or value == "":
        if default is None:
            raise ApiError(400, "ParameterInvalid", f"parameter `{name}` is missing")
        return default
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 18:
        raise ApiError(400, code, f"`{name}` is not a whole number: `{text[:40]}`")
    return int(text)


def hash_key(text: str) -> str:
    """A key may have fewer digits than 32: zeros go before it. Raises ApiError(400, ParameterInvalid)."""
    if not 1 <= len(text) <= HASH_KEY_DIGITS or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        raise ApiError(400, "ParameterInvalid", f"key `{text}` is not up to {HASH_KEY_DIGITS} hex digits")
    return text.lower().rjust(HASH_KEY_DIGITS, "0")


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())

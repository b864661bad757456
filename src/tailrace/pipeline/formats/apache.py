"""Apache httpd: `common`, `combined` or a pasted `LogFormat` → how its lines are read. The names of the fields are the manual's.

`%D` is in microseconds although the manual calls it `request_time_msec`; `%p` is the server's own port although it is called `remote_port`.
"""

import re
from collections.abc import Iterator
from typing import Final

from tailrace.errors import UsageError
from tailrace.pipeline.explain import near
from tailrace.pipeline.formats.line import QUOTED, EventTime, LineFormat, Value, check_neighbours, pieces_of

FORMATS: Final = {
    "common": r'%h %l %u %t "%r" %>s %b',
    "combined": r'%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "combinedio": r'%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O',
    "vhost_combined": r'%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
}
"""What the `LogFormat` lines of httpd's own configuration call by these names; Debian's counts `%O` where others count `%b`."""

KEYS: Final = {
    "a": "client_addr", "A": "local_addr", "b": "response_size_bytes", "B": "response_bytes", "D": "request_time_msec", "f": "filename",
    "h": "remote_addr", "H": "request_protocol_supple", "I": "bytes_received", "k": "keep_alive", "l": "remote_ident",
    "m": "request_method_supple", "O": "bytes_sent", "p": "remote_port", "P": "child_process", "q": "request_query", "r": "request",
    "R": "response_handler", "s": "status", "t": "time_local", "T": "request_time_sec", "u": "remote_user", "U": "request_uri_supple",
    "v": "server_name", "V": "server_name_canonical", "L": "log_id", "S": "bytes_transferred", "X": "connection_status",
}  # fmt: skip
"""The manual's map; the last three directives are not in it."""

NAMED: Final = {
    "C": "cookie_", "e": "env_", "i": "http_", "n": "note_", "o": "response_", "x": "ssl_",
    "^ti": "trailer_", "^to": "response_trailer_",
}  # fmt: skip
"""Directives whose braces name what is written: prefix of the field."""

_OWN: Final = {"s": r"\d{3}|-", "b": r"\d+|-", "B": r"\d+", "I": r"\d+", "O": r"\d+"}
_FREE: Final = frozenset("fqruUR")
_DIRECTIVE: Final = re.compile(r"%[!\d,]*[<>]?[!\d,]*(?:\{([^}]*)\})?([<>]?)(\^t[io]|[A-Za-z%])")
_LINE: Final = re.compile(r'^\s*LogFormat\s+"((?:[^"\\]|\\.)*)"(?:[ \t]+(\S+))?', re.IGNORECASE | re.MULTILINE)
_LOG: Final = re.compile(r'^\s*CustomLog\s+(?:"([^"]*)"|(\S+))\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))', re.IGNORECASE | re.MULTILINE)
_ESCAPES: Final = {"n": "\n", "t": "\t"}
_TIME: Final = r"\d{2}/[A-Za-z]{3}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}"
_UNIX: Final = {"sec": "%s", "msec": "%s", "usec": "%s"}
_DAYS: Final = frozenset({"%d", "%e", "%F", "%D", "%x"})
_HOURS: Final = frozenset({"%H", "%I", "%T", "%R", "%X", "%r"})
_FRACTIONS: Final = {"msec_frac": r"\d{3}", "usec_frac": r"\d{6}"}


def apache(text: str, name: str = "") -> LineFormat:
    """The format in `text`: a known name, a bare format string, or lines of httpd.conf with `LogFormat`, of which `name` chooses one.

    Raises UsageError when there is none, or when its values cannot be told apart.
    """
    title, form, paths = _chosen(text.strip(), name)
    parts: list[Value | str] = []
    times: list[EventTime] = []
    for part in _parts(form, times):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    if not any(isinstance(part, Value) for part in parts):
        raise UsageError(f"`{form}` has no directive of a log format", hint="paste what stands in `LogFormat`, such as `%h %l %u %t`")
    check_neighbours(parts, "the LogFormat")
    return LineFormat(title, tuple(pieces_of(parts, inside_quotes=QUOTED)), times[0] if times else None, file_paths=paths)


def _chosen(text: str, name: str) -> tuple[str, str, tuple[str, ...]]:
    """(title, format string, files)."""
    found = {match[2] or "": match[1] for match in _LINE.finditer(text)}
    logs = [(match[1] or match[2], match[3] or match[4]) for match in _LOG.finditer(text)]
    if not found and not logs:
        form = FORMATS.get(text or name, text)
        if not form:
            raise UsageError("there is no LogFormat", hint=f"name one of {', '.join(FORMATS)}, or paste the line from httpd.conf")
        return f"Apache LogFormat `{text or name}`", _unescaped(form) if "\\" in form else form, ()
    known = {**FORMATS, **found}
    name = name or (next(iter(found)) if len(found) == 1 else "") or (logs[0][1] if len({used for _, used in logs}) == 1 else "")
    if not name and "" not in found:
        raise UsageError(f"there are several formats: {', '.join(f'`{one}`' for one in found)}", hint="choose one with `--name`")
    if name not in known and "%" not in name:
        raise UsageError(f"there is no LogFormat `{name}` in what was pasted", hint=near(name, known, "formats"))
    paths = tuple(path for path, used in logs if used == name and path.startswith("/"))
    return f"Apache LogFormat `{name}`", _unescaped(known.get(name, name)), paths


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)


def _parts(form: str, times: list[EventTime]) -> Iterator[Value | str]:
    at, counts = 0, dict[str, int]()
    for match in _DIRECTIVE.finditer(form):
        if match.start() > at:
            yield form[at : match.start()]
        at = match.end()
        if match[3] == "%":
            yield "%"
        elif match[3] == "t":
            yield from _time(match[0], match[1], counts, times)
        else:
            yield _value(match, counts)
    if at < len(form):
        yield form[at:]


def _value(match: re.Match[str], counts: dict[str, int]) -> Value:
    shown, argument, letter = match[0], match[1] or "", match[3]
    if letter in NAMED:
        key = NAMED[letter] + re.sub(r"\W", "_", argument).lower()
        return Value(shown, _again(key, counts), free=True)
    if letter not in KEYS:
        raise UsageError(f"`{shown}` is no directive of a LogFormat", hint="httpd's page of mod_log_config lists them")
    # The path begins with `/`, the query with `?` or is empty: they may follow another value at once.
    first = {"U": "/", "q": "?"}.get(letter, "")
    return Value(shown, _again(KEYS[letter], counts), _OWN.get(letter, ""), free=letter in _FREE, first=first)


def _time(shown: str, argument: str | None, counts: dict[str, int], times: list[EventTime]) -> Iterator[Value | str]:
    key = _again("time_local", counts)
    form = (argument or "").removeprefix("begin:").removeprefix("end:")
    if not form:
        times.append(EventTime(key, "%d/%b/%Y:%H:%M:%S %z"))
        yield "["
        yield Value(shown, key, _TIME)
        yield "]"
    elif form in _UNIX:
        times.append(EventTime(key, _UNIX[form]))
        yield Value(shown, key, r"\d+")
    elif form in _FRACTIONS:
        yield Value(shown, key, _FRACTIONS[form])
    else:
        if _whole_date(form):
            times.append(EventTime(key, form))
        yield Value(shown, key, free=True)


def _whole_date(form: str) -> bool:
    directives = set(re.findall(r"%[a-zA-Z]", form))
    return bool(directives & {"%s", "%c"} or (directives & _DAYS and directives & _HOURS))


def _again(key: str, counts: dict[str, int]) -> str:
    """A key that came before gets a number: two directives may tell different things under one name (`%s` and `%>s`)."""
    counts[key] = counts.get(key, 0) + 1
    return key if counts[key] == 1 else f"{key}_{counts[key]}"

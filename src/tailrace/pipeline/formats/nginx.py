"""NGINX: a pasted `log_format` (or a whole `nginx.conf`) → how its lines are read.

Every variable becomes the field of its name. `escape=json` formats that are one JSON object are read as JSON. The `access_log`
lines that use the format tell the files.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from tailrace.errors import UsageError
from tailrace.pipeline.explain import near
from tailrace.pipeline.formats.line import QUOTED, EventTime, LineFormat, Value, check_neighbours, pieces_of

COMBINED: Final = (
    'log_format combined \'$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"\';'
)
"""The format that `access_log` has without a name."""

TIMES: Final = {"msec": "%s.%f", "time_iso8601": "%Y-%m-%dT%H:%M:%S%z", "time_local": "%d/%b/%Y:%H:%M:%S %z"}
"""Variables that hold the time of the request, the most exact first."""

_OWN: Final = {
    "time_local": r"\d{2}/[A-Za-z]{3}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}",
    "time_iso8601": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:\d{2}",
    "msec": r"\d+\.\d+",
    "is_args": "[?-]",
    "status": r"\d{3}",
    "body_bytes_sent": r"\d+",
    "bytes_sent": r"\d+",
    "request_length": r"\d+",
}
_UPSTREAM: Final = re.compile(r"upstream_(addr|bytes_\w+|\w+_time|response_length|status|cache_\w+)")
_UPSTREAM_LIST: Final = r"[^ ,]*(?:(?:, | : )[^ ,]+)*"
"""One value per server that was asked, `, ` between them, ` : ` at an internal redirect."""
_WORDS: Final = re.compile(
    r"remote_addr|remote_port|status|body_bytes_sent|bytes_sent|request_time|request_length|request_method|request_id|connection\w*|pipe|scheme"
    r"|server_\w+|host|hostname|nginx_version|pid|proxy_protocol_\w+|gzip_ratio|ssl_(protocol|cipher|session_\w+|server_name|early_data)"
    r"|https|http2|http3|limit_\w+|content_length|realip_\w+|tcpinfo_\w+|time_\w+|msec"
)
_PATHS: Final = frozenset({"request_uri", "uri", "document_uri", "request_filename", "document_root"})
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_MARK: Final = 1_000_000
"""Stands, counted up, for the variables of a JSON format: a number is a value with and without quotes."""
_UNESCAPED: Final = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
_TOKEN: Final = re.compile(
    r"#[^\n]*|\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|[;{}]|(?:[^\s;{}\\\"']|\\.)(?:[^\s;{\\]|\\.|(?<=\$)\{)*", re.DOTALL
)
"""A comment, a word in quotes of either kind, a mark, or a bare word, in which `${` may stand."""


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    escape: str
    text: str


def nginx(text: str, name: str = "") -> LineFormat:
    """The format `name` of the pasted text, or the only one in it. Raises UsageError when there is none, or it cannot be read back."""
    formats, logs = _parsed(text)
    chosen = _chosen(formats, logs, name)
    parts = list(_parts(chosen.text))
    paths = tuple(path for path, used in logs if used == chosen.name)
    keys = [part.key for part in parts if isinstance(part, Value)]
    if not keys:
        raise UsageError(f"the log_format `{chosen.name}` has no variable", hint="paste it as it stands in nginx.conf, with its quotes")
    title = f"nginx log_format `{chosen.name}`"
    fields = _as_json(parts) if chosen.escape == "json" else None
    if fields is not None:
        time = next((EventTime(fields[key], form) for key, form in TIMES.items() if key in fields), None)
        return LineFormat(title, (), time, file_paths=paths)
    time = next((EventTime(key, form) for key, form in TIMES.items() if key in keys), None)
    check_neighbours(parts, "nginx.conf")
    inside = {"default": '[^"]*', "json": QUOTED}.get(chosen.escape, ".*?")
    return LineFormat(title, tuple(pieces_of(parts, inside_quotes=inside)), time, file_paths=paths)


def _parsed(text: str) -> tuple[dict[str, _Format], list[tuple[str, str]]]:
    """The formats by name, and (file, name of its format) of each access log."""
    formats = {"combined": _of(next(_statements(COMBINED)))}
    logs: list[tuple[str, str]] = []
    for words in _statements(text):
        if words[0] == "log_format" and len(words) > 2:
            formats[words[1]] = _of(words)
        elif words[0] == "access_log" and len(words) > 1 and words[1].startswith("/") and "$" not in words[1]:
            logs.append((words[1], words[2] if len(words) > 2 and "=" not in words[2] else "combined"))
    return formats, logs


def _of(words: list[str]) -> _Format:
    escape = words[2].removeprefix("escape=") if words[2].startswith("escape=") else ""
    return _Format(words[1], escape or "default", "".join(words[3 if escape else 2 :]))


def _chosen(formats: dict[str, _Format], logs: list[tuple[str, str]], name: str) -> _Format:
    own = [one for one in formats if one != "combined"]
    used = [one for _, one in logs if one in formats]
    name = name or (own[0] if len(own) == 1 else "") or (used[0] if len(set(used)) == 1 else "")
    if name in formats:
        return formats[name]
    if name:
        raise UsageError(f"there is no log_format `{name}` in what was pasted", hint=near(name, formats, "formats"))
    if not own:
        raise UsageError(
            "there is no log_format in what was pasted", hint="paste the block from nginx.conf; the built-in one is named `combined`"
        )
    raise UsageError(f"there are several formats: {', '.join(f'`{one}`' for one in own)}", hint="choose one with `--name`")


def _statements(text: str) -> Iterator[list[str]]:
    """The words of each directive, as nginx reads them: quotes off, comments and braces gone."""
    words: list[str] = []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in (";", "{", "}"):
            if words:
                yield words
            words = []
        elif not word.startswith("#"):
            inner = next((group for group in (token[1], token[2]) if group is not None), word)
            words.append(re.sub(r"\\(.)", _unescape, inner))
    if words:
        yield words


def _unescape(match: "re.Match[str]") -> str:
    return _UNESCAPED.get(match[1], match[0])


def _parts(text: str) -> Iterator[Value | str]:
    at = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > at:
            yield text[at : match.start()]
        yield _value(match[1] or match[2], match[0])
        at = match.end()
    if at < len(text):
        yield text[at:]


def _value(name: str, shown: str) -> Value:
    own = _OWN.get(name, _UPSTREAM_LIST if _UPSTREAM.fullmatch(name) else "")
    free = not own and _WORDS.fullmatch(name) is None
    return Value(shown, name, own, free, first="?" if name == "is_args" else "/" if name in _PATHS else "")


def _as_json(parts: list[Value | str]) -> dict[str, str] | None:
    """Variable → key, for each variable that is a whole value, when the format is one JSON object; else None."""
    names = [part.key for part in parts if isinstance(part, Value)]
    marks = {_MARK + number: name for number, name in enumerate(names)}
    unused = iter(marks)
    text = "".join(part if isinstance(part, str) else str(next(unused)) for part in parts)
    try:
        document: object = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    by_text = {str(mark): name for mark, name in marks.items()}
    values = cast("dict[str, object]", document).items()
    return {by_text[str(value)]: key for key, value in values if str(value) in by_text}

"""IIS: its formats W3C, IIS and NCSA → how their lines are read. Lines that begin with `#` are comments.

In the W3C format the fields are chosen, by `logExtFileFlags`, and stand in the log's own line `#Fields:`. Its times are UTC; those of the
other two are the machine's.
"""

import re
from itertools import pairwise
from typing import Final

from tailrace.errors import UsageError
from tailrace.pipeline.explain import near
from tailrace.pipeline.formats.apache import apache
from tailrace.pipeline.formats.line import EventTime, LineFormat, Piece

FLAGS: Final = {
    "Date": "date", "Time": "time", "SiteName": "s-sitename", "ComputerName": "s-computername", "ServerIP": "s-ip", "Method": "cs-method",
    "UriStem": "cs-uri-stem", "UriQuery": "cs-uri-query", "ServerPort": "s-port", "UserName": "cs-username", "ClientIP": "c-ip",
    "ProtocolVersion": "cs-version", "UserAgent": "cs-user-agent", "Cookie": "cs-cookie", "Referer": "cs-referer", "Host": "cs-host",
    "HttpStatus": "sc-status", "HttpSubStatus": "sc-substatus", "Win32Status": "sc-win32-status", "BytesSent": "sc-bytes",
    "BytesRecv": "cs-bytes", "TimeTaken": "time-taken",
}  # fmt: skip
"""`logExtFileFlags` → field, in the order in which IIS writes them, whatever the order of the flags."""

PLAIN: Final = (
    "c-ip", "cs-username", "date", "time", "s-sitename", "s-computername", "s-ip", "time-taken", "cs-bytes", "sc-bytes", "sc-status",
    "sc-win32-status", "cs-method", "cs-uri-stem", "cs-uri-query",
)  # fmt: skip
"""The fixed fields of the IIS format."""

COMMENTS: Final = "#.*"
_JOINED: Final = "date-time"


def iis(kind: str, text: str = "", sample: bytes = b"") -> LineFormat:
    """`kind` is `w3c`, `iis` or `ncsa`. For W3C `text` holds the flags or the line `#Fields:`; for IIS a `sample` shows the year's digits.

    Raises UsageError for a field that IIS does not know, or when there is none.
    """
    if kind == "ncsa":
        common = apache("common")
        return LineFormat("IIS log, format NCSA", common.pieces, common.time, COMMENTS)
    return _plain(sample) if kind == "iis" else _w3c(text)


def _w3c(text: str) -> LineFormat:
    line = re.search(r"^#Fields:(.*)$", text, re.MULTILINE)
    fields = [_field(word) for word in line[1].split()] if line else _of_flags(text)
    if not fields:
        raise UsageError(
            "no field of the W3C format is given", hint="paste the value of `logExtFileFlags`, or the line `#Fields: …` of a log"
        )
    pieces = [Piece(field, r"([^ ]*)", (field,)) for field in fields]
    notes: tuple[str, ...] = ()
    time = None
    where = next((index for index, pair in enumerate(pairwise(fields)) if pair == ("date", "time")), None)
    if where is None:
        notes = ("`date` and `time` do not stand side by side: events get the time at which they are read",)
    else:
        pieces[where : where + 2] = [Piece("date time", "(([^ ]*) ([^ ]*))", (_JOINED, "date", "time"))]
        time = EventTime(_JOINED, "%Y-%m-%d %H:%M:%S", "GMT+00:00", helper=True)
    return LineFormat("IIS log, format W3C", tuple(_between(pieces, " ")), time, COMMENTS, notes=notes)


def _plain(sample: bytes) -> LineFormat:
    year = "%Y" if re.search(rb"^[^,]*,[^,]*, *\d+/\d+/\d{4}", sample) else "%y"
    pieces = [Piece(field, "([^,]*)", (field,)) for field in PLAIN]
    pieces[2:4] = [Piece("date, time", "(([^,]*), ([^,]*))", (_JOINED, "date", "time"))]
    time = EventTime(_JOINED, f"%m/%d/{year}, %H:%M:%S", helper=True)
    end = Piece(",", ",? *")
    return LineFormat("IIS log, format IIS", (*_between(pieces, ", "), end), time, COMMENTS)


def _between(pieces: list[Piece], text: str) -> list[Piece]:
    separated: list[Piece] = []
    for piece in pieces:
        separated += [Piece(text, text), piece] if separated else [piece]
    return separated


def _of_flags(text: str) -> list[str]:
    flags = [word for word in re.split(r"[\s,|]+", text.partition("=")[2].strip("\"' />") or text) if word]
    by_name = {name.lower(): name for name in FLAGS}
    for flag in flags:
        if flag.lower() not in by_name:
            raise UsageError(f"`{flag}` is no flag of `logExtFileFlags`", hint=near(flag, FLAGS, "flags"))
    chosen = {by_name[flag.lower()] for flag in flags}
    return [field for name, field in FLAGS.items() if name in chosen]


def _field(word: str) -> str:
    """`cs(User-Agent)` → `cs-user-agent`: the manual's names have no parentheses."""
    named = re.fullmatch(r"(\w+)\(([^)]+)\)", word)
    return f"{named[1]}-{named[2].lower()}" if named else word

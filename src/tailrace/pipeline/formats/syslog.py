"""Syslog lines in files, as rsyslog and others write them: the traditional form (RFC 3164), the same with an ISO time, and RFC 5424.

The traditional form has no year and no zone: the year is the one nearest to now, the zone the machine's.
"""

import re
from typing import Final, Literal

from tailrace.errors import UsageError
from tailrace.pipeline.formats.line import QUOTED, EventTime, LineFormat, Piece

Form = Literal["traditional", "iso", "rfc5424"]

_PRIORITY: Final = Piece("<PRI>", r"(?:<(\d{1,3})>)?", ("priority",))
_OLD_TIME: Final = Piece("time", r"([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2})", ("time",))
_ISO: Final = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})"
_HOST: Final = Piece("host", r"([^ ]+)", ("hostname",))
_PROGRAM: Final = Piece("program[pid]: ", r"(?:([^\s:\[]+)(?:\[([^\]]*)\])?: ?)?", ("program", "pid"))
"""`last message repeated 3 times` has neither."""
_SPACE: Final = Piece(" ", " ")
_MESSAGE: Final = Piece("message", "(.*)", ("message",))
_DATA: Final = rf'-|(?:\[[^"\]]*(?:"{QUOTED}"[^"\]]*)*\])+'

_FORMS: Final[dict[Form, LineFormat]] = {
    "traditional": LineFormat(
        "syslog, traditional form",
        (_PRIORITY, _OLD_TIME, _SPACE, _HOST, _SPACE, _PROGRAM, _MESSAGE),
        EventTime("time", "%b %d %H:%M:%S"),
    ),
    "iso": LineFormat(
        "syslog with ISO times",
        (_PRIORITY, Piece("time", f"({_ISO})", ("time",)), _SPACE, _HOST, _SPACE, _PROGRAM, _MESSAGE),
        EventTime("time", "%Y-%m-%dT%H:%M:%S%z"),
    ),
    "rfc5424": LineFormat(
        "syslog of RFC 5424",
        (
            Piece("<PRI>", r"<(\d{1,3})>", ("priority",)),
            Piece("version", r"(\d{1,2})", ("version",)),
            _SPACE,
            Piece("time", f"({_ISO}|-)", ("time",)),
            _SPACE,
            _HOST,
            _SPACE,
            Piece("program", "([^ ]+)", ("program",)),
            _SPACE,
            Piece("pid", "([^ ]+)", ("pid",)),
            _SPACE,
            Piece("message id", "([^ ]+)", ("msgid",)),
            _SPACE,
            Piece("structured data", f"({_DATA})", ("structured_data",)),
            Piece("message", r"(?: (?:\xef\xbb\xbf)?(.*))?", ("message",)),
        ),
        EventTime("time", "%Y-%m-%dT%H:%M:%S%z"),
    ),
}


def syslog(form: Form | None = None, sample: bytes = b"") -> LineFormat:
    """The form that is named, or the one that the sample line shows. Raises UsageError when the sample shows none of them."""
    if form is not None:
        return _FORMS[form]
    if not sample:
        return _FORMS["traditional"]
    if re.match(rb"<\d{1,3}>\d{1,2} ", sample):
        return _FORMS["rfc5424"]
    for name in ("iso", "traditional"):
        if not _FORMS[name].mismatch(sample):
            return _FORMS[name]
    raise UsageError(f"the sample is no syslog line: {_FORMS['traditional'].mismatch(sample)}", hint="name the form with `--form`")

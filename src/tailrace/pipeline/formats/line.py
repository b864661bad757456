"""How a program writes its lines, as pieces: each with the pattern that reads it. The helper modes make one from what a user pastes.

A `LineFormat` becomes the `processors` of a pipeline, and it can say where a line that does not fit stops fitting.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from tailrace.batch import Pattern
from tailrace.errors import UsageError

Document = dict[str, Any]

_SPECIAL: Final = re.compile(r"[.^$*+?{}\[\]\\|()]")
SHOWN: Final = 60
"""Characters of a line that a message shows."""
QUOTED: Final = r'[^"\\]*(?:\\.[^"\\]*)*'
"""What stands between two `"` where the program escapes a `"` by a backslash; four times as fast as `(?:[^"\\\\]|\\\\.)*`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a line. `pattern` holds one group per key; without keys the piece is a text that separates values."""

    shown: str
    """How the user wrote it: `$status`, `%>s`, ` - `."""
    pattern: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventTime:
    """Which field holds the time of an event, in strptime directives; `zone` as `GMT+00:00`, empty for the machine's own."""

    key: str
    format: str
    zone: str = ""
    helper: bool = False
    """The field only joins others (a date and a time of day), and is dropped afterwards."""


@dataclass(frozen=True, slots=True)
class LineFormat:
    """A line of `pieces`, or one JSON object per line when there are none."""

    title: str
    pieces: tuple[Piece, ...]
    time: EventTime | None = None
    comments: str = ""
    """Pattern of lines that are no events."""
    file_paths: tuple[str, ...] = ()
    """Where the lines stand, when what the user pasted says it."""
    notes: tuple[str, ...] = field(default=())

    @property
    def regex(self) -> str:
        return "".join(piece.pattern for piece in self.pieces)

    @property
    def keys(self) -> list[str]:
        return [key for piece in self.pieces for key in piece.keys]

    def processors(self) -> list[Document]:
        """What turns a line into fields and gives the event its time; a line that does not fit is kept whole."""
        processors: list[Document] = []
        if self.comments:
            processors.append({"Type": "processor_filter_regex_native", "Exclude": {"content": self.comments}})
        if self.pieces:
            parse = {"Type": "processor_parse_regex_native", "Regex": self.regex, "Keys": self.keys}
        else:
            parse = {"Type": "processor_parse_json_native"}
        processors.append({**parse, "KeepingSourceWhenParseFail": True})
        if self.time is not None:
            stamp = {"Type": "processor_parse_timestamp_native", "SourceKey": self.time.key, "SourceFormat": self.time.format}
            processors.append({**stamp, "SourceTimezone": self.time.zone} if self.time.zone else stamp)
            if self.time.helper:
                processors.append({"Type": "processor_drop", "DropKeys": [self.time.key]})
        return processors

    def mismatch(self, line: bytes) -> str:
        """Why `line` does not fit: how far it does, what was expected there and what stands there; empty when it fits."""
        if self.comments and Pattern(self.comments).full_match(line) is not None:
            return ""
        if not self.pieces:
            return "" if line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" else "it is not a JSON object"
        if Pattern(self.regex).full_match(line) is not None:
            return ""
        fits, end = self._longest_beginning(line)
        rest = _shown(line[end:])
        if fits == len(self.pieces):
            return f"it goes on after its last part, `{self.pieces[-1].shown}`, with `{rest}`"
        found = f"found `{rest}`" if rest else "the line ends"
        before = f"after `{_shown(line[:end], tail=True)}` " if end else ""
        return f"{before}`{self.pieces[fits].shown}` was expected, {found}"

    def _longest_beginning(self, line: bytes) -> tuple[int, int]:
        """(how many pieces the beginning of the line fits, where it ends in the line)."""
        for count in range(len(self.pieces), 0, -1):
            span = Pattern("^" + "".join(piece.pattern for piece in self.pieces[:count])).search(line)
            if span is not None:
                return count, span[1]
        return 0, 0


@dataclass(frozen=True, slots=True)
class Value:
    """A value that stands in a line: how wide it may be decides what pattern reads it up to the text that follows it."""

    shown: str
    key: str
    own: str = ""
    """Its pattern, whatever follows it."""
    free: bool = False
    """It may hold what separates values: the client chooses it."""
    first: str = ""
    """The character that it always begins with."""


def pieces_of(parts: Sequence[Value | str], *, inside_quotes: str) -> Iterator[Piece]:
    """Values and the texts between them as pieces. `inside_quotes` reads a value between `"`. A key that comes again is read, not kept."""
    seen: set[str] = set()
    for index, part in enumerate(parts):
        if isinstance(part, str):
            yield Piece(part, _SPECIAL.sub(r"\\\g<0>", part))
            continue
        previous = parts[index - 1] if index else ""
        following = parts[index + 1] if index + 1 < len(parts) else ""
        quoted = isinstance(previous, str) and previous.endswith('"') and isinstance(following, str) and following.startswith('"')
        body = part.own or (inside_quotes if quoted else _up_to(part, following))
        kept = part.key not in seen
        seen.add(part.key)
        yield Piece(part.shown, f"({body})" if kept else f"(?:{body})", (part.key,) if kept else ())


def check_neighbours(parts: Sequence[Value | str], file: str) -> None:
    """UsageError when a value follows another one at once and nothing tells where it begins."""
    for left, right in pairwise(parts):
        if isinstance(left, Value) and isinstance(right, Value) and not (right.first or left.own or right.own):
            raise UsageError(
                f"`{left.shown}{right.shown}` cannot be told apart: nothing stands between them",
                hint=f"put a space or a quote between them in {file}",
            )


def _up_to(value: Value, following: Value | str) -> str:
    if not following:
        return ".*"
    if isinstance(following, Value):
        return f"[^{_in_class(following.first)}]*" if following.first else ".*?"
    return ".*?" if value.free else f"[^{_in_class(following[0])}]*"


def _in_class(character: str) -> str:
    return f"\\{character}" if character in "\\]^-" else {"\t": r"\t", "\n": r"\n"}.get(character, character)


def _shown(text: bytes, *, tail: bool = False) -> str:
    shown = text.decode("utf-8", "backslashreplace")
    if len(shown) <= SHOWN:
        return shown
    return f"…{shown[-SHOWN:]}" if tail else f"{shown[:SHOWN]}…"

"""Fields from pairs of key and value: `a:1<TAB>b:2`."""

from dataclasses import dataclass

from tailrace.batch.twin.policy import Parsed
from tailrace.batch.twin.table import Keys, Span, Spans, Values

MAX_NUMBERED = 256
"""Keys of one kind that a number completes. The last of them holds all the rest, lest a line of delimiters cost many times its size."""


@dataclass(slots=True)
class Pair:
    """What stands between two delimiters, as places in the value."""

    key: Span | None
    """(begin, end); None without a separator."""
    begin: int
    end: int
    next: int
    """Where it ends, quotes included."""


@dataclass(frozen=True, slots=True)
class Shape:
    delimiter: bytes
    separator: bytes
    quote: bytes | None
    empty_key: bytes
    no_separator_key: bytes | None
    note_empty: bool
    note_loose: bool


class KeyValueParser:
    def __init__(self, shape: Shape) -> None:
        if not shape.delimiter or not shape.separator or shape.quote == b"":
            raise ValueError("delimiter, separator and quote have at least one byte")
        self._shape = shape
        self.partial: list[int] = []

    def parse(self, values: list[bytes]) -> Parsed:
        keys: list[Keys] = []
        found: list[Values | None] = []
        for index, value in enumerate(values):
            names, spans, is_partial = self._pairs(value)
            keys.append(names)
            found.append(tuple([value[begin:end] for begin, end in spans]) if names else None)
            if is_partial and names:
                self.partial.append(index)
        return keys, found

    def spans(self, value: bytes) -> Spans:
        return tuple((begin, end - begin) for begin, end in self._pairs(value)[1])

    def _pairs(self, value: bytes) -> tuple[Keys, list[Span], bool]:
        """The fields' keys, where their values begin and end, and whether a key was empty or missing."""
        shape = self._shape
        keys: list[bytes] = []
        places: list[Span] = []
        at = empty = loose = 0
        is_partial = False
        while at < len(value):
            pair = self._pair(value, at)
            if pair.next == at:
                at += len(self._shape.delimiter)
                continue
            at = pair.next + len(self._shape.delimiter)
            key = value[slice(*pair.key)] if pair.key else b""
            if pair.key is None:
                is_partial |= shape.note_loose
                if shape.no_separator_key is None:
                    continue
                key, loose = b"%s%d" % (shape.no_separator_key, loose), loose + 1
            elif not key:
                is_partial |= shape.note_empty
                key, empty = b"%s%d" % (shape.empty_key, empty), empty + 1
            if MAX_NUMBERED in (empty, loose):
                pair.end = at = len(value)
            keys.append(key)
            places.append((pair.begin, pair.end))
        return tuple(keys), places, is_partial

    def _pair(self, value: bytes, at: int) -> Pair:
        quoted = self._quoted(value, at)
        if quoted:
            return Pair(None, *quoted)
        end = value.find(self._shape.delimiter, at)
        end = len(value) if end < 0 else end
        middle = value.find(self._shape.separator, at, end)
        if middle < 0:
            return Pair(None, at, end, end)
        begin = middle + len(self._shape.separator)
        return Pair((at, middle), *(self._quoted(value, begin) or (begin, end, end)))

    def _quoted(self, value: bytes, at: int) -> tuple[int, int, int] | None:
        """The inside of the quotes at `at`, and where they end: before a delimiter, or with the value. A quote behind a backslash closes
        nothing."""
        quote = self._shape.quote
        if quote is None or not value.startswith(quote, at):
            return None
        begin = at + len(quote)
        close = value.find(quote, begin)
        while close >= 0:
            inside = value[begin:close]
            if (len(inside) - len(inside.rstrip(b"\\"))) % 2 == 0:
                end = close + len(quote)
                closes = end == len(value) or value.startswith(self._shape.delimiter, end)
                return (begin, close, end) if closes else None
            close = value.find(quote, close + 1)
        return None

"""Fields between separators, with or without quotes."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from tailrace.batch.twin.policy import Parsed
from tailrace.batch.twin.table import Keys, Span, Spans, Values

Overflow: TypeAlias = Literal["extend", "keep", "discard"]
MAX_EXTRA = 256
"""Surplus fields that get a key of their own. The last one holds all the rest, lest a line of separators cost many times its size."""

Cut: TypeAlias = tuple[int, int, bool]
"""Where a field begins and ends (quotes outside), and whether doubled quotes in it have to be taken together."""


class DelimiterParser:
    def __init__(
        self,
        separator: bytes,
        keys: Sequence[bytes],
        *,
        quote: bytes | None,
        trim: bool,
        allow_short: bool,
        overflow: Overflow,
        surplus: bytes | None,
    ) -> None:
        if not separator:
            raise ValueError("a separator has at least one byte")
        if quote is not None and (len(quote) != 1 or len(separator) != 1 or quote == separator):
            raise ValueError("a quote is one byte, goes with a separator of one byte, and differs from it")
        if trim and quote is None:
            raise ValueError("`trim` goes with a quote")
        if overflow not in ("extend", "keep", "discard"):
            raise ValueError(f"`{overflow}` is no way to treat surplus fields: use extend, keep or discard")
        self._separator = separator
        self._quote = quote
        self._blanks = b" \t".replace(separator, b"") if trim else b""
        self._keys: Keys = tuple(keys)
        self._allow_short = allow_short
        self._overflow: Overflow = overflow
        self._surplus = surplus
        self._named: dict[int, Keys] = {}
        self.partial: list[int] = []

    def parse(self, values: list[bytes]) -> Parsed:
        found = [self._parse_plain(value) if self._is_plain(value) else self._parse_quoted(value) for value in values]
        self.partial = [
            index
            for index, (value, fields) in enumerate(zip(values, found, strict=True))
            if fields is not None and (len(fields) < len(self._keys) or (self._overflow == "discard" and self._has_more(value)))
        ]
        return [() if fields is None else self._names(len(fields)) for fields in found], found

    def spans(self, value: bytes) -> Spans:
        cuts = self._cuts(value)
        return () if cuts is None else tuple(_span_of(cut) for cut in cuts)

    def _names(self, count: int) -> Keys:
        """The keys of a row with `count` fields."""
        if count not in self._named:
            extra = tuple(map(self._surplus_name, range(count - len(self._keys))))
            self._named[count] = (self._keys + extra)[:count]
        return self._named[count]

    def _is_plain(self, value: bytes) -> bool:
        return self._quote is None or (self._quote not in value and not self._blanks)

    def _surplus_name(self, index: int) -> bytes:
        if self._surplus is None:
            return b"__column%d__" % index
        return self._surplus if self._overflow == "keep" else b"%s%d" % (self._surplus, index + 1)

    def _has_more(self, value: bytes) -> bool:
        """Whether a value that parses has more fields than keys."""
        if self._quote is None:
            return value.count(self._separator) >= len(self._keys)
        at = 0
        for _ in self._keys:
            cut = self._cut(value, at)
            if cut is None:
                return False
            _, at = cut
        return at <= len(value)

    def _parse_plain(self, value: bytes) -> Values | None:
        wanted = len(self._keys)
        fields = value.split(self._separator, self._most_cuts())
        if self._overflow == "discard":
            del fields[wanted:]
        return tuple(fields) if self._allow_short or len(fields) >= wanted else None

    def _most_cuts(self) -> int:
        """Fields that are told apart; what comes after them is one piece, as written."""
        return len(self._keys) + (MAX_EXTRA - 1 if self._overflow == "extend" else 0)

    def _parse_quoted(self, value: bytes) -> Values | None:
        cuts = self._cuts(value)
        if cuts is None:
            return None
        quote = self._quote or b""
        return tuple(value[begin:end].replace(quote * 2, quote) if doubled else value[begin:end] for begin, end, doubled in cuts)

    def _cuts(self, value: bytes) -> list[Cut] | None:
        """Where the fields of a row lie, None when the value does not parse."""
        cuts: list[Cut] = []
        at, most = 0, self._most_cuts()
        while at <= len(value) and len(cuts) < most:
            cut = self._cut(value, at)
            if cut is None:
                return None
            field, at = cut
            cuts.append(field)
        if len(cuts) < len(self._keys) and not self._allow_short:
            return None
        if at <= len(value) and self._overflow != "discard":
            cuts.append((at, len(value), False))
        return cuts

    def _cut(self, value: bytes, at: int) -> tuple[Cut, int] | None:
        """The field at `at`, and where the next one begins: beyond the end when there is none."""
        while at < len(value) and value[at] in self._blanks:
            at += 1
        if self._quote is None or not value.startswith(self._quote, at):
            end = value.find(self._separator, at)
            return ((at, len(value), False), len(value) + 1) if end < 0 else ((at, end, False), end + len(self._separator))
        begin = at + 1
        end, doubled = value.find(self._quote, begin), False
        while end >= 0 and value.startswith(self._quote, end + 1):
            end, doubled = value.find(self._quote, end + 2), True
        if end < 0:
            return None
        if end + 1 < len(value) and not value.startswith(self._separator, end + 1):
            return None
        return (begin, end, doubled), end + 2


def _span_of(cut: Cut) -> Span | None:
    begin, end, doubled = cut
    return None if doubled else (begin, end - begin)

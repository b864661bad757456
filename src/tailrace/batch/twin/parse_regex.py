"""Fields by a pattern that matches the whole value."""

from collections.abc import Sequence
from itertools import compress, repeat

from tailrace.batch.twin.pattern import Pattern
from tailrace.batch.twin.policy import Parsed
from tailrace.batch.twin.table import Keys, Spans, Values


class RegexParser:
    """Group i goes to `keys[i]`; a group that took no part gives an empty value, or with `omit_empty` no field, like one that is empty."""

    partial = ()

    def __init__(self, pattern: Pattern, keys: Sequence[bytes], *, omit_empty: bool = False) -> None:
        if len(keys) != pattern.groups:
            raise ValueError(f"the pattern has {pattern.groups} groups, but {len(keys)} keys are given")
        self._pattern = pattern.compiled
        self._keys: Keys = tuple(keys)
        self._omit_empty = omit_empty

    def parse(self, values: list[bytes]) -> Parsed:
        matches = map(self._pattern.fullmatch, values)
        found: list[Values | None] = [None if match is None else match.groups(b"") for match in matches]
        if not self._omit_empty:
            return list(repeat(self._keys, len(values))), found
        keys = [tuple(compress(self._keys, groups or ())) for groups in found]
        return keys, [None if groups is None else tuple(filter(None, groups)) for groups in found]

    def spans(self, value: bytes) -> Spans:
        match = self._pattern.fullmatch(value)
        if match is None:
            return ()
        spans = (None if begin < 0 else (begin, end - begin) for begin, end in match.regs[1:])
        return tuple(span for span in spans if not self._omit_empty or (span and span[1]))

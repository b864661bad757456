"""Fields by a pattern that matches the whole value."""

from collections.abc import Sequence
from itertools import repeat

from tailrace.batch.twin.pattern import Pattern
from tailrace.batch.twin.policy import Parsed
from tailrace.batch.twin.table import Keys, Spans


class RegexParser:
    """Group i goes to `keys[i]`; a group that took no part gives an empty value."""

    def __init__(self, pattern: Pattern, keys: Sequence[bytes]) -> None:
        if len(keys) != pattern.groups:
            raise ValueError(f"the pattern has {pattern.groups} groups, but {len(keys)} keys are given")
        self._pattern = pattern.compiled
        self._keys: Keys = tuple(keys)

    def parse(self, values: list[bytes]) -> Parsed:
        matches = map(self._pattern.fullmatch, values)
        return list(repeat(self._keys, len(values))), [None if match is None else match.groups(b"") for match in matches]

    def spans(self, value: bytes) -> Spans:
        match = self._pattern.fullmatch(value)
        if match is None:
            return ()
        return tuple(None if begin < 0 else (begin, end - begin) for begin, end in match.regs[1:])

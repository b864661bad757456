"""A field for each leaf of a JSON object: the key tells the way there."""

from collections.abc import Iterator

from tailrace.batch.twin.json_text import MAX_NESTING, elements, members, unescape
from tailrace.batch.twin.policy import Parsed
from tailrace.batch.twin.table import Keys, Span, Spans, Values

KEYS_PER_BYTE = 16
KEYS_AT_LEAST = 65_536
"""Bytes that the keys of one value may have together: so many times the value's own, and so many more."""

Slice = tuple[int, int]
Leaf = tuple[bytes, Slice]


class LeafParser:
    partial = ()

    def __init__(self, *, root: bytes, connector: bytes, depth: int, arrays: bool) -> None:
        self._root = root
        self._connector = connector
        self._depth = depth
        self._arrays = arrays
        self._shapes: dict[Keys, Keys] = {}

    def parse(self, values: list[bytes]) -> Parsed:
        keys: list[Keys] = []
        found: list[Values | None] = []
        for value in values:
            leaves = self._leaves(value)
            fields = {key: _field(value, at) for key, at in leaves or ()}
            names = tuple(fields)
            keys.append(self._shapes.setdefault(names, names))
            found.append(None if leaves is None else tuple(fields.values()))
        return keys, found

    def spans(self, value: bytes) -> Spans:
        return tuple(_span(value, at) for at in dict(self._leaves(value) or ()).values())

    def _leaves(self, value: bytes) -> list[Leaf] | None:
        """Keys, and the slices of their values as written; None when the value is no object, or its keys are too long."""
        if members(value) is None:
            return None
        leaves: list[Leaf] = []
        budget = len(value) * KEYS_PER_BYTE + KEYS_AT_LEAST
        for key, at in self._walk(value):
            budget -= len(key)
            if budget < 0:
                return None
            leaves.append((key, at))
        return leaves

    def _walk(self, value: bytes) -> Iterator[Leaf]:
        """Without recursion: nesting is bounded by a number, not by the stack."""
        open_members = [self._members(value, (0, len(value)), self._root, 1)]
        while open_members:
            entered = next(open_members[-1], None)
            if entered is None:
                open_members.pop()
                continue
            key, at, objects, in_array = entered
            if len(open_members) >= MAX_NESTING or not self._is_opened(value, at, objects, in_array=in_array):
                yield key, at
            elif value[at[0]] == ord("["):
                open_members.append(self._elements(value, at, key, objects))
            else:
                open_members.append(self._members(value, at, key + self._connector, objects + 1))

    def _is_opened(self, value: bytes, at: Slice, objects: int, *, in_array: bool) -> bool:
        bracket = value[at[0]]
        wanted = bracket == ord("{") or (bracket == ord("[") and self._arrays and not in_array)
        # An empty one has no members: it is a leaf, lest it vanish.
        return wanted and (self._depth == 0 or objects < self._depth) and bool(value[at[0] + 1 : at[1] - 1].strip(b" \t\n\r"))

    def _members(self, value: bytes, at: Slice, prefix: bytes, objects: int) -> Iterator[tuple[bytes, Slice, int, bool]]:
        begin = at[0]
        for (name_from, name_to), (value_from, value_to) in members(value[slice(*at)]) or ():
            name = value[begin + name_from : begin + name_to]
            key = prefix + (unescape(name) if b"\\" in name else name)
            yield key, (begin + value_from, begin + value_to), objects, False

    def _elements(self, value: bytes, at: Slice, prefix: bytes, objects: int) -> Iterator[tuple[bytes, Slice, int, bool]]:
        begin = at[0]
        for index, (value_from, value_to) in enumerate(elements(value[slice(*at)])):
            yield prefix + b"[%d]" % index, (begin + value_from, begin + value_to), objects, True


def _field(text: bytes, at: Slice) -> bytes:
    """A string's content; any other value as it is written."""
    written = text[slice(*at)]
    if not written.startswith(b'"'):
        return written
    return unescape(written[1:-1]) if b"\\" in written else written[1:-1]


def _span(text: bytes, at: Slice) -> Span | None:
    begin, end = at
    if text[begin] != ord('"'):
        return begin, end - begin
    return None if text.find(b"\\", begin, end) >= 0 else (begin + 1, end - begin - 2)

"""Parsing a field of every row into new fields: the policy that regex, JSON and delimiter parsing share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from tailrace.batch.twin.table import Keys, Move, Span, Spans, Table, Values, move_of

RAW_LOG = b"__raw_log__"
SAMPLE_SIZE = 1024


@dataclass(slots=True)
class Failures:
    """See the contract."""

    rows: list[int] = field(default_factory=list[int])
    sample: bytes = b""
    removed: int = 0
    partial: int = 0
    partial_sample: bytes = b""

    @property
    def count(self) -> int:
        return len(self.rows)

    def note(self, row: int, value: bytes) -> None:
        if not self.rows:
            self.sample = value[:SAMPLE_SIZE]
        self.rows.append(row)

    def note_partial(self, values: Sequence[bytes]) -> None:
        self.partial = len(values)
        self.partial_sample = values[0][:SAMPLE_SIZE] if values else b""


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of the source field."""

    source: bytes
    keep_on_success: bool = False
    keep_on_fail: bool = True
    renamed: bytes | None = None
    copy_raw: bool = False


Parsed: TypeAlias = tuple[Sequence[Keys], Sequence[Values | None]]
"""Per value its keys and values; None for a value that does not parse."""


class Parser(Protocol):
    @property
    def partial(self) -> Sequence[int]:
        """Of the values last parsed those that parsed with something missing."""
        ...

    def parse(self, values: list[bytes]) -> Parsed: ...
    def spans(self, value: bytes) -> Spans:
        """Where in `value`, which parses, its fields lie."""
        ...


def apply(table: Table, parser: Parser, policy: Policy) -> Failures:
    """Parse `policy.source` of every row that has it, as the contract says."""
    places = _places(table, policy.source)
    sources = [table.values[row][place] for row, place in enumerate(places) if place is not None]
    parsed = parser.parse(sources)
    is_alone = table.is_uniform() and bool(table.keys) and table.keys[0] == (policy.source,) and not policy.keep_on_success
    replaced = is_alone and _replace_all(table, parser, policy.source, parsed)
    failures = Failures() if replaced else _merge_all(table, parser, policy, places, parsed)
    failures.note_partial([sources[index] for index in parser.partial])
    return failures


def _replace_all(table: Table, parser: Parser, source: bytes, parsed: Parsed) -> bool:
    """The common case: rows hold nothing but the source and all of them parse, so that what is found is the new row."""
    shapes, found = parsed
    rows = [values for values in found if values is not None]
    if len(rows) < len(table) or any(source in keys or len(set(keys)) < len(keys) for keys in set(shapes)):
        return False
    counts, before, block = list(map(len, rows)), table.spans, table.block
    table.keys, table.values = list(shapes), rows
    table.spans = lambda: [_found_spans(block, spans[0], count, parser) for spans, count in zip(before(), counts, strict=True)]
    return True


def _merge_all(table: Table, parser: Parser, policy: Policy, places: list[int | None], parsed: Parsed) -> Failures:
    owners = ((row, place) for row, place in enumerate(places) if place is not None)
    failures = Failures()
    shapes: dict[tuple[Keys, Keys | None], Move] = {}
    moves: list[Move | None] = [None] * len(table)
    added: list[Values] = [()] * len(table)
    for (row, place), keys, values in zip(owners, *parsed, strict=True):
        if values is None:
            failures.note(row, table.values[row][place])
        else:
            added[row] = values
        shape = (table.keys[row], None if values is None else keys)
        move = shapes.get(shape)
        if move is None:
            move = shapes[shape] = _failed(shape[0], policy) if values is None else _merged(shape[0], keys, policy)
        moves[row] = move
    before = table.spans
    table.move(moves, added)
    counts = list(map(len, added))
    block = table.block
    table.spans = lambda: _moved_spans(before(), places, moves, counts, lambda span, count: _found_spans(block, span, count, parser))
    _remove_empty(table, failures)
    return failures


def _places(table: Table, source: bytes) -> list[int | None]:
    """Where each row has the source field."""
    if table.keys and table.is_uniform():
        keys = table.keys[0]
        return [keys.index(source) if source in keys else None] * len(table)
    known = {keys: keys.index(source) if source in keys else None for keys in set(table.keys)}
    return [known[keys] for keys in table.keys]


def _remove_empty(table: Table, failures: Failures) -> None:
    """Failed rows of which nothing is kept go."""
    gone = {row for row in failures.rows if not table.values[row]}
    if gone:
        failures.removed = len(gone)
        table.keep([row not in gone for row in range(len(table))])


def _moved_spans(
    before: list[Spans],
    places: list[int | None],
    moves: list[Move | None],
    counts: list[int],
    found: Callable[[Span | None, int], Spans],
) -> list[Spans]:
    after: list[Spans] = []
    for spans, place, move, count in zip(before, places, moves, counts, strict=True):
        if move is None or place is None:
            after.append(spans)
        else:
            after.append(move.take(spans + found(spans[place], count) if count else spans))
    return after


def _found_spans(block: bytes, source: Span | None, count: int, parser: Parser) -> Spans:
    """Spans of the parsed fields; none of them where the source itself had been rewritten."""
    if source is None:
        return (None,) * count
    at, size = source
    return tuple(span and (at + span[0], span[1]) for span in parser.spans(block[at : at + size]))


def _merged(old: Keys, found: Keys, policy: Policy) -> Move:
    """The parsed fields are set one after another; then the source goes, or is renamed."""
    source_at = old.index(policy.source)
    fields = [(key, index) for index, key in enumerate(old)]
    for index, key in enumerate(found, len(old)):
        _set(fields, key, index)
    kept_key = policy.renamed if policy.renamed is not None else policy.source
    if policy.source not in found:
        if not policy.keep_on_success:
            del fields[source_at]
        elif policy.renamed is not None:
            fields = _renamed(fields, source_at, policy.renamed)
    elif policy.keep_on_success and kept_key != policy.source:
        _set(fields, kept_key, source_at)
    return move_of(fields)


def _failed(old: Keys, policy: Policy) -> Move:
    """The source goes, or is renamed; then `__raw_log__` is set."""
    source_at = old.index(policy.source)
    fields = [(key, index) for index, key in enumerate(old)]
    if not policy.keep_on_fail:
        del fields[source_at]
    elif policy.renamed is not None:
        fields = _renamed(fields, source_at, policy.renamed)
    if policy.copy_raw:
        _set(fields, RAW_LOG, source_at)
    return move_of(fields)


def _set(fields: list[tuple[bytes, int]], key: bytes, index: int) -> None:
    """In place when the row has the key (the first of it), else at the end."""
    for place, (name, _) in enumerate(fields):
        if name == key:
            fields[place] = (key, index)
            return
    fields.append((key, index))


def _renamed(fields: list[tuple[bytes, int]], at: int, name: bytes) -> list[tuple[bytes, int]]:
    """The field at `at` gets another name; other fields of that name go."""
    return [(name, index) if place == at else (key, index) for place, (key, index) in enumerate(fields) if place == at or key != name]

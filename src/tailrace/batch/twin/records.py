"""Records of several lines: what one is, and where it ends. The contract (`RecordRule`) says what each combination of patterns means."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Protocol

from tailrace.batch.twin.objects import Objects
from tailrace.batch.twin.pattern import Pattern
from tailrace.batch.twin.record_parts import BETWEEN, MID_LINE, OPEN, OUTSIDE, Part, lines_of, without_return
from tailrace.batch.twin.table import Origin, Table, one_column

EXTENDS, BEGINS, ENDS, ALONE, UNMATCHED, ABORTS = range(6)
"""What a line does to the record at work: it belongs to it; begins one, so that one at work ended before it; is its last; is one by
itself; belongs to none; shows that neither it nor the lines at work are a record."""

COMBINATIONS = {(True, False, False), (True, True, False), (True, False, True), (False, True, True), (False, False, True)}


class Rule(Protocol):
    def parts(self, block: bytes) -> Iterator[Part]: ...
    def end(self, block: bytes) -> int: ...
    def rest(self, block: bytes, state: int, begun: bytes, *, last: bool) -> int | None: ...
    def state(self, block: bytes, state: int, begun: bytes) -> int: ...


class Patterns:
    """Records by patterns that their lines begin with."""

    def __init__(self, start: Pattern | None, more: Pattern | None, end: Pattern | None, limit: int | None) -> None:
        if (start is not None, more is not None, end is not None) not in COMBINATIONS:
            raise ValueError("records are told apart by start, start and more, start and end, more and end, or end")
        self._start, self._more, self._end = start, more, end
        self._limit = limit
        self._may_end_at_once = start is None or end is None or start.pattern != end.pattern

    def step(self, line: bytes, *, is_open: bool) -> int:
        return self._within(line) if is_open else self._between(line)

    def _within(self, line: bytes) -> int:
        if self._more is not None and self._more.prefix_match(line):
            return EXTENDS
        if self._end is not None:
            if self._end.prefix_match(line):
                return ENDS
            return EXTENDS if self._more is None else ABORTS
        if self._start is not None and self._start.prefix_match(line):
            return BEGINS
        return EXTENDS if self._more is None else UNMATCHED

    def _between(self, line: bytes) -> int:
        if self._start is not None:
            if not self._start.prefix_match(line):
                return UNMATCHED
            ends = self._may_end_at_once and self._end is not None and self._end.prefix_match(line)
            return ALONE if ends else BEGINS
        if self._more is not None and self._more.prefix_match(line):
            return BEGINS
        if self._end is not None and self._end.prefix_match(line):
            return ALONE
        return UNMATCHED if self._more is not None else BEGINS

    def parts(self, block: bytes) -> Iterator[Part]:
        if self._start is not None and self._more is None and self._end is None:
            return _between_starts(block, self._start)
        return self._parts_step_by_step(block)

    def _parts_step_by_step(self, block: bytes) -> Iterator[Part]:
        at_work: list[Part] = []
        for line in lines_of(block):
            step = self.step(block[line.begin : line.end].removesuffix(b"\r"), is_open=bool(at_work))
            closes = step in (BEGINS, ALONE, UNMATCHED) or (step == ABORTS and self._is_too_long(block, at_work))
            if closes and at_work:
                yield _joined(at_work)
                at_work = []
            at_work.append(line)
            if step in (ENDS, ALONE):
                yield _joined(at_work)
                at_work = []
            elif step in (UNMATCHED, ABORTS):
                yield from (one.unmatched() for one in at_work)
                at_work = []
        if at_work:
            yield _joined(at_work)

    def _is_too_long(self, block: bytes, lines: list[Part]) -> bool:
        return self._limit is not None and len(without_return(block, _joined(lines))) > self._limit

    def end(self, block: bytes) -> int:
        if self._start is not None and self._more is None and self._end is None:
            return _last_start(block, self._start)
        whole, is_open = 0, False
        for line in lines_of(block):
            if line.next == line.end:
                break
            step = self.step(block[line.begin : line.end].removesuffix(b"\r"), is_open=is_open)
            if step == BEGINS:
                whole = line.begin
            elif step != EXTENDS:
                whole = line.next
            is_open = step in (BEGINS, EXTENDS)
        return whole

    def rest(self, block: bytes, state: int, begun: bytes, *, last: bool) -> int | None:
        position = 0
        if state != OPEN:
            position = block.find(b"\n") + 1
            if not position:
                return None
            if not self._goes_on_after(state, begun + block[: position - 1]):
                return position
        for line in lines_of(block, position):
            if line.next == line.end and not last:
                return None
            step = self.step(block[line.begin : line.end].removesuffix(b"\r"), is_open=True)
            if step == ENDS:
                return line.next
            if step != EXTENDS:
                return line.begin
        return None

    def state(self, block: bytes, state: int, begun: bytes) -> int:
        is_open = state in (OPEN, MID_LINE)
        position = 0
        if state in (OUTSIDE, MID_LINE):
            newline = block.find(b"\n")
            if newline < 0:
                return MID_LINE if is_open or self._goes_on_after(state, begun + block) else OUTSIDE
            is_open = self._goes_on_after(state, begun + block[:newline])
            position = newline + 1
        for line in lines_of(block, position):
            step = self.step(block[line.begin : line.end].removesuffix(b"\r"), is_open=is_open)
            if line.next == line.end:  # the rest of this line is looked at once it is known where the line ends
                return OUTSIDE if step in (UNMATCHED, ABORTS) else MID_LINE
            is_open = step in (BEGINS, EXTENDS)
        return OPEN if is_open else BETWEEN

    def _goes_on_after(self, state: int, line: bytes) -> bool:
        """Whether a record is at work behind a line that came in two parts: one that was open, or that begins with this line."""
        line = line.removesuffix(b"\r")
        if state == MID_LINE:
            return self._end is None or not self._end.prefix_match(line)
        return self._between(line) == BEGINS


def _between_starts(block: bytes, start: Pattern) -> Iterator[Part]:
    """The parts where only `start` counts, without a step per line."""
    lines = block.split(b"\n")
    positions = list(accumulate((len(line) + 1 for line in lines), initial=0))
    if not lines[-1]:
        del lines[-1]
    seen = [line.removesuffix(b"\r") for line in lines] if b"\r" in block else lines
    begins = [index for index, match in enumerate(map(start.compiled.match, seen)) if match is not None]
    size = len(block)
    for index in range(begins[0] if begins else len(lines)):
        yield Part(positions[index], positions[index + 1] - 1, min(positions[index + 1], size), is_record=False)
    for begin, end in pairwise([*begins, len(lines)]):
        yield Part(positions[begin], positions[end] - 1, min(positions[end], size))


def _last_start(block: bytes, start: Pattern) -> int:
    """Backwards over the whole lines: one that still grows may yet turn out to begin no record."""
    newline = last = block.rfind(b"\n")
    while newline >= 0:
        before = block.rfind(b"\n", 0, newline)
        if start.prefix_match(block[before + 1 : newline].removesuffix(b"\r")):
            return before + 1
        newline = before
    return last + 1


def _joined(parts: list[Part]) -> Part:
    return Part(parts[0].begin, parts[-1].end, parts[-1].next)


class RecordRule:
    """See the contract."""

    __slots__ = ("rule",)

    def __init__(
        self, start: Pattern | None = None, more: Pattern | None = None, end: Pattern | None = None, *, limit: int | None = None
    ) -> None:
        self.rule: Rule = Patterns(start, more, end, limit)

    @staticmethod
    def objects() -> "RecordRule":
        made = RecordRule.__new__(RecordRule)
        made.rule = Objects()
        return made

    def rest(self, block: bytes, state: int, *, begun: bytes = b"", last: bool = False) -> int | None:
        return self.rule.rest(block, state, begun, last=last) if state else 0

    def state(self, block: bytes, state: int = 0, *, begun: bytes = b"") -> int:
        return self.rule.state(block, state, begun) if block else state


def split_records(block: bytes, rule: RecordRule, origin: Origin, *, discard_unmatched: bool) -> tuple[Table, int]:
    """The table, and how many pieces between records were discarded."""
    parts = list(rule.rule.parts(block))
    kept = [part for part in parts if part.is_record] if discard_unmatched else parts
    values = [without_return(block, part) for part in kept]
    table = one_column(block, origin, values, [part.begin for part in kept], [part.next - part.begin for part in kept])
    return table, len(parts) - len(kept)


def record_end(block: bytes, rule: RecordRule | None) -> int:
    """See the contract."""
    return block.rfind(b"\n") + 1 if rule is None else rule.rule.end(block)

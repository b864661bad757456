"""A search for events that one look cannot end in its time: slice by slice of the range, from the first event of the answer on, so that
what came out when the time is over is the beginning of the answer.

Where such a search stood is remembered for some minutes. The same search goes on from there: clients of Log Service repeat what is
`Incomplete` until it is not.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Protocol

from tailrace.server.query.portions import PORTION_BYTES
from tailrace.server.query.window import Window
from tailrace.server.store.port import Rows

_FIRST = 256
"""Part of the range that the first slice is. Nobody knows yet how the events lie in it."""
_NARROWER, _WIDER = 16, 4
_LEAST_SECS = 0.25
_TOO_LITTLE_SECS = 0.05
"""What is left of the time then is not worth a question."""
REMEMBERED, REMEMBERED_BYTES, REMEMBERED_SECS = 32, 64 << 20, 300.0
"""Of all walks together. One alone holds less: its answer is full before (`PORTION_BYTES`)."""


class Question(Protocol):
    """What is searched for, within one window."""

    async def count(self, window: Window, seconds: float) -> Rows:
        """How many events match, as the only cell."""
        ...

    async def events(self, window: Window, offset: int, line: int, seconds: float) -> tuple[Rows, int]:
        """Those after the first `offset`, in the order of the answer; and how many of them were asked for, `line` at most."""
        ...


@dataclass
class Walk:
    """Through one window, for `line` events after the first `offset`. `found` is the beginning of the answer."""

    window: Window
    offset: int
    line: int
    reverse: bool
    found: Rows = field(default_factory=lambda: Rows([], [], [], partial=True))
    _edge: int = field(init=False)
    """All before it, in the order of the answer, has been read."""
    _width: int = field(init=False)
    """Of the next piece: what was learned of how the events lie is kept with the walk."""

    def __post_init__(self) -> None:
        self._edge = self.window.end if self.reverse else self.window.start
        self._width = max(1, (self.window.end - self.window.start) // _FIRST)

    @property
    def passed(self) -> int:
        """How much of the window has been read."""
        return self.window.end - self._edge if self.reverse else self._edge - self.window.start

    async def go_on(self, question: Question, seconds: float, read_rows: int = 0) -> None:
        """As far as it comes within so many seconds, and so many events read where that is no 0."""
        began, most, before = time.monotonic(), max(_LEAST_SECS, seconds / 4), self.found.read_rows
        while self.found.partial and (left := began + seconds - time.monotonic()) > _TOO_LITTLE_SECS:
            started, is_least = time.monotonic(), self._width == 1
            is_read = await self._step(question, left if is_least else min(left, most))
            if not is_read and is_least:
                break
            if not is_read:
                self._width = max(1, self._width // _NARROWER)
            elif time.monotonic() - started < most / 8:
                self._width *= _WIDER
            if 0 < read_rows <= self.found.read_rows - before:
                break
        self.found = replace(self.found, elapsed=time.monotonic() - began)

    async def _step(self, question: Question, seconds: float) -> bool:
        """Over the next piece. Whether its time was enough."""
        piece = self._piece()
        if self.offset:
            counted = await question.count(piece, seconds)
            matching = int(str(counted.rows[0][0])) if counted.rows else 0
            if counted.partial or matching <= self.offset:
                self._add(replace(counted, rows=[], size=0))
                return not counted.partial and self._pass(piece, matching)
        rows, asked = await question.events(piece, self.offset, self.line - len(self.found.rows), seconds)
        self._add(replace(rows, rows=[], size=0) if rows.partial else rows)
        if rows.partial:
            return False
        is_full = len(rows.rows) >= asked or self.found.size > PORTION_BYTES
        self.found = replace(self.found, partial=not is_full)
        return self._pass(piece, self.offset)

    def _pass(self, piece: Window, matching: int) -> bool:
        self.offset -= matching
        self._edge = piece.start if self.reverse else piece.end
        if self.passed == self.window.end - self.window.start:
            self.found = replace(self.found, partial=False)
        return True

    def _piece(self) -> Window:
        if self.reverse:
            return replace(self.window, start=max(self.window.start, self._edge - self._width), end=self._edge)
        return replace(self.window, start=self._edge, end=min(self.window.end, self._edge + self._width))

    def _add(self, rows: Rows) -> None:
        self.found = replace(
            self.found,
            rows=[*self.found.rows, *rows.rows],
            read_rows=self.found.read_rows + rows.read_rows,
            read_bytes=self.found.read_bytes + rows.read_bytes,
            size=self.found.size + rows.size,
        )


class Unfinished:
    """The walks that are not over, by what was asked."""

    def __init__(self) -> None:
        self._walks: OrderedDict[Hashable, tuple[float, Walk]] = OrderedDict()

    def take(self, asked: Hashable) -> Walk | None:
        """It is whoever asks that goes on with it: nobody else finds it meanwhile."""
        stood_at, walk = self._walks.pop(asked, (0.0, None))
        return walk if time.monotonic() - stood_at < REMEMBERED_SECS else None

    def keep(self, asked: Hashable, walk: Walk) -> None:
        """Of two that were asked the same at once, the one that came further."""
        if not walk.found.partial:
            return
        other = self.take(asked)
        self._walks[asked] = time.monotonic(), other if other is not None and other.passed > walk.passed else walk
        while len(self._walks) > REMEMBERED or sum(each.found.size for _, each in self._walks.values()) > REMEMBERED_BYTES:
            self._walks.popitem(last=False)

"""More files than the agent may hold open: those that are read to their end are closed, the longest quiet ones first, for those that wait.

A closed file is opened again when it changes; one that was rotated away and is closed is looked at in each walk. What must not be closed
stays open: files that are read, that hold half a line, that lie in a copy, or that have no name any more. While there are only such ones,
the others wait; nothing of them is lost as long as they are there.
"""

import os
import time
from collections.abc import Iterator
from typing import TypeAlias

from tailrace.inputs.file.files import Files
from tailrace.inputs.file.generation import Generation
from tailrace.pipeline.contract import InputContext

Waiting: TypeAlias = Generation | tuple[str, str]
"""A known file that is closed and has changed, or directory and name of one that is not taken up yet."""

AT_ONCE = 64
"""So many of those that wait get their turn before it is seen what became of them."""
CLOSED_SHARE = 8
"""Of the open files this part is closed at once: looking for them takes a while."""
GIVEN_SHARE = 2
"""The part that is closed when files of other inputs wait."""
TRY_SECS = 1.0
"""So often it is tried whether others have let go of handles."""
KIND = "OPEN_FILE_LIMIT_ALARM"


class Handles:
    """Those of one `input_file`. Its thread uses it, between two steps of its work."""

    def __init__(self, files: Files, context: InputContext) -> None:
        self._files = files
        self._context = context
        self._waiting: dict[Waiting, None] = {}
        self._try_at = 0.0
        self.is_moving = False
        """Some of those that wait have just got their turn, and others may get theirs at once."""
        self._told: set[str] = set()
        """Paths with an alarm."""

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, one: Waiting) -> None:
        self._waiting[one] = None
        self._context.bounds.lacking.hold(self, len(self._waiting))

    def room(self) -> bool:
        """Whether another file may be opened. Closes some of them for it."""
        if not self._files.handles.lacking:
            return True
        now = time.monotonic()
        if not self.close_quiet():
            if now < self._try_at:
                return False
            self._try_at = now + TRY_SECS
        self._files.handles.lacking = False
        return True

    def next(self) -> Iterator[Waiting]:
        """Some of those that wait, as far as there is room."""
        self.is_moving = False
        for one in list(self._waiting)[:AT_ONCE]:
            if not self.room():
                self._tell(one)
                break
            del self._waiting[one]
            self.is_moving = True
            yield one
        self._context.bounds.lacking.hold(self, len(self._waiting))
        if not self._waiting:
            for path in self._told:
                self._context.resolved(KIND, path=path)
            self._told.clear()

    def give_way(self) -> None:
        """Close some files when those of other inputs wait."""
        if self._context.bounds.lacking.room(self) < self._context.bounds.lacking.bound:
            self.close_quiet(GIVEN_SHARE)

    def close_quiet(self, share: int = CLOSED_SHARE) -> int:
        """How many could be closed."""
        opened = self._files.open_generations
        most, closed = len(opened) // share + 1, 0
        for generation in sorted(filter(_may_be_closed, opened), key=_order):
            status = os.fstat(generation.descriptor)
            if status.st_nlink and (generation.after is not None or status.st_size == generation.offset):
                generation.close()
                closed += 1
                if closed == most:
                    break
        return closed

    def release(self) -> None:
        self._context.bounds.lacking.release(self)

    def _tell(self, one: Waiting) -> None:
        path = one.path if isinstance(one, Generation) else "/".join(one)
        self._told.add(path)
        message = "too many files are open, and none of them is read to its end; the others wait"
        self._context.alarm(KIND, message, path=path, waiting=len(self._waiting), reason="too many open files")


def _may_be_closed(generation: Generation) -> bool:
    """Whether nothing can be read of a file for now, as far as that shows without looking at it."""
    if generation.queued or generation.followers or generation.leaving_by or generation.in_copy:
        return False
    return generation.after is not None or (generation.drained and not generation.unread)


def _order(generation: Generation) -> tuple[bool, bool, float]:
    """Of those the longest quiet ones first, then what was rotated away, then what waits for another one to be read before it."""
    return generation.after is not None, generation.displaced, generation.grown_at

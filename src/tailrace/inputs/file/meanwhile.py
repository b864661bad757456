"""What is read while a compressed file is unpacked: that may take minutes, and files that only grow must not wait for it."""

import os
import time
from collections.abc import Callable, Iterator

from tailrace.inputs.file.files import Files
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.reader import Reader
from tailrace.pipeline.contract import InputContext

EVERY_SECS = 0.05
FOR_SECS = 0.05
"""So long is unpacked, and so long is read at most, in turn."""


class Meanwhile:
    """For who unpacks, between two steps. The search that it is done for is half done then: nothing but bytes is read here, and what has
    become of a file that does more than grow is seen when that is over."""

    def __init__(self, context: InputContext, files: Files, reader: Reader, wake: Callable[[], None]) -> None:
        self._context, self._files, self._reader, self._wake = context, files, reader, wake
        self._changed: dict[Generation, None] = {}
        self._next_at = 0.0
        self._turn = 0

    def is_due(self) -> bool:
        return not self._files.inspection.is_searching and time.monotonic() >= self._next_at

    def changed(self, path: str) -> None:
        """A file stands there that has changed, as an event tells."""
        if (generation := self._files.known_at(path)) is not None:
            self._changed[generation] = None

    def read(self) -> None:
        """A block of each file that has grown, beginning with another one each time."""
        self._files.inspection.is_searching = True
        try:
            until = time.monotonic() + FOR_SECS
            for generation in [*self._changed, *self._in_turn()]:
                if time.monotonic() > until or not self._context.has_room(self._wake):
                    break
                if not self._read(generation):
                    self._changed.pop(generation, None)
        finally:
            self._files.inspection.is_searching = False
            self._next_at = time.monotonic() + EVERY_SECS

    def _read(self, generation: Generation) -> bool:
        """Whether there may be more of it right now. What is wrong with it is none of the business of who unpacks."""
        try:
            return self._only_grows(generation) and self._reader.read(generation)
        except OSError:
            return False  # whose turn it is says why

    def _in_turn(self) -> Iterator[Generation]:
        """Open files, whose growth no event may tell of."""
        waiting = self._files.open_generations
        for _ in waiting:
            self._turn += 1
            yield waiting[self._turn % len(waiting)]

    def _only_grows(self, generation: Generation) -> bool:
        """OSError."""
        if generation.is_unpacked or generation.ended or generation.after is not None or not generation.offset:
            return False
        if not generation.is_open and (self._files.handles.lacking or not self._files.inspection.open_same(generation)):
            return False  # the last handles are for what the search compares
        return os.fstat(generation.descriptor).st_size > generation.offset and generation.unchanged()

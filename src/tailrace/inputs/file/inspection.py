"""What has become of a known file, as a look into it shows: it was truncated or shortened, it is gone, or it is as it was.

One thread uses it, between looks at names and before each read.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from tailrace.inputs.file.copies import seen
from tailrace.inputs.file.generation import Generation, Sight
from tailrace.inputs.file.registry import HandleState, Registry
from tailrace.inputs.file.reopening import content_at, go_on_where_it_stood
from tailrace.inputs.file.rotation import find_file
from tailrace.inputs.file.succession import Succession
from tailrace.inputs.file.walk import Look, look_at

TELL_SECS = 10.0
"""More often than this the checkpoint is not told of the growth of a file that is not read."""


class Inspection:
    """Looks into the generations of one `input_file`."""

    def __init__(self, table: Registry, succession: Succession, arrived: Callable[[str, Look], object]) -> None:
        """`arrived` takes path and look of a file that turned out to be another one than it was."""
        self._table = table
        self._context = table.context
        self._succession = succession
        self._arrived = arrived
        self.is_searching = False
        """A search among the files is half done: nothing is begun or ended now, what calls for that is looked at afterwards."""

    @property
    def handles(self) -> HandleState:
        return self._table.handles

    # --- looking into it --------------------------------------------------------------------------------------------------------
    def truncated(self, generation: Generation) -> Generation | None:
        """What the reader found: the open file is no longer what was read of it."""
        if self.is_searching:
            self._table.wanted(generation)
            return generation
        return self._succession.truncated(generation, generation.proof, generation.size)

    def came_before(self, generation: Generation) -> bool:
        """Whether something stood at its path after it was last seen, empty, and was copied away before it got what is in it now."""
        return self._succession.missed.came_before(generation)

    def shortened(self, generation: Generation, seen: Sight) -> bool:
        """Only bytes that were `seen` and not read were cut off: the file goes on as it is at the last look. False when a copy of all of
        it shows that it began anew instead."""
        now = generation.sight
        generation.see(seen)
        if self.is_searching:
            self._table.wanted(generation)
            return False
        if self._succession.is_copied_away(generation):
            self._succession.truncated(generation, generation.proof, seen.size)
            return False
        generation.see(now)
        generation.note_ahead()
        start = max(generation.offset, now.size)
        key = f"{generation.key}<{time.time_ns():x}"
        self._table.losses.add(key, start, seen.size, path=generation.path, why="its end was cut off")
        return True

    def look_after(self, generation: Generation) -> None:
        """A file has changed that cannot be read yet: hold it, and where it was truncated, the copy of what it held. OSError."""
        if generation.ended or generation.is_unpacked or not (generation.is_open or (not self.handles.lacking and self.reopen(generation))):
            return
        seen = generation.sight
        if generation.may_have_held_other and self.came_before(generation):
            return
        generation.look(time.time_ns())
        if not generation.unchanged():
            generation.see(seen)
            self.truncated(generation)
        elif generation.size < seen.size:
            self.shortened(generation, seen)
        else:
            if generation.head[0]:
                generation.note_ahead()
            else:
                generation.look_into()
            self._remember_sight(generation)

    def _remember_sight(self, generation: Generation) -> None:
        """What was seen beyond the last range: were it gone at the next start, its bytes would be lost uncounted. Of a file that may soon
        be gone at once, of others now and then: many files may grow while their target is away."""
        size, at = generation.told
        now = time.monotonic()
        if generation.size > size and (generation.displaced or now - at >= TELL_SECS):
            generation.told = generation.size, now
            self._context.remember(generation.stream, generation.position())

    def standing(self, path: str) -> Generation | None:
        """The generation that stands at a path, or was deleted there, verified; None when none does. Open, unless that is impossible."""
        generation = self._table.at.get(path)
        if generation is None:
            return None
        if not generation.is_open and not self.reopen(generation):
            return self._table.at.get(path)  # it was truncated, or is gone
        if not generation.unchanged():
            return self.truncated(generation)
        return generation if _stands(generation, path) or not os.fstat(generation.descriptor).st_nlink else None

    def as_it_is(self, generation: Generation) -> Generation | None:
        """What an open file holds now: what it held before is found first, where it was copied away, before what came after it. None when
        nothing of it is to be read."""
        if not generation.unchanged() or (generation.is_shorter and self._succession.is_copied_away(generation)):
            return self.truncated(generation)
        if generation.may_have_held_other:
            self.came_before(generation)
        return generation

    # --- reading ends -----------------------------------------------------------------------------------------------------------
    def paused(self, generation: Generation) -> None:
        """There is nothing to read in it now; of a compressed copy, which never grows, nothing will ever come."""
        if generation.content is not None and generation.is_unpacked and generation.content.ends_at(generation.offset):
            if damage := generation.content.damage:
                self._damaged(generation, damage)
            self._succession.read_through(generation)

    def _damaged(self, generation: Generation, why: str) -> None:
        """What follows in a compressed copy cannot be unpacked: counted as far as it was seen before it was compressed."""
        self._context.count("copies_damaged")
        message = "a part of a compressed copy is lost"
        self._context.alarm("DROP_LOG_ALARM", message, path=generation.location, reason=why, offset=generation.offset)
        self._table.losses.add(generation.key, generation.offset, generation.size, path=generation.path, why=why)

    def read_again(self, generation: Generation) -> None:
        """It was truncated between a look and the reading, before anything in it was known."""
        self._table.wanted(generation)

    def leave_compressed(self, generation: Generation) -> None:
        """It turned out to hold a compressed copy, no log."""
        self._context.count("compressed_files_skipped")
        self._table.left_alone[generation.file] = generation.size, generation.modified
        self._table.forget(generation)

    def release_followers(self, generation: Generation) -> None:
        self._table.release_followers(generation)

    def end(self, generation: Generation, why: str = "the file was deleted") -> None:
        """Its file is gone, and it is read as far as it could be."""
        self._succession.end(generation, why)

    def keep_nameless(self, generation: Generation) -> None:
        """What is in a file that has no name any more can be read only by who holds it: once read it goes to where it is durable."""
        if generation.is_nameless:
            self._context.keep(generation.stream, generation.descriptor)
            self._context.source_goes(generation.stream, more_comes=True)

    # --- opening again ----------------------------------------------------------------------------------------------------------
    def reopen(self, generation: Generation) -> bool:
        """Open a closed generation, wherever it is now; False when that is not possible. It may turn out to have been truncated."""
        location = generation.location
        content = content_at(self._table, generation, location)
        if content is None and (found := find_file(str(Path(location).parent), generation.file)):
            generation.location = found
            content = content_at(self._table, generation, found)
        if content is None:
            self._came_back_as_another(generation)
            return False
        generation.content = content
        if not generation.resume():
            self._succession.truncated(generation, generation.saved, generation.size)
            return False
        return True

    def open_same(self, generation: Generation) -> bool:
        return go_on_where_it_stood(self._table, generation)

    def _came_back_as_another(self, generation: Generation) -> None:
        """A closed file that was deleted, and whose inode another one has got since, is gone; that one is new."""
        path, look = generation.location, look_at(generation.location)
        if look is None or look[:2] != generation.file:
            return
        try:
            born = self._context.platform.born_at(path)
        except OSError:
            return
        if born and generation.born not in (0, born):
            generation.size = seen(generation.saved)  # a look at the other one may have been taken for its growth
            self.end(generation)
            self._arrived(path, look)


def _stands(generation: Generation, path: str) -> bool:
    look = look_at(path)
    return look is not None and look[:2] == generation.file

"""What follows what: where a file's bytes are after it was truncated, copied, compressed or removed.

Content decides, not names: a file goes on in the one that holds, at the same offsets, what was read of it. Names only say where to look:
beside the live file, under names that rotation makes.
"""

import time
from collections.abc import Callable

from tailrace.inputs.file.beside import Beside, Copy
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import holds, is_copy_of, is_front_of
from tailrace.inputs.file.generation import Generation, stream_key
from tailrace.inputs.file.missed import Missed
from tailrace.inputs.file.order import line_up
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import live_names
from tailrace.pipeline.contract import Position


class Succession:
    """Works on the table of one `input_file`."""

    def __init__(self, table: Registry) -> None:
        self._table = table
        self._context = table.context
        self._beside = Beside(table)
        self.missed = Missed(table, self._beside)

    # --- truncated --------------------------------------------------------------------------------------------------------------
    def truncated(self, generation: Generation, position: Position, seen: int) -> Generation:
        """The open file does not hold any more what was read of it: a new generation begins on it, from its beginning.

        The old one, read up to `position` of the `seen` bytes, goes on in a copy where there is one (copytruncate); otherwise what was not
        read is lost. Then comes what was rotated away in between.
        """
        self._context.count("truncations")
        self._context.source_goes(generation.stream)
        fresh = self._begin_anew(generation)
        before, generation.followers = generation.followers, []
        modified = int(position.get("seen", (0, 0))[1])
        self._leave_cut_copies(generation, position)
        candidates = self._beside.candidates(generation.path, modified)
        copy = self._beside.find(generation.path, generation.key, position, modified)
        if copy is not None:
            self._go_on_in(generation, copy, position)
            modified = copy.rotated.modified
        chain = [generation] if copy is not None else []
        known = [(generation.key, generation, position), *self._beside.known(generation.path)]
        chain += self.missed.unknown(candidates, generation.path, born=generation.born, modified=modified, known=known, before=fresh.opened)
        if copy is None:
            lost = int(position["offset"]), seen
            self._table.losses.add(generation.key, *lost, path=generation.path, why="it was truncated, and no copy of it is there")
            self._context.end_stream(generation.stream)
            generation.ended = True
        line_up(generation, [*chain, fresh], before)
        for one in [*chain, fresh]:
            self._table.wanted(one)
        return fresh

    def is_copied_away(self, generation: Generation) -> bool:
        """Whether a file of which nothing was read, and which is shorter now, was copied as it was at the last look."""
        if generation.offset or (copy := self._beside.find(generation.path, generation.key, generation.proof)) is None:
            return False
        copied = copy.content.reaches(generation.size)
        copy.content.close()
        return copied

    def _begin_anew(self, generation: Generation) -> Generation:
        key = f"{generation.key.split('~')[0]}~{time.time_ns():x}"
        fresh = Generation(key, generation.file, generation.born, generation.path, generation.location, content=generation.content)
        fresh.read_to_end_at, fresh.displaced = generation.read_to_end_at, generation.displaced
        fresh.before = generation.born, generation.modified
        fresh.shown, fresh.tags = generation.shown, generation.tags
        fresh.opened = time.time_ns()
        fresh.look(time.time_ns())
        fresh.note_head()
        fresh.note_ahead()
        generation.content = None
        for path in [path for path, one in self._table.at.items() if one is generation]:
            self._table.at[path] = fresh
        del self._table.generations[generation.file]
        self._table.take_stream(fresh)
        return fresh

    # --- removed, copied --------------------------------------------------------------------------------------------------------
    def removed(self, generation: Generation, position: Position) -> bool:
        """Its file is gone: whether a copy is there that holds more than what was read, in which it goes on."""
        copy = self._beside.find(generation.path, generation.key, position)
        if copy is None:
            self._leave_cut_copies(generation, position)
            return False
        if copy.content.ends_at(int(position["offset"])):
            self._table.leave_copy(copy.rotated.path, copy.content, generation.key)
            copy.content.close()
            return False
        self._go_on_in(generation, copy, position)
        self._table.wanted(generation)
        return True

    def _leave_cut_copies(self, generation: Generation, position: Position) -> None:
        """A copy that ends before what was read of it, because it was made before that was written, would be taken for another file from
        now on."""
        written = int(position.get("seen", (0, 0))[1])
        for candidate in self._beside.candidates(generation.path, generation.born, relatives=True) if int(position["offset"]) else []:
            if candidate.modified <= written and (content := self._beside.open(candidate)) is not None:
                if not self._table.is_known_copy(content) and is_copy_of(content, None, position):
                    self._table.leave_copy(candidate.path, content, generation.key)
                content.close()

    def read_through(self, generation: Generation) -> None:
        """A compressed copy has been read to its end."""
        assert generation.content is not None, "it was read just now"
        own = generation.key == stream_key(generation.content.identity)
        self._table.leave_copy(generation.location, generation.content, generation.key)
        if own:  # its stream is the note now
            generation.close()
            self._table.drop(generation)
        else:
            self._table.forget(generation)

    def copy_gone(self, note: Position) -> None:
        """A file that was left alone as a copy is gone: what it was packed into is a copy, too."""
        of = str(note.get("of", ""))
        if "head" in note and (copy := self._beside.find(str(note["path"]), of, note)) is not None:
            if copy.content.ends_at(int(note["offset"])):
                self._table.leave_copy(copy.rotated.path, copy.content, of)
            copy.content.close()

    def is_copy(self, path: str, content: Content, standing: Callable[[str], Generation | None]) -> bool:
        """Whether a file that turned up under a rotated name is a copy of what stands at the live name: it is left alone then.

        `standing` gives the open generation that stands at a path.
        """
        directory, _, name = path.rpartition("/")
        for live in live_names(name):
            original = standing(f"{directory}/{live}")
            if content.file in self._table.generations or self._table.is_known_copy(content):
                return True  # looking at the original has shown what this file is
            if original is None or original.file == content.file or content.identity.born < original.born:
                continue  # older than the live file: rotated by renaming
            if is_front_of(content, original.content) if original.content is not None else holds(content, original.proof):
                self._table.leave_copy(path, content, original.key)
                return True
        return False

    def _go_on_in(self, generation: Generation, copy: Copy, position: Position) -> None:
        file = copy.content.file
        self._table.left_alone.pop(file, None)
        if note := self._table.copies.pop(file, None):
            self._table.end_stream(note[0], {})
        if self._table.generations.get(generation.file) is generation:
            del self._table.generations[generation.file]
        generation.take(copy.content, copy.rotated.path)
        generation.go_on(position)
        self._table.generations[file] = generation
        self._table.at.setdefault(copy.rotated.path, generation)
        if not generation.offset:  # else the next range says where it lies now
            self._context.remember(generation.stream, generation.position())
        self._context.count("copies_read_on")

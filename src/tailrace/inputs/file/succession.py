"""What follows what: where a file's bytes are after it was truncated, copied, compressed or removed.

Content decides, not names: a file goes on in the one that holds, at the same offsets, what was read of it. Names only say where to look:
beside the live file, under names that rotation makes.
"""

import time
from collections.abc import Callable

from tailrace.inputs.file.beside import Beside, Copy
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import holds, is_copy_of, is_front_of, may_be, seen
from tailrace.inputs.file.generation import Generation, is_key_of, stream_key
from tailrace.inputs.file.missed import Missed
from tailrace.inputs.file.order import line_up
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import Rotated, live_names, rotated_from
from tailrace.pipeline.contract import Position


class Succession:
    """Works on the table of one `input_file`."""

    def __init__(self, table: Registry) -> None:
        self._table = table
        self._context = table.context
        self._beside = Beside(table)
        self.missed = Missed(table, self._beside, self.verify_rotated)

    # --- truncated --------------------------------------------------------------------------------------------------------------
    def truncated(self, generation: Generation, position: Position, size: int) -> Generation | None:
        """The open file does not hold any more what was read of it: a new generation begins on it, from its beginning, unless what it holds
        now is a copy of another one.

        The old one, read up to `position` of the `size` bytes that were seen, goes on in a copy where there is one (copytruncate);
        otherwise what was not read is lost. Then comes what was rotated away in between. Returns what is read last of all that, if
        anything is.
        """
        self._context.count("truncations")
        self._context.source_goes(generation.stream)
        fresh = None if self._is_anothers(generation) else self._begin_anew(generation)
        if fresh is None:
            self._let_file_go(generation)
        self.verify_rotated(generation.path, position)
        before, generation.followers = generation.followers, []
        chain = self._what_was_in_it(generation, position, fresh.opened if fresh is not None else time.time_ns())
        if generation not in chain:
            lost = int(position["offset"]), size
            self._table.losses.add(generation.key, *lost, path=generation.path, why="it was truncated, and no copy of it is there")
            self._table.end(generation)
        if fresh is not None:
            chain.append(fresh)
        line_up(generation, chain, before)
        for one in chain or before:
            self._table.wanted(one)
        return chain[-1] if chain else None

    def _what_was_in_it(self, generation: Generation, position: Position, until: int) -> list[Generation]:
        """The copy that a truncated file goes on in, and what was copied away after that and before `until` (wall clock in ns)."""
        path, born, modified = generation.path, generation.first_born, int(position.get("seen", (0, 0))[1])
        self._leave_cut_copies(generation, position)
        candidates = self._beside.candidates(path, modified)
        copy = self._beside.find(path, generation.key, position, modified)
        if copy is not None:
            self._go_on_in(generation, copy, position)
            modified = copy.rotated.modified
        known = [(generation.key, generation, position), *self._beside.known(path)]
        earlier = self.missed.of_blank(generation, position, known)
        missed = self.missed.unknown(candidates, path, born=born, modified=modified, known=known, before=until)
        return [*earlier, generation, *missed] if copy is not None else [*earlier, *missed]

    def _is_anothers(self, generation: Generation) -> bool:
        """Whether a file under a rotated name was written anew with a copy of another one, known or about to be taken up."""
        content = generation.content
        assert content is not None, "it was looked at just now"
        if not _is_rotated(generation.location):
            return False
        if self._beside.is_awaited(content, generation.path):
            return True
        known = [one for one in self._beside.known(generation.path) if one[1] is not generation]
        originals = [(key, one) for key, one, position in known if is_copy_of(content, one, position)]
        if originals:
            self._beside.leave_copy(generation.location, content, *originals[0])
        return bool(originals)

    def is_awaited(self, content: Content, path: str) -> bool:
        """Whether a file is a copy of what a stream of the former run has read beside `path`, or holds it."""
        return self._beside.is_awaited(content, path)

    def _let_file_go(self, generation: Generation) -> None:
        generation.close()
        for path in [path for path, one in self._table.at.items() if one is generation]:
            del self._table.at[path]
        del self._table.generations[generation.file]

    def is_copied_away(self, generation: Generation) -> bool:
        """Whether a file of which nothing was read, and which is shorter now, was copied as it was at the last look."""
        if generation.offset or (copy := self._beside.find(generation.path, generation.key, generation.proof)) is None:
            return False
        copied = copy.content.reaches(generation.size)
        copy.content.close()
        return copied

    def _begin_anew(self, generation: Generation) -> Generation:
        assert generation.content is not None, "it was looked at just now"
        key = stream_key(generation.content.identity, f"~{time.time_ns():x}")
        fresh = Generation(key, generation.file, generation.born, generation.path, generation.location, content=generation.content)
        fresh.read_to_end_at, fresh.displaced = generation.read_to_end_at, generation.displaced
        fresh.before = generation.first_born, generation.modified
        fresh.shown, fresh.tags = generation.shown, generation.tags
        fresh.opened = time.time_ns()
        fresh.look_into()
        if _is_rotated(fresh.location):  # a copy was written over it: before what is live now
            fresh.opened = min(fresh.opened, fresh.modified)
        generation.content = None
        for path in [path for path, one in self._table.at.items() if one is generation]:
            self._table.at[path] = fresh
        del self._table.generations[generation.file]
        self._table.take_stream(fresh)
        return fresh

    def verify_rotated(self, path: str, sought: Position | None = None) -> None:
        """Before what was rotated away from `path`, or what was read up to `sought`, is looked for: the known rotated files beside it that
        have changed. A copy may have been written over one, or have got its inode."""
        with self._beside.seeking(sought or {}) as is_first:
            for rotated in rotated_from(path, relatives=True) if is_first else ():
                known = self._table.generations.get(rotated.file)
                if known is not None and known.differs(rotated.size, rotated.modified):
                    self._verify(known, rotated)

    def _verify(self, generation: Generation, rotated: Rotated) -> None:
        if generation.is_open:
            if not generation.unchanged():
                self.truncated(generation, generation.proof, generation.size)
        elif (content := self._beside.open(rotated)) is not None:
            position = generation.proof
            if content.identity.born == generation.born and not may_be(content, position):
                generation.content, generation.location = content, rotated.path
                self.truncated(generation, position, seen(position))
                return
            content.close()
            if content.identity.born != generation.born:
                self._table.replaced.add(rotated.path)
                self.end(generation, "the file was deleted")

    def end(self, generation: Generation, why: str) -> None:
        """Its file is gone, and it is read as far as it could be: it goes on in a copy, or is over."""
        position, size = generation.proof, generation.size if generation.is_open else seen(generation.proof)
        generation.close()
        if self._table.generations.get(generation.file) is generation:
            del self._table.generations[generation.file]
        if not self.removed(generation, position):
            self._table.losses.add(generation.key, int(position["offset"]), size, path=generation.path, why=why)
            self._table.forget(generation)

    # --- removed, copied --------------------------------------------------------------------------------------------------------
    def removed(self, generation: Generation, position: Position) -> bool:
        """Its file is gone: whether a copy is there that holds more than what was read, in which it goes on."""
        self.verify_rotated(generation.path, position)
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
        own = is_key_of(generation.key, generation.content.identity)
        self._table.leave_copy(generation.location, generation.content, generation.key, key=generation.key if own else "")
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
        if not copy.content.reaches(generation.head[0]):  # it was copied before its last lines were written
            generation.note_head()
        self._table.generations[file] = generation
        self._table.at.setdefault(copy.rotated.path, generation)
        self._context.remember(generation.stream, generation.position())
        self._context.count("copies_read_on")


def _is_rotated(path: str) -> bool:
    """Whether a name is one that rotation makes."""
    return next(live_names(path.rpartition("/")[2]), None) is not None

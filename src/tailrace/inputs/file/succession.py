"""What follows what: where a file's bytes are after it was truncated, copied, compressed or removed, and what came in between.

Content decides, not names: a file goes on in the one that holds, at the same offsets, what was read of it (hashes of its head and of the
bytes before the offset). Names only say where to look: beside the live file, under names that rotation makes.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace.batch import fingerprint
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.generation import LAYOUT, SIGNATURE_SIZE, FileId, Generation, fits, stream_key
from tailrace.inputs.file.packing import STEP_BYTES
from tailrace.inputs.file.registry import Registry, read_after
from tailrace.inputs.file.rotation import Rotated, family, live_names, rotated_from
from tailrace.inputs.file.walk import Look
from tailrace.pipeline.contract import Position

MISSED_NS = 1_000_000
"""What was missed is dated back by this, so that it stands in order before what follows it."""
LOOKS = 4
"""So often a directory is listed again when files were renamed while they were looked at."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An open file that holds what was read of another one."""

    content: Content
    rotated: Rotated


class Succession:
    """Works on the table of one `input_file`."""

    def __init__(self, table: Registry) -> None:
        self._table = table
        self._context = table.context

    # --- truncated, removed ------------------------------------------------------------------------------------------------------
    def truncated(self, generation: Generation, position: Position, seen: int) -> Generation:
        """The open file does not hold any more what was read of it: a new generation begins on it, from its beginning.

        The old one, read up to `position` of the `seen` bytes, goes on in a copy where there is one (copytruncate); otherwise what was not
        read is lost. Then comes what was rotated away in between.
        """
        self._context.count("truncations")
        self._context.source_goes(generation.stream)
        fresh = self._begin_anew(generation)
        before, generation.followers = generation.followers, []
        modified = _modified(position)
        candidates = self._candidates(generation.path, modified)
        copy = self._find(generation.path, position, modified)
        if copy is not None:
            self._go_on_in(generation, copy, position)
            modified = copy.rotated.modified
        chain = [generation] if copy is not None else []
        known = [(generation, position), *self._known_at(generation.path)]
        chain += self._unknown(candidates, generation.path, born=generation.born, modified=modified, known=known, before=fresh.opened)
        if copy is None:
            lost = int(position["offset"]), seen
            self._table.losses.add(generation.key, *lost, path=generation.path, why="it was truncated, and no copy of it is there")
            self._context.end_stream(generation.stream)
            generation.ended = True
        self._line_up(generation, [*chain, fresh], before)
        return fresh

    def is_copied_away(self, generation: Generation) -> bool:
        """Whether a file of which nothing was read, and which is shorter now, was copied as it was at the last look."""
        if generation.offset or (copy := self._find(generation.path, generation.proof, generation.modified)) is None:
            return False
        copied = copy.content.reaches(generation.size)
        copy.content.close()
        return copied

    def removed(self, generation: Generation, position: Position) -> bool:
        """Its file is gone: whether a copy is there that holds more than what was read, in which it goes on."""
        copy = self._find(generation.path, position)
        if copy is None:
            return False
        if copy.content.ends_at(int(position["offset"])):
            self._leave_copy(copy.rotated.path, copy.content)
            copy.content.close()
            return False
        self._go_on_in(generation, copy, position)
        self._table.wanted(generation)
        return True

    def read_through(self, generation: Generation) -> None:
        """A compressed copy has been read to its end."""
        assert generation.content is not None, "it was read just now"
        own = generation.key == stream_key(generation.content.identity)
        self._leave_copy(generation.location, generation.content)
        if own:  # its stream is the note now
            generation.close()
            self._table.drop(generation)
        else:
            self._table.forget(generation)

    def copy_gone(self, note: Position) -> None:
        """A file that was left alone as a copy is gone: what it was packed into is a copy, too."""
        if "head" in note and (copy := self._find(str(note["path"]), note)) is not None:
            if copy.content.ends_at(int(note["offset"])):
                self._leave_copy(copy.rotated.path, copy.content)
            copy.content.close()

    def take_missed(self, path: str, born: int, modified: int, standing: Generation | None) -> None:
        """What stood at `path` and was rotated away before it was seen there: it lies beside it now, is neither known nor a copy of what
        is known, and was born and written after what is known to have come first. `standing` stands there now, unchanged."""
        stands = _file_at(path)
        if stands is not None and stands not in self._table.generations:
            return  # `between` looks, once it is opened
        known = sorted((one for one in self._table.generations.values() if one.path == path), key=lambda one: one.opened)
        for candidate in self._candidates(path, modified):
            if candidate.file in self._table.copies or not candidate.size:
                continue
            at = next((index for index, one in enumerate(known) if one.modified > candidate.modified), len(known))
            if standing in known and standing.file == stands:
                at = min(at, known.index(standing))
            before = known[at].opened if at < len(known) else time.time_ns() + MISSED_NS
            proofs = self._known_at(path)
            for one in self._unknown([candidate], path, born=born, modified=modified, known=proofs, before=before):
                known.insert(at, one)
                self._put_between(known, at)

    def _put_between(self, known: Sequence[Generation], at: int) -> None:
        """Read what was missed after what came before it, and before what comes next, unless that has been begun."""
        one = known[at]
        first = known[at - 1] if at else None
        second = known[at + 1] if at + 1 < len(known) else None
        if second is None:
            self._table.at[one.path] = one
        elif not second.offset and second.after in (None, first) and not (first is not None and first.comes_after(second)):
            if second.after is not None:
                second.after.followers.remove(second)
            read_after(one, second)
        if first is not None:
            read_after(first, one)
            self._table.wanted(first)
        self._table.wanted(one)

    def between(self, born: int, modified: int, following: Generation, path: str) -> list[Generation]:
        """What stood at `path` after one born and last written then, and before another, and was rotated away between two looks."""
        candidates = [one for one in self._candidates(path, 0) if one.file != following.file]
        known = [(one, proof) for one, proof in self._known_at(path) if one is not following]
        return self._unknown(candidates, path, born=born, modified=modified, known=known, until=following.born, before=following.opened)

    def came_before(self, generation: Generation) -> bool:
        """Whether an empty file had other bytes since it was last seen, which were copied away: they are read first then."""
        if generation.displaced:
            return False
        new = [self._table.generations.get(one.file) for one in rotated_from(generation.path) if one.modified >= generation.modified]
        for one in new if generation.location == generation.path else []:
            if one is not None and one.path != generation.path and _is_untouched(one):
                self._line_up(one, [one, generation], [])
                return True
        candidates = [one for one in self._candidates(generation.path, generation.modified) if one.size]
        chain = self._unknown(
            candidates,
            generation.path,
            born=generation.born,
            modified=generation.modified,
            known=self._known_at(generation.path),
            before=generation.opened,
        )
        generation.look(time.time_ns())
        if chain:
            self._line_up(generation, [*chain, generation], [])
        return bool(chain)

    def _known_at(self, path: str) -> list[tuple[Generation | None, Position]]:
        """What a file beside `path` may be a copy of: generations, also those first seen under a rotated name, and what was one itself."""
        own = family(path)
        stem = min(own, key=len)
        stem = stem.rpartition(".")[0] or stem
        near = [one for one in self._table.generations.values() if one.path.startswith(stem) and not own.isdisjoint(family(one.path))]
        for one in near:
            if one.is_open and not one.head[0]:
                one.note_head()
                if one.head[0]:  # what is found to be its copy may be all that is left of it at the next start
                    self._context.remember(one.stream, one.position())
        notes = [note for _, note in self._table.copies.values() if "head" in note and str(note["path"]).startswith(stem)]
        return [*((one, one.proof) for one in near), *((None, note) for note in notes)]

    def _begin_anew(self, generation: Generation) -> Generation:
        key = f"{generation.key.split('~')[0]}~{time.time_ns():x}"
        fresh = Generation(key, generation.file, generation.born, generation.path, generation.location, content=generation.content)
        fresh.read_to_end_at, fresh.displaced = generation.read_to_end_at, generation.displaced
        fresh.before = generation.born, generation.modified
        fresh.shown, fresh.tags = generation.shown, generation.tags
        fresh.look(time.time_ns())
        fresh.note_head()
        generation.content = None
        for path in [path for path, one in self._table.at.items() if one is generation]:
            self._table.at[path] = fresh
        del self._table.generations[generation.file]
        self._table.take_stream(fresh)
        return fresh

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
        self._context.count("copies_read_on")

    def _line_up(self, generation: Generation, chain: Sequence[Generation], last: Sequence[Generation]) -> None:
        """The chain takes the place that `generation` had between what it is read after and what is read after it."""
        if generation.after is not None and chain[0] is not generation:
            generation.after.followers.remove(generation)
            generation.after.followers.append(chain[0])
            chain[0].after, generation.after = generation.after, None
        for first, second in itertools.pairwise(chain):
            second.after = first
            first.followers.append(second)
        chain[-1].followers.extend(last)
        for follower in last:
            follower.after = chain[-1]
        for one in chain:
            self._table.wanted(one)

    # --- finding ------------------------------------------------------------------------------------------------------------------
    def _candidates(self, path: str, modified: int, *, relatives: bool = False) -> list[Rotated]:
        """Rotated files beside `path` that nothing is read from, in the order of their last writing, at `modified` or later."""
        table = self._table
        return [
            one
            for one in rotated_from(path, relatives=relatives)
            if one.modified >= modified
            and one.file not in table.generations
            and one.file not in table.notes
            and one.file not in table.taken_elsewhere
        ]

    def _find(self, path: str, position: Position, modified: int = 0) -> Copy | None:
        """The first of the files beside `path` that holds what was seen up to `position`."""
        if not position["head"][0]:
            return None
        for _ in range(LOOKS):
            moved = False
            for candidate in self._candidates(path, modified, relatives=True):
                if (content := self._open(candidate)) is None:
                    moved = moved or _file_at(candidate.path) != candidate.file
                    continue
                if _holds(content, position) and (int(position["offset"]) or self._is_all_that_was_seen(content, path, position)):
                    return Copy(content, candidate)
                content.close()
            if not moved:
                break
        return None

    def _is_all_that_was_seen(self, content: Content, path: str, position: Position) -> bool:
        """Where nothing was read, a head proves little: a copy has at least what was seen, and nothing known holds all of it."""
        known = [one.content for one, _ in self._known_at(path) if one is not None]
        return content.reaches(_seen(position)) and not any(_lies_in(content, one) for one in known)

    def _unknown(
        self,
        candidates: Iterable[Rotated],
        path: str,
        *,
        born: int,
        modified: int,
        known: Sequence[tuple[Generation | None, Position]],
        before: int,
        until: int = 0,
    ) -> list[Generation]:
        """New generations for candidates that were live at `path` after a known one: born and written later, and no copies of it.

        They were there `before` the one that follows was found.
        """
        found: list[Generation] = []
        for candidate in candidates:
            taken = candidate.file in self._table.generations or candidate.file in self._table.copies
            if taken or (content := self._open(candidate)) is None:
                continue
            if not _came_between(content, candidate, born, modified, until):
                content.close()
            elif any(_is_copy_of(content, one, position) for one, position in known):
                self._leave_copy(candidate.path, content)
                content.close()
            elif generation := self._table.new(
                content, path, location=candidate.path, opened=before - MISSED_NS + len(found), before=(born, modified)
            ):
                self._table.left_alone.pop(candidate.file, None)
                generation.displaced = True
                found.append(generation)
        return found

    def _open(self, candidate: Rotated) -> Content | None:
        try:
            content = self._table.content(candidate.path)
        except OSError:
            return None
        known = self._table.expected.get(content.file) == content.identity.born
        if content.file == candidate.file and not known and _can_be_read(content):
            return content
        content.close()  # renamed just now: the next look finds it
        return None

    # --- copies -------------------------------------------------------------------------------------------------------------------
    def is_copy(self, path: str, content: Content, standing: Callable[[str], Generation | None]) -> bool:
        """Whether a file that turned up under a rotated name is a copy of what stands at the live name: it is left alone then.

        `standing` gives the open generation that stands at a path.
        """
        directory, _, name = path.rpartition("/")
        for live in live_names(name):
            original = standing(f"{directory}/{live}")
            if content.file in self._table.generations or content.file in self._table.copies:
                return True  # looking at the original has shown what this file is
            if original is None or original.file == content.file or content.identity.born < original.born:
                continue  # older than the live file: rotated by renaming
            if _is_front_of(content, original.content) if original.content is not None else _holds(content, original.proof):
                self._leave_copy(path, content)
                return True
        return False

    def _leave_copy(self, path: str, content: Content) -> None:
        """Keep in mind, durably, that a file is a copy of what is read from elsewhere."""
        status = content.status()
        look = status.st_size, status.st_mtime_ns
        self._table.left_alone[content.file] = look
        if look[0]:
            key = stream_key(content.identity)
            position: Position = {"v": LAYOUT, "copy": list(look), "path": path}
            if not content.is_unpacked:  # it may be compressed later
                position |= _proof_of_end(content, look[0])
            if (stream := self._context.open_stream(key, position)) is not None:
                self._context.remember(stream, position)
                self._table.copies[content.file] = key, position


def _seen(position: Position) -> int:
    return int(position.get("seen", (0, 0))[0])


def _modified(position: Position) -> int:
    return int(position.get("seen", (0, 0))[1])


def _proof_of_end(content: Content, size: int) -> Position:
    """What another file must hold, and end with, to be a copy of this one."""
    head, tail = content.read_at(SIGNATURE_SIZE, 0), content.read_at(min(SIGNATURE_SIZE, size), max(0, size - SIGNATURE_SIZE))
    return {"offset": size, "head": [len(head), fingerprint(head).hex()], "tail": [len(tail), fingerprint(tail).hex()]}


def _is_untouched(generation: Generation) -> bool:
    """Whether it holds something, nothing of it was looked for yet, and its place in the order is open."""
    return generation.unread > 0 and not (generation.offset or generation.drained or generation.after or generation.followers)


def _file_at(path: str) -> FileId | None:
    try:
        return Look.of(Path(path).stat())[:2]
    except OSError:
        return None


def _can_be_read(content: Content) -> bool:
    """Whether it is no compressed file that has only begun to be written."""
    if not content.is_unpacked:
        return True
    try:
        return bool(content.read_at(1, 0))
    except OSError:
        return False


def _holds(content: Content, position: Position) -> bool:
    try:
        return bool(position["head"][0]) and fits(content, position)
    except OSError:
        return False  # a damaged compressed file


def _came_between(content: Content, candidate: Rotated, born: int, modified: int, until: int) -> bool:
    """Whether a rotated file came after a known one: born later, or last written later where it is a copy, born anew."""
    own = content.identity.born
    if own < born:
        return False
    return candidate.modified >= modified and (not until or content.is_unpacked or own <= until)


def _is_copy_of(content: Content, generation: Generation | None, position: Position) -> bool:
    """Whether a file holds what was read of a known one, or its beginning. Where nothing was read yet, a head proves little: all that is
    in both is compared then."""
    if generation is not None and generation.content is not None:
        if _lies_in(content, generation.content):
            return True
        if generation.unchanged():
            return False  # whatever it begins with: what it is compared with is all there
    if not int(position["offset"]):
        return False  # nothing was read: if it is a copy, what is in it is new all the same
    return (generation is not None and _is_cut_copy(content, generation)) or _holds(content, position)


def _lies_in(copy: Content, live: Content | None) -> bool:
    """Whether an open file begins with all that a copy holds, also where it was written anew since it was read."""
    if live is None or not _agree(copy, live):
        return False
    size = live.status().st_size
    return live.is_unpacked or (copy.reaches(1) and not copy.read_at(1, size))


def _agree(one: Content, other: Content) -> bool:
    """Whether the shorter of two files is what the longer one begins with."""
    offset = 0
    try:
        while (first := one.read_at(STEP_BYTES, offset)) and (second := other.read_at(STEP_BYTES, offset)):
            size = min(len(first), len(second))
            if first[:size] != second[:size]:
                return False
            offset += size
    except OSError:
        return False
    return True


def _is_front_of(copy: Content, live: Content) -> bool:
    """Whether a file holds what the live one begins with, and nothing else."""
    size = copy.status().st_size
    if size > live.status().st_size:
        return False
    head = copy.read_at(SIGNATURE_SIZE, 0)
    begin = max(0, size - SIGNATURE_SIZE)
    return live.read_at(len(head), 0) == head and live.read_at(size - begin, begin) == copy.read_at(SIGNATURE_SIZE, begin)


def _is_cut_copy(content: Content, generation: Generation) -> bool:
    """Whether a file holds the beginning of what was read, but ends before the offset: it was copied before the last lines were written."""
    if not generation.offset:
        return False
    try:
        begin = generation.offset - len(generation.tail)
        overlap = content.read_at(len(generation.tail), begin)
        if content.read_at(1, generation.offset - 1) or not generation.tail.startswith(overlap):
            return False
        head = content.read_at(generation.head[0], 0)
    except OSError:
        return False
    if len(head) == generation.head[0]:
        return bool(head) and fingerprint(head) == generation.head[1]
    return bool(overlap) and not begin

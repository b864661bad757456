"""What came to a path and was rotated away from it between two looks: it is found beside the path, and read in its order."""

import itertools
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tailrace.inputs.file.beside import LOOKS, Beside, Known, file_at
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import holds, is_copy_of
from tailrace.inputs.file.generation import TICK_NS, FileId, Generation
from tailrace.inputs.file.order import line_up, put_between, read_after
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import Rotated, rotated_from
from tailrace.pipeline.contract import Position

MISSED_NS = 1_000_000
"""What was missed is dated back by this, so that it stands in order before what follows it."""


class Missed:
    """Searches for one `input_file`."""

    def __init__(self, table: Registry, beside: Beside, verify: Callable[[str], None]) -> None:
        """`verify` looks at the known rotated files beside a path that have changed: something else may have got the inode of one."""
        self._table = table
        self._beside = beside
        self._verify = verify

    def take(self, path: str, born: int, modified: int, standing: Generation | None) -> None:
        """What stood at `path` and was rotated away before it was seen there: it lies beside it now, is neither known nor a copy of what
        is known, and was born and written after what is known to have come first. `standing` stands there now, unchanged."""
        stands = file_at(path)
        known = sorted((one for one in self._table.generations.values() if one.path == path), key=lambda one: one.opened)
        is_new = stands is not None and stands not in self._table.generations
        latest = max((one.modified for one in known), default=0)
        for candidate in self._beside.candidates(path, modified):
            if is_new and candidate.modified > latest:
                break  # `between` looks, once what stands there is opened
            if not candidate.size or self._table.left_alone.get(candidate.file) == (candidate.size, candidate.modified):
                continue
            others = self._beside.known(path)  # looks at what was empty: its times say what came before it
            at = next((index for index, one in enumerate(known) if one.modified > candidate.modified), len(known))
            if standing in known and standing.file == stands:
                at = min(at, known.index(standing))
            before = known[at].opened if at < len(known) else time.time_ns() + MISSED_NS
            for one in self.unknown([candidate], path, born=born, modified=modified, known=others, before=before):
                known = sorted([one, *known], key=lambda one: one.opened)
                at = known.index(one)
                put_between(known, at)
                if at + 1 == len(known):
                    self._table.at[path] = one
                for wanted in known[max(0, at - 1) : at + 1]:
                    self._table.wanted(wanted)

    def between(self, born: int, modified: int, following: Generation, path: str) -> list[Generation]:
        """What stood at `path` after one born and last written then, and before another, which may have been copied away and emptied."""
        until, found = (following.born, following.written_at), list[Generation]()
        for _ in range(LOOKS):
            candidates = [one for one in self._beside.candidates(path, 0) if one.file != following.file]
            known = self._beside.known(path)
            found += self.unknown(candidates, path, born=born, modified=modified, known=known, until=until, before=following.opened)
            if all(file_at(one.path) == one.file for one in candidates):
                break  # else one was renamed or compressed meanwhile: it stands there under another name now
        return sorted(found, key=lambda one: one.modified)

    def came_before(self, generation: Generation) -> bool:
        """Whether a file that was empty when it was looked at had other bytes since, which were copied away: they are read first then."""
        blank_at = generation.blank_at or (0 if generation.head[0] else generation.modified)
        if not generation.unchanged():
            return False  # it holds something else again: `of_blank` looks for both
        generation.blank_at = 0
        if not blank_at or _unchanged_since(Path(generation.path).parent, generation.opened):
            return False
        self._verify(generation.path)
        times = blank_at, generation.written_at
        rotated = [one for one in rotated_from(generation.path) if times[0] <= one.modified <= times[1]]
        earlier = {one.file: None for one in itertools.takewhile(lambda one: one.file != generation.file, rotated)}
        chain = self.unknown(
            [one for one in self._beside.candidates(generation.path, times[0]) if one.size and one.file in earlier],
            generation.path,
            born=generation.first_born,
            modified=blank_at,
            known=self._beside.known(generation.path),
            before=generation.opened,
        )
        generation.look_into()
        generation.blank_at = 0
        held = {one.key: one for one in map(self._held, earlier) if one is not None}
        first = [one for one in held.values() if one in chain or _may_come_before(one, generation)]
        if len(first) > len(chain):
            self._wait_for(first, generation)
        elif chain:
            self._line_up(generation, [*chain, generation])
        return bool(first)

    def _held(self, file: FileId) -> Generation | None:
        """The generation that is read from a file, or that the file is known to be a copy of."""
        of = self._table.copies[file][1].get("of") if file in self._table.copies else None
        return self._table.generations.get(file) or next((one for one in self._table.generations.values() if one.key == of), None)

    def of_blank(self, generation: Generation, position: Position, known: Known) -> list[Generation]:
        """What was in a file that had been empty, before what was seen in it then, up to `position`, and truncated away unread."""
        blank_at, written = int(position.get("blank_at", 0)), int(position.get("seen", (0, 0))[1])
        candidates = self._beside.candidates(generation.path, blank_at) if blank_at and not int(position["offset"]) else []
        earlier = [one for one in candidates if one.size and one.modified <= written]
        path, born = generation.path, generation.first_born
        return self.unknown(earlier, path, born=born, modified=blank_at, known=known, before=generation.opened)

    def unknown(
        self,
        candidates: Iterable[Rotated],
        path: str,
        *,
        born: int,
        modified: int,
        known: Known,
        before: int,
        until: tuple[int, int] | None = None,
    ) -> list[Generation]:
        """New generations for candidates that were live at `path` after a known one: born and written later, and no copies of it.

        They were there `before` the one that follows was found.
        """
        found: list[Generation] = []
        earlier = [one.opened for one in self._table.generations.values() if one.path == path and one.opened < before]
        opened = max(before - MISSED_NS, *earlier, 0) + 1
        for candidate in candidates:
            if candidate.file in self._table.generations or (content := self._beside.open(candidate, unknown=True)) is None:
                continue
            is_empty = not content.reaches(1)  # it may be a copy in the making: what it is shows when something is in it
            if is_empty or self._table.is_known_copy(content) or not _came_between(content, candidate, born, modified, until):
                content.close()
            elif self._beside.is_awaited(content, path):
                content.close()  # who goes on in it comes soon
            elif originals := [(key, one) for key, one, position in known if is_copy_of(content, one, position)]:
                self._beside.leave_copy(candidate.path, content, *originals[0])
                content.close()
            elif generation := self._table.new(content, path, location=candidate.path, opened=opened + len(found), before=(born, modified)):
                self._table.left_alone.pop(candidate.file, None)
                self._leave_to(generation, content, known)
                generation.displaced = True
                found.append(generation)
        return found

    def _leave_to(self, generation: Generation, content: Content, known: Known) -> None:
        """What was seen in a known file that was truncated since, and is in `content` now, is read there, first: it is not counted as
        lost."""
        for _, one, position in known:
            if one is not None and one.content not in (None, content) and one.unread and not one.offset and holds(content, position):
                one.see_anew()
                one.opened = max(one.opened, generation.opened + 1)
                self._table.context.remember(one.stream, one.position())

    def _wait_for(self, waiting: list[Generation], generation: Generation) -> None:
        """Read those first, each after the one before it unless it waits for another."""
        for first, second in itertools.pairwise([*waiting, generation]):
            if second.after is None:
                read_after(first, second)
        for one in [*waiting, generation]:
            self._table.wanted(one)

    def _line_up(self, generation: Generation, chain: list[Generation]) -> None:
        line_up(generation, chain, [])
        for one in chain:
            self._table.wanted(one)


def _may_come_before(one: Generation, other: Generation) -> bool:
    """Whether it was found under another path, holds something that nothing was read of, and nothing waits for it, nor it for the other."""
    untouched = one.unread > 0 and not (one.offset or one.drained or one.followers)
    return one.path != other.path and untouched and not one.comes_after(other)


def _unchanged_since(directory: Path, at_ns: int) -> bool:
    """Whether no name has come into a directory, or gone, since then: there is no new copy in it."""
    try:
        return directory.stat().st_mtime_ns < at_ns - TICK_NS
    except OSError:
        return False


def _came_between(content: Content, candidate: Rotated, born: int, modified: int, until: tuple[int, int] | None) -> bool:
    """Whether a rotated file came after a known one: born later, or last written later where it is a copy, born anew; and before one that
    was born, or last written, then (`until`)."""
    own = content.identity.born
    if own < born or candidate.modified < modified:
        return False
    return until is None or content.is_unpacked or own <= until[0] or candidate.modified <= until[1]

"""The rotated files beside a live one: which of them may be looked into, and which holds what was read of a known one."""

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import holds, holds_read, is_copy_of, lies_in, may_be, seen
from tailrace.inputs.file.generation import FileId, Generation, born_of
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import Rotated, family, rotated_from
from tailrace.inputs.file.walk import Look
from tailrace.pipeline.contract import Position

LOOKS = 4
"""So often a directory is listed again when files were renamed while they were looked at."""

Known = Sequence[tuple[str, Generation | None, Position]]
"""What a file may be a copy of: generations, and what was found to be a copy of one; stream keys, and what proves each."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An open file that holds what was read of another one."""

    content: Content
    rotated: Rotated


class Beside:
    """Looks beside the paths of one `input_file`."""

    def __init__(self, table: Registry) -> None:
        self._table = table
        self._sought: Position | None = None

    @contextlib.contextmanager
    def seeking(self, position: Position) -> Generator[bool]:
        """While a stream that was read up to `position` is sought, or what is no stream yet (empty); whether it is the only one."""
        former = self._sought
        self._sought = position if former is None else former
        try:
            yield former is None
        finally:
            self._sought = former

    def find(self, path: str, key: str, position: Position, modified: int = 0) -> Copy | None:
        """The first of the files beside `path` that holds what was seen of the stream `key` up to `position`."""
        if not position["head"][0]:
            return None
        if not int(position["offset"]):  # the head alone proves little: no file that is older than this one
            modified = max(born_of(key), int(position.get("before", (0, 0))[1]))
        for _ in range(LOOKS):
            moved, cut = False, None
            for candidate in self.candidates(path, modified, relatives=True):
                if (content := self.open(candidate)) is None:
                    moved = moved or file_at(candidate.path) != candidate.file
                elif not self._goes_on_in(content, candidate, path, key, position) or (cut and not content.reaches(seen(position))):
                    content.close()
                elif content.reaches(seen(position)):
                    if cut is not None:
                        cut.content.close()
                    return Copy(content, candidate)
                else:
                    cut = Copy(content, candidate)
            if cut is not None or not moved:
                return cut
        return None

    def _goes_on_in(self, content: Content, candidate: Rotated, path: str, key: str, position: Position) -> bool:
        """Whether a file holds what was seen up to `position` of the stream `key`, or is known to be a copy of it."""
        note = self._table.copies[content.file][1] if self._table.is_known_copy(content) else self._packed_note(content, key)
        if note.get("of") == key:
            offset = int(position["offset"])
            return not offset or (content.reaches(offset) and (holds(content, note) if "head" in note else holds_read(content, position)))
        return holds(content, position) and self._is_of_no_other(content, candidate, path, key, position)

    def _packed_note(self, content: Content, key: str) -> Position:
        """Of a copy of the stream `key` that a file holds as well, because that was compressed since; empty when there is none."""
        notes = [note for _, note in [*self._table.copies.values(), *self._table.copies_gone] if note.get("of") == key and "head" in note]
        return next((note for note in notes if holds(content, note)), {})

    def _is_of_no_other(self, content: Content, candidate: Rotated, path: str, key: str, position: Position) -> bool:
        """Whether a file that holds what was seen is not known to be, or to be a copy of, another one that begins alike.

        Where nothing was read, the head alone proves little: what has all that was seen then was written later.
        """
        if self._table.is_known_copy(content) and self._table.copies[content.file][1].get("of", key) != key:
            return False
        if int(position["offset"]):
            return True
        if content.reaches(seen(position)) and candidate.modified < int(position.get("seen", (0, 0))[1]):
            return False
        if any(int(one["offset"]) and holds(content, one) for one in self._awaited(path)):
            return False
        known = [one.content for other, one, _ in self.known(path) if one is not None and other != key]
        return not any(one is not None and lies_in(content, one) for one in known)

    def candidates(self, path: str, modified: int, *, relatives: bool = False) -> list[Rotated]:
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

    def known(self, path: str) -> Known:
        """What a file beside `path` may be a copy of: generations, also those first seen under a rotated name, and what was one itself."""
        own, stem = family(path), _stem(path)
        near = [one for one in self._table.generations.values() if one.path.startswith(stem) and not own.isdisjoint(family(one.path))]
        for one in near:
            if one.is_blank:
                blank_at = one.modified
                one.look_into()
                if one.modified != blank_at or one.head[0]:
                    one.blank_at = one.blank_at or blank_at
                if one.head[0]:  # what is found to be its copy may be all that is left of it at the next start
                    self._table.context.remember(one.stream, one.position())
        notes = [
            note
            for _, note in [*self._table.copies.values(), *self._table.copies_gone]
            if "head" in note and str(note["path"]).startswith(stem)
        ]
        return [*((one.key, one, one.proof) for one in near), *((str(note.get("of", "")), None, note) for note in notes)]

    def leave_copy(self, path: str, content: Content, of: str, original: Generation | None) -> None:
        """Keep in mind that a file is a copy of the stream `of`. Not where what the original holds now is no stream yet: at the next start
        the copy may be all that is left of that."""
        if original is None or original.content is None or (original.unchanged() and original.content.reaches(original.size)):
            self._table.leave_copy(path, content, of)

    def is_awaited(self, content: Content, path: str) -> bool:
        """Whether a file is a copy of what a stream that is sought, or one of the former run that is not taken up yet, has read beside
        `path`, or holds it."""
        sought = [self._sought] if self._sought else []
        return any(holds(content, one) or is_copy_of(content, None, one) for one in [*sought, *self._awaited(path)])

    def _awaited(self, path: str) -> list[Position]:
        """Where streams of the former run stand that came from beside `path` and are not taken up yet."""
        stem = _stem(path)
        return [one for one in self._table.awaited() if "head" in one and "copy" not in one and str(one["path"]).startswith(stem)]

    def open(self, candidate: Rotated, *, unknown: bool = False) -> Content | None:
        """None when it cannot be read, is another file by now, or one that the checkpoint knows and that will be taken up; with `unknown`
        also when it only has the inode and birth time of such a one."""
        try:
            content = self._table.content(candidate.path)
        except OSError:
            return None
        born, position = self._table.expected.get(content.file, (None, {}))
        expected = born == content.identity.born and (unknown or may_be(content, position))
        if content.file == candidate.file and not expected and _can_be_read(content):
            return content
        content.close()  # renamed just now: the next look finds it
        return None


def _stem(path: str) -> str:
    """What the names of all that is rotated from a path, or is what it was rotated from, begin with."""
    live = min(family(path), key=len)
    return live.rpartition(".")[0] or live


def file_at(path: str) -> FileId | None:
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

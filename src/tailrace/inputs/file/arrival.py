"""A file turns up at a path: whether it is one to read, from where on, and what is read before it.

One thread uses it.
"""

import time

from tailrace.inputs.file import standing
from tailrace.inputs.file.content import Content, is_compressed
from tailrace.inputs.file.generation import FileId, Generation, stream_key
from tailrace.inputs.file.inspection import Inspection
from tailrace.inputs.file.notes import note_of
from tailrace.inputs.file.order import read_after
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.restore import Restoring
from tailrace.inputs.file.succession import Succession
from tailrace.inputs.file.walk import Look
from tailrace.pipeline.platform import FileIdentity


class Arrival:
    """Takes up the files of one `input_file`."""

    def __init__(
        self, table: Registry, marks: standing.Marks, succession: Succession, restoring: Restoring, inspection: Inspection
    ) -> None:
        self._table = table
        self._config = table.config
        self._context = table.context
        self._marks = marks
        self._succession = succession
        self._restoring = restoring
        self._inspection = inspection

    def of(self, path: str, look: Look, first_seen_by: str, *, won: bool) -> bool:
        """A file that is not known stands at `path`; the words are those of `Files.look`. False when it must be shown again."""
        file = look[:2]
        note = self._table.notes.get(file)
        if won or file in self._table.taken_elsewhere or self._restoring.is_others(file):
            self._restoring.expect(file)
        if file in self._table.expected:  # known, but it could not be opened before
            return self._restoring.at(file, path)
        stood = won or bool(first_seen_by and self._stood_before(first_seen_by))
        if note is None and stood and self._note(path, look, first_seen_by):
            return True
        return self._opened(path, file) if note is None or note[1:3] != look[2:] else True

    def _stood_before(self, pattern: str) -> bool:
        return not self._config.tailing_all_matched_files and self._marks.is_new(pattern)

    def _note(self, path: str, look: Look, pattern: str) -> bool:
        """Note a file, without opening it. False when it is gone, or the server has something of it already."""
        try:
            born = self._context.platform.born_at(path)
        except OSError:
            return False
        if self._context.stored_end(stream_key(FileIdentity(look.st_dev, look.st_ino, born))) is not None:
            return False
        self._table.notes.add(look[:2], note_of(look, born), path, self._marks.name(pattern))
        return True

    def _opened(self, path: str, file: FileId) -> bool:
        """Open a file to read it, unless it is none of ours to read after all."""
        content = None if self._table.handles.lacking else self._table.open(path)
        if content is None:
            return False
        if content.file != file or self._is_no_log(path, content):
            content.close()
            return content.file == file  # else it was replaced just now
        return self._is_remounted(path, content) or self._begin(path, content)

    def _is_no_log(self, path: str, content: Content) -> bool:
        """Whether a file that turned up is a copy of what is read already, or compressed: it is left alone until it changes."""
        if is_compressed(content.read_at(8, 0)):
            self._context.count("compressed_files_skipped")
            status = content.status()
            self._table.left_alone[content.file] = status.st_size, status.st_mtime_ns
            return True
        return self._succession.is_copy(path, content, self._inspection.standing)

    def _is_remounted(self, path: str, content: Content) -> bool:
        """Whether it is the file that stood there, on a mount that has another device number now."""
        previous = self._table.at.get(path)
        if previous is None or previous.file[0] == content.file[0] or previous.file[1] != content.file[1]:
            return False
        if not (previous.born == content.identity.born and previous.holds(content)):
            return False
        position = previous.proof
        del self._table.generations[previous.file]
        previous.take(content, path)
        previous.go_on(position)
        self._table.generations[previous.file] = previous
        self._table.wanted(previous)
        return True

    def _begin(self, path: str, content: Content) -> bool:
        """Read a file from its beginning, or from where the server or a note says."""
        note = self._table.notes.get(content.file)
        self._table.is_known_copy(content)  # forgets a former file with its inode; what that was packed into is a copy still
        self._table.left_alone.pop(content.file, None)
        if copy := self._table.copies.pop(content.file, None):
            self._table.end_stream(*copy)
        previous = self._table.at.get(path)
        before = (previous.first_born, previous.modified) if previous is not None else self._table.last.get(path, (0, 0))
        generation = self._table.new(content, path, before=before)
        if generation is None:
            return False
        stored = self._context.stored_end(generation.key)
        if stored is not None and stored.is_in(content.read_at):
            generation.seek(stored.end)
            self._context.remember(generation.stream, generation.position())
        elif note is not None and note.born == content.identity.born:  # else the inode came back as another file
            limit, tail = self._config.max_event_bytes, standing.tail_bytes(self._config)
            generation.seek(standing.first_offset(content.descriptor, note.size, tail, limit, self._config.file_encoding))
        if note is not None:
            self._context.remember(generation.stream, generation.position())  # durable before its note goes
            self._table.notes.drop(content.file)
        self._follow_on(generation, path, before)
        return True

    def _follow_on(self, generation: Generation, path: str, before: tuple[int, int]) -> None:
        """`generation` stands at `path` now: it is read after what stood there before, and after what came and went in between."""
        if any(before):
            self._succession.verify_rotated(path)
        previous = self._table.at.get(path)
        if previous is not None and previous is not generation and previous.is_open:
            previous = self._inspection.as_it_is(previous)
        if any(before):  # what was found just now came before it
            generation.opened = time.time_ns()
            self._context.remember(generation.stream, generation.position())
        if previous is not None and previous is not generation:
            previous.displaced, previous.drained = True, False
            self._inspection.keep_nameless(previous)
            self._table.wanted(previous)
        self._table.at[path] = generation
        for next_ in [*(self._succession.missed.between(*before, generation, path) if any(before) else []), generation]:
            if previous is not None and previous is not next_:
                read_after(previous, next_)
            previous = next_
            self._table.wanted(next_)

"""Files that stood there before a config arrived, noted with birth time, size and mtime: many of them in one durable row.

A note says that nothing of its file is to be read before the file changes, and up to where it was old then. It goes when the file is opened
(its own stream says the rest) or is gone.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tailrace.inputs.file.generation import LAYOUT, FileId, born_of, file_of
from tailrace.inputs.file.walk import Look
from tailrace.pipeline.contract import InputContext, Position, StreamState

PREFIX = "standing:"
ROW_FILES = 500
"""Files of one row: it is written as a whole when one of them goes."""


class Note(NamedTuple):
    born: int
    size: int
    modified: int
    row: str
    """Key of the stream that keeps it; empty when another lane of this target keeps it too."""


@dataclass(slots=True)
class _Row:
    directory: str
    device: int
    stream: str = ""
    files: int = 0
    modified: int = 0
    """When one of its files was last written (ns), as it was loaded."""


class Notes:
    """The notes of one `input_file`."""

    def __init__(self, context: InputContext, states: Iterable[StreamState]) -> None:
        self._context = context
        self._files: dict[FileId, Note] = {}
        self._rows: dict[str, _Row] = {}
        self._filling: dict[str, int] = {}
        self._changed: set[str] = set()
        self._former: list[StreamState] = []
        for state in states:
            if state.key.startswith(PREFIX):
                self._load(state)
            elif "standing" in state.next:  # a stream for each file, as releases before 0.1.0 had it
                size, modified = state.next["standing"]
                self.add(file_of(state.key), Note(born_of(state.key), int(size), int(modified), ""), str(state.next["path"]), "")
                self._former.append(state)

    def __contains__(self, file: object) -> bool:
        return file in self._files

    def get(self, file: FileId) -> Note | None:
        return self._files.get(file)

    def add(self, file: FileId, note: Note, path: str, mark: str) -> None:
        """Note the file at `path`; durable with the next `save`. `mark` names the pattern that found it."""
        directory = path.rpartition("/")[0] or "/"
        key = self._row_for(f"{PREFIX}{mark}:{_digest(directory)}", directory, file[0])
        self._rows[key].files += 1
        self._files[file] = note._replace(row=key)
        self._changed.add(key)

    def changed(self, watch: Callable[[str], object]) -> Iterator[tuple[str, Look] | None]:
        """Path and look of the noted files that have changed and stand in the directory where they stood; None after each directory. Those
        directories come first in which a file was written last, and each is watched first. A walk takes several times as long for each
        file."""
        latest: dict[str, tuple[int, int]] = {}
        for row in self._rows.values():
            latest[row.directory] = max(latest.get(row.directory, (0, 0)), (row.modified, row.device))
        for directory, (_, device) in sorted(latest.items(), key=lambda one: one[1], reverse=True):
            watch(directory)
            yield from self._changed_in(directory, device)
            yield None

    def _changed_in(self, directory: str, device: int) -> Iterator[tuple[str, Look]]:
        if _device(directory) != device:
            return
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    note = self._files.get((device, entry.inode()))
                    if note is None:
                        continue
                    status = entry.stat()
                    if (status.st_size, status.st_mtime_ns) != note[1:3]:
                        yield entry.path, Look.of(status)
        except OSError:
            return  # the walk sees what became of it

    def drop(self, file: FileId) -> Note | None:
        """The file is opened or gone."""
        note = self._files.pop(file, None)
        if note is not None and note.row:
            self._changed.add(note.row)
        return note

    def prune(self, here: Set[FileId]) -> None:
        """Drop the notes of files that are neither `here` nor, under another name, in the directory where they stood."""
        missing: dict[str, list[FileId]] = {}
        for file in self._files.keys() - here:
            missing.setdefault(self._files[file].row, []).append(file)
        for key, files in missing.items():
            row = self._rows[key]
            inodes = _inodes(row.directory, row.device)
            if inodes is not None:
                for file in files:
                    if file[1] not in inodes:
                        self.drop(file)

    def save(self) -> None:
        """Make what has changed durable."""
        contents: dict[str, list[str]] = {key: [] for key in self._changed}
        for (_, inode), note in self._files.items():
            if note.row in contents:
                contents[note.row].append(f"{inode:x}:{note.born:x}:{note.size:x}:{note.modified:x}")
        for key, files in contents.items():
            row = self._rows[key]
            position: Position = {"v": LAYOUT, "directory": row.directory, "device": row.device, "files": " ".join(files)}
            row.files = len(files)
            row.stream = row.stream or self._context.open_stream(key, position) or ""
            if row.stream:  # else another lane of this target keeps the same notes
                self._context.remember(row.stream, position)
        self._changed.clear()
        for state in self._former:
            if stream := self._context.open_stream(state.key, state.next):
                self._context.end_stream(stream)
        self._former.clear()

    def _load(self, state: StreamState) -> None:
        position = state.next
        directory, device = str(position["directory"]), int(position["device"])
        files = str(position["files"]).split()
        stream = self._context.open_stream(state.key, position) or ""
        now_on = _device(directory)
        if now_on not in (None, device):  # the mount has another number now; what it holds is told by the birth times
            device = now_on or device
            self._changed.add(state.key)
        row = self._rows[state.key] = _Row(directory, device, stream, len(files))
        for text in files:
            inode, born, size, modified = text.split(":")
            note = self._files[device, int(inode, 16)] = Note(int(born, 16), int(size, 16), int(modified, 16), state.key)
            row.modified = max(row.modified, note.modified)

    def _row_for(self, prefix: str, directory: str, device: int) -> str:
        number = self._filling.get(prefix, 0)
        while (row := self._rows.get(f"{prefix}:{number:x}")) is not None and (row.files >= ROW_FILES or row.device != device):
            number += 1
        self._filling[prefix] = number
        key = f"{prefix}:{number:x}"
        self._rows.setdefault(key, _Row(directory, device))
        return key


def note_of(look: Look, born: int) -> Note:
    return Note(born, look.st_size, look.st_mtime_ns, "")


@functools.lru_cache(16)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _device(directory: str) -> int | None:
    try:
        return Path(directory).stat().st_dev
    except OSError:
        return None


def _inodes(directory: str, device: int) -> set[int] | None:
    """All inodes of a directory; None when it cannot be listed, or another mount stands there."""
    if _device(directory) != device:
        return None
    try:
        with os.scandir(directory) as entries:
            return {entry.inode() for entry in entries}
    except OSError:
        return None

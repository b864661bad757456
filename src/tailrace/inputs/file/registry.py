"""Which generation stands where: the one table that all of an `input_file` shares. One thread uses it."""

import contextlib
import errno
import math
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import is_still, proof_of_copy
from tailrace.inputs.file.generation import LAYOUT, TICK_NS, FileId, Generation, is_key_of, stream_key
from tailrace.inputs.file.losses import Losses
from tailrace.inputs.file.notes import Notes
from tailrace.inputs.file.roots import Roots
from tailrace.inputs.file.rotation import open_content
from tailrace.inputs.file.walk import Look
from tailrace.pipeline.contract import InputContext, Position
from tailrace.pipeline.platform import FileIdentity

SPARE_HANDLES = 8
"""So many are left when a file is taken up, for the copies and the rotated files that are compared with it."""
UNSETTLED = -1
"""In place of the mtime of a copy that was written just now: another file may get its inode, size and mtime within the same tick."""
LAST_KEPT = 10_000
"""Paths whose last generation is remembered: dated names never come back."""


@dataclass(slots=True)
class HandleState:
    lacking: bool = False
    """The last file that was opened left few handles, or there was none for it: none is taken up before others are closed."""


@dataclass(slots=True)
class Registry:
    """The generations at work, the files that only stand there, and those that are left alone."""

    config: FileConfig
    context: InputContext
    roots: Roots
    wanted: Callable[[Generation], None]
    """Takes what is to be read."""
    losses: Losses
    notes: Notes
    """Files that stood there before the config arrived."""
    generations: dict[FileId, Generation] = field(default_factory=dict[FileId, Generation])
    at: dict[str, Generation] = field(default_factory=dict[str, Generation])
    """By path, the generation that was seen there last."""
    keys: set[str] = field(default_factory=set[str])
    """Of the streams that are at work, that say what is a copy, or that the checkpoint knows and that were not taken up yet."""
    originals: set[str] = field(default_factory=set[str])
    """Keys of the streams that copies are known to be of; they may have ended."""
    left_alone: dict[FileId, tuple[int, int]] = field(default_factory=dict[FileId, tuple[int, int]])
    """Compressed files and copies: their size and mtime, at which they are no logs. A mtime of UNSETTLED: only what is in it tells."""
    taken_elsewhere: set[FileId] = field(default_factory=set[FileId])
    """Another lane of the same target reads them; it may let them go."""
    copies: dict[FileId, tuple[str, Position]] = field(default_factory=dict[FileId, tuple[str, Position]])
    """Copies of what is read from elsewhere: stream key of the note, and the note. The position in it is that of the end."""
    replaced: set[str] = field(default_factory=set[str])
    """Paths where another file was found that has the inode of a known one, which is gone: it has not arrived yet."""
    copies_gone: list[tuple[str, Position]] = field(default_factory=list[tuple[str, Position]])
    """Notes of those whose inodes other files have now: what a copy was packed into is still to be found."""
    last: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Of paths whose last generation has ended: its birth time and last writing, so that what came after it is not missed."""
    expected: dict[FileId, tuple[int, Position]] = field(default_factory=dict[FileId, tuple[int, Position]])
    """Files that the checkpoint knows and that were not taken up yet, with their birth time and what is known of them last: the inode may
    be another file's by now."""
    awaited: Callable[[], list[Position]] = list
    """Of the streams that the checkpoint knows and that were not taken up yet: where they stand."""
    handles: HandleState = field(default_factory=HandleState)
    scanned_at: int = 0
    """Wall clock in ns at which the last completed scan began; 0 before: what came while no agent ran counts as just found."""

    meanwhile: Callable[[], None] | None = None
    """Called again and again while a compressed file is unpacked."""

    def is_left(self, look: Look) -> bool:
        """Whether a file is one that is left alone, and still is what it was then."""
        return self.left_alone.get(look[:2]) == look[2:]

    # --- copies -----------------------------------------------------------------------------------------------------------------
    def leave_copy(self, path: str, content: Content, of: str, *, key: str = "") -> None:
        """Keep in mind, durably, that a file is a copy of what is read from elsewhere, as the stream with the key `of`. `key`: of a stream
        that is nothing but this note from now on."""
        look = self._leave_alone(content)
        if look[0]:
            key = key or self._note_key(content) or self.free_key(content.identity)
            position: Position = {"v": LAYOUT, "copy": list(look), "path": path, "of": of, **proof_of_copy(content, look[0])}
            if (stream := self.context.open_stream(key, position)) is not None:
                self.context.remember(stream, position)
                self.note_copy(content.file, key, position)

    def _leave_alone(self, content: Content) -> tuple[int, int]:
        status = content.status()
        settled = time.time_ns() - status.st_mtime_ns > TICK_NS
        look = self.left_alone[content.file] = status.st_size, status.st_mtime_ns if settled else UNSETTLED
        return look

    def note_copy(self, file: FileId, key: str, position: Position) -> None:
        """The stream `key` says at `position` that a file is a copy."""
        self.keys.add(key)
        self.originals.add(str(position.get("of", "")))
        self.copies[file] = key, position

    def _note_key(self, content: Content) -> str:
        """Key of the note that there is of a file already; empty when there is none."""
        key = self.copies[content.file][0] if content.file in self.copies else ""
        return key if key and is_key_of(key, content.identity) else ""

    def is_known_copy(self, content: Content) -> bool:
        """Whether an open file is one that was found to be a copy. What is known of a former file with its inode is forgotten, and what is
        known of a copy that has grown since: it was in the making, and may begin like others too."""
        note = self.copies.get(content.file)
        if note is None:
            return False
        is_same = bool(self._note_key(content)) and is_still(content, note[1])
        has_grown = is_same and not content.is_unpacked and content.status().st_size > int(note[1]["copy"][0])
        if is_same and not has_grown:
            self._leave_alone(content)
            return True
        self.left_alone.pop(content.file, None)
        del self.copies[content.file]
        if has_grown:
            self.end_stream(*note)
        else:
            self.copies_gone.append(note)
        return False

    # --- opening ----------------------------------------------------------------------------------------------------------------
    def content(self, path: str, *, unpack: bool = True) -> Content:
        """`open_content` within the bounds of the root that the path lies in, whatever its links lead to by now. OSError."""
        platform, beneath = self.context.platform, self.roots.beneath(path)
        try:
            content = open_content(platform, path, beneath=beneath, unpack=unpack, meanwhile=self.do_meanwhile)
        except OSError as error:
            self.handles.lacking = self.handles.lacking or error.errno == errno.EMFILE
            raise
        self.handles.lacking = self.handles.lacking or content.descriptor >= platform.file_handles - SPARE_HANDLES
        return content

    def do_meanwhile(self) -> None:
        if self.meanwhile is not None:
            self.meanwhile()

    def open(self, path: str) -> Content | None:
        """The file at `path`, as it is; None, with an alarm where that is called for, when it cannot be opened."""
        try:
            content = self.content(path, unpack=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            kind = {errno.EACCES: "LOGFILE_PERMINSSION_ALARM", errno.EMFILE: "OPEN_FILE_LIMIT_ALARM"}.get(
                error.errno or 0, "OPEN_LOGFILE_FAIL_ALARM"
            )
            self.context.alarm(kind, "cannot open the file", path=path, reason=(error.strerror or str(error)).lower())
            return None
        for kind in ("LOGFILE_PERMINSSION_ALARM", "OPEN_FILE_LIMIT_ALARM", "OPEN_LOGFILE_FAIL_ALARM"):
            self.context.resolved(kind, path=path)
        return content

    def new(
        self, content: Content, path: str, *, location: str = "", opened: int = 0, before: tuple[int, int] = (0, 0)
    ) -> Generation | None:
        """A generation from the beginning of an open file; None, and the file closed, when it is not ours to read."""
        key = self.free_key(content.identity)
        generation = Generation(key, content.file, content.identity.born, path, location or path, content=content)
        generation.known_as(self.roots.of(path))
        generation.opened, generation.before = opened or time.time_ns(), before
        generation.look_into()
        if not self.take_stream(generation):
            return None
        if not self.config.tailing_all_matched_files:
            generation.read_to_end_at = self.scanned_at
        return generation

    def take_stream(self, generation: Generation, position: Position | None = None) -> bool:
        """Open its stream and add it; False, and its file closed, when another pipeline reads it for the same target, or has done so since
        the position was looked up: then it is looked up anew when the file is seen next."""
        stream = self.context.open_stream(generation.key, position or generation.position(), unmoved=True)
        if stream is None:
            if generation.content is not None:
                generation.content.close()
                generation.content = None
            self.leave_to_other(generation.file, generation.location)
            return False
        self.taken_elsewhere.discard(generation.file)
        self.keys.add(generation.key)
        generation.stream = stream
        self.generations[generation.file] = generation
        return True

    def free_key(self, identity: FileIdentity) -> str:
        """The key of a new stream of a file; one of its own also where what began in this file goes on elsewhere, or where something is
        known of another file with its inode that was born within the same tick of the clock."""
        key = stream_key(identity)
        is_free = not (key in self.keys or key in self.originals or key in self.losses)
        return key if is_free else stream_key(identity, f"~{time.time_ns():x}")

    # --- letting go -------------------------------------------------------------------------------------------------------------
    def let_go(self, path: str) -> None:
        """Another pipeline has the better claim on this path: what stands there now is read to its end, then it is left to that one."""
        if generation := self.at.get(path):
            generation.leaving_by = math.inf
            self.wanted(generation)
        else:
            with contextlib.suppress(OSError):
                status = Path(path).stat()
                self.notes.drop((status.st_dev, status.st_ino))

    def leave_to_other(self, file: FileId, path: str) -> None:
        if file not in self.taken_elsewhere:
            message = "another pipeline reads this file for the same target; it is read once"
            self.context.alarm("MULTI_CONFIG_MATCH_ALARM", message, path=path)
        self.taken_elsewhere.add(file)

    def forget(self, generation: Generation) -> None:
        """Nothing more will come from it."""
        generation.close()
        self.end(generation)
        self.drop(generation)

    def end(self, generation: Generation) -> None:
        """Its stream is over."""
        self.context.end_stream(generation.stream)
        self.keys.discard(generation.key)
        generation.ended = True

    def drop(self, generation: Generation) -> None:
        """It is no longer ours to read."""
        generation.ended = True
        self.keep_last(generation)
        self.release_followers(generation)
        if self.generations.get(generation.file) is generation:
            del self.generations[generation.file]
        for path in [path for path, one in self.at.items() if one is generation]:
            del self.at[path]

    def keep_last(self, generation: Generation) -> None:
        self.last.pop(generation.path, None)
        self.last[generation.path] = generation.first_born, generation.modified
        if len(self.last) > LAST_KEPT:
            del self.last[next(iter(self.last))]

    def end_stream(self, key: str, position: Position) -> None:
        """End a stream that no generation reads."""
        self.keys.discard(key)
        if stream := self.context.open_stream(key, position):
            self.context.end_stream(stream)

    def release_followers(self, generation: Generation) -> None:
        followers, generation.followers = generation.followers, []
        for follower in followers:
            follower.after = None
            self.wanted(follower)

    def prune(self, here: Set[FileId], standing: Callable[[str, FileId], bool]) -> list[Position]:
        """Forget what was left alone and is not there any more: its inode may come back as another file. The notes of copies that went."""
        self.taken_elsewhere &= here
        gone = [note for _, note in self.copies_gone]
        for key, _ in self.copies_gone:
            self.end_stream(key, {})
        self.copies_gone.clear()
        for file in [file for file in self.left_alone if file not in here]:
            if file in self.copies and standing(str(self.copies[file][1]["path"]), file):
                continue
            del self.left_alone[file]
            if note := self.copies.pop(file, None):
                gone.append(note[1])
                self.end_stream(note[0], {})
        if gone:
            self.originals = {str(note.get("of", "")) for _, note in self.copies.values()}
        return gone

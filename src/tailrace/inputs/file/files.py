"""All files of one `input_file`: which generation stands where, and what to do when that changes.

One thread uses it. What is to be read is handed to `wanted`; reading itself is the reader's.
"""

import errno
import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tailrace.inputs.file import standing
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.generation import FileId, Generation, born_of, file_of, stream_key
from tailrace.inputs.file.rotation import find_file, rotated_between
from tailrace.inputs.file.walk import Look, Scan
from tailrace.pipeline.contract import InputContext, Position, StreamState
from tailrace.pipeline.platform import FileIdentity, is_below

IDLE_SECS = 300.0
"""A file without growth for so long is closed (the manual's 5 min); a look at its path opens it again."""
ROTATED_SECS = 3600.0
"""So long a rotated file is held that no path leads to any more: its writer may still have it open."""


class Files:
    """The generations at work, the files that only stand there, and those that are left alone."""

    def __init__(self, config: FileConfig, context: InputContext, wanted: Callable[[Generation], None]) -> None:
        self._config = config
        self._context = context
        self._wanted = wanted
        self._generations: dict[FileId, Generation] = {}
        self._at: dict[str, Generation] = {}
        self._noted: dict[FileId, tuple[str, Position]] = {}
        self._left_alone: set[FileId] = set()
        self._taken_elsewhere: set[FileId] = set()
        """Another lane of the same target reads them; it may let them go."""
        self._states: dict[FileId, list[StreamState]] = {}
        self._scanned_at = 0
        """Wall clock in ns at which the last completed scan began; 0 before: what came while no agent ran counts as just found."""
        states = list(context.streams)
        self._marks = standing.Marks(config, states)
        for state in sorted((one for one in states if not one.key.startswith(standing.MARK_PREFIX)), key=lambda one: one.key):
            self._states.setdefault(file_of(state.key), []).append(state)

    # --- scans ------------------------------------------------------------------------------------------------------------------
    def begin(self, scan: Scan) -> list[str]:
        """The first scan: take up what the checkpoint knows, then what is new, then note that everything here was seen. The paths that
        must be shown again."""
        here = {status[:2]: path for path, status in scan.files.items()}
        for file in [file for file in self._states if file not in here]:
            self._find_elsewhere(file, self._states.pop(file))
        for file in [file for file in self._states if file in here]:
            self._restore(file, self._states.pop(file), here[file])
        again = [path for path, status in scan.files.items() if not self.look(path, status, first_seen_by=scan.first_pattern[path])]
        for key, position, new in self._marks.settle():
            stream = self._context.open_stream(key, position)
            if stream is not None and new:
                self._context.remember(stream, position)
        self._scanned_at = scan.began_at
        return again

    def rescan(self, scan: Scan) -> list[str]:
        """What a later scan found new or changed. The paths that must be shown again."""
        again = [path for path, status in scan.files.items() if not self.look(path, status, won=path in scan.won)]
        here = scan.here()
        self._left_alone &= here
        self._taken_elsewhere &= here
        for generation in [one for one in self._generations.values() if not one.is_open and one.file not in here]:
            if _is_gone(generation.location, generation.file):
                self.end(generation)
        self._close_idle(here)
        self._scanned_at = scan.began_at
        return again

    def look(self, path: str, status: Look, *, first_seen_by: str = "", won: bool = False) -> bool:
        """A file stands at `path`. `first_seen_by`: the pattern that found it, in the first scan; `won`: it was another pipeline's until
        now. False when it could not be taken up and must be shown again."""
        file = status[:2]
        current = self._at.get(path)
        if current is not None and current.file == file:
            current.displaced = False
            self._grown(current, status)
            return True
        if file in self._left_alone:
            return True
        if known := self._generations.get(file):
            known.location = path
            self._at[path] = known
            self._grown(known, status)
            return True
        return self._arrived(path, file, status, first_seen_by, won=won)

    def vanished(self, path: str) -> None:
        """Nothing stands at `path` any more. What was there is read to its end through its handle."""
        if generation := self._at.get(path):
            generation.displaced = True
            self._wanted(generation)

    # --- one file ---------------------------------------------------------------------------------------------------------------
    def _grown(self, generation: Generation, status: Look) -> None:
        if (status.st_size, status.st_mtime_ns) == (generation.size, generation.modified):
            return
        generation.drained = False
        self._wanted(generation)

    def _arrived(self, path: str, file: FileId, status: Look, first_seen_by: str, *, won: bool) -> bool:
        noted = self._noted.get(file)
        if noted is not None and not standing.changed(noted[1], status):
            return True
        if won or file in self._taken_elsewhere:
            self._states[file] = [state for state in self._context.streams if _is_of(state, file)]
        if states := self._states.pop(file, None):  # known, but it could not be opened before
            return self._restore(file, states, path)
        opened = self._open_same(file, path)
        return opened is not None and self._take_up(path, file, status, first_seen_by, opened, won=won)

    def _take_up(self, path: str, file: FileId, status: Look, first_seen_by: str, opened: tuple[int, FileIdentity], *, won: bool) -> bool:
        noted, (descriptor, identity) = self._noted.get(file), opened
        key = stream_key(identity)
        stored = self._context.stored_end(key)
        if noted is None and stored is None and (won or (first_seen_by and self._stood_before(first_seen_by))):
            os.close(descriptor)
            return self._note(key, file, path, status)
        generation = self._new(key, identity, path, descriptor)
        if generation is None:
            return False
        if stored is not None and stored <= status.st_size:
            generation.seek(stored)
            self._context.remember(generation.stream, generation.position())
        elif noted is not None and noted[0] == key:
            limit, tail = self._config.max_event_bytes, standing.tail_bytes(self._config)
            generation.seek(standing.first_offset(descriptor, noted[1], tail, limit))
        self._noted.pop(file, None)
        self._follow_on(generation, path)
        return True

    def _stood_before(self, pattern: str) -> bool:
        return not self._config.tailing_all_matched_files and self._marks.is_new(pattern)

    def _note(self, key: str, file: FileId, path: str, status: Look) -> bool:
        position = standing.noted(status, path)
        stream = self._context.open_stream(key, position)
        if stream is None:
            self._leave_to_other(file, path)
            return False
        self._context.remember(stream, position)
        self._noted[file] = key, position
        return True

    def _new(self, key: str, identity: FileIdentity, path: str, descriptor: int) -> Generation | None:
        """A generation from the beginning of an open file; None, and the file closed, when it is not ours to read."""
        generation = Generation(key, (identity.device, identity.inode), identity.born, path, path, descriptor=descriptor)
        stream = self._context.open_stream(key, generation.position())
        if stream is None:
            self._leave_to_other(generation.file, path)
            os.close(descriptor)
            return None
        generation.stream = stream
        self._taken_elsewhere.discard(generation.file)
        if not self._config.tailing_all_matched_files:
            generation.read_to_end_at = self._scanned_at
        self._generations[generation.file] = generation
        return generation

    def _leave_to_other(self, file: FileId, path: str) -> None:
        if file not in self._taken_elsewhere:
            message = "another pipeline reads this file for the same target; it is read once"
            self._context.alarm("MULTI_CONFIG_MATCH_ALARM", message, path=path)
        self._taken_elsewhere.add(file)

    # --- letting go -------------------------------------------------------------------------------------------------------------
    def let_go(self, path: str) -> None:
        """Another pipeline has the better claim on this path: what stands there now is read to its end, then it is left to that one."""
        if generation := self._at.get(path):
            generation.leaving_by = math.inf
            self._wanted(generation)
        for file, (key, position) in list(self._noted.items()):
            if position["path"] == path and (stream := self._context.open_stream(key, position)):
                self._context.leave_stream(stream, position)
                del self._noted[file]

    def let_go_below(self, directory: str, until: float, kept: Callable[[str], bool]) -> None:
        """A root is gone: its files are read to their end, at most until then (monotonic seconds), unless another root covers them."""
        for generation in self._generations.values():
            if not generation.leaving_by and is_below(generation.path, directory) and not kept(generation.path):
                generation.leaving_by, generation.root_gone = until, True
                self._wanted(generation)

    def leave(self, generation: Generation) -> None:
        """It has been read to its end and is let go."""
        if generation.root_gone:
            self.end(generation)
            return
        generation.close()
        self._context.leave_stream(generation.stream, generation.saved)
        self._forget(generation)

    def _follow_on(self, generation: Generation, path: str) -> None:
        """`generation` stands at `path` now: it is read after what stood there before, and after what came and went in between."""
        previous = self._at.get(path)
        self._at[path] = generation
        if previous is not None and previous is not generation:
            previous.displaced, previous.drained = True, False
            self._wanted(previous)
            for missed in self._missed(previous, generation, path):
                _read_after(previous, missed)
                previous = missed
            _read_after(previous, generation)
        self._wanted(generation)

    def _missed(self, previous: Generation, generation: Generation, path: str) -> Iterable[Generation]:
        known = {*self._generations, *self._noted, *self._left_alone}
        for identity, location in rotated_between(self._context.platform, path, previous.born, known):
            if identity.born > generation.born or (opened := self._open(location)) is None:
                continue
            missed = self._new(stream_key(identity), identity, path, opened[0])
            if missed is not None:
                missed.location, missed.displaced = location, True
                yield missed

    def truncated(self, generation: Generation) -> Generation:
        """The file was emptied or written anew: a new generation from its beginning, on the same handle."""
        self._context.count("truncations")
        key = f"{generation.key.split('~')[0]}~{time.time_ns():x}"
        fresh = Generation(key, generation.file, generation.born, generation.path, generation.location, descriptor=generation.descriptor)
        fresh.read_to_end_at = generation.read_to_end_at
        fresh.displaced, fresh.followers, generation.followers = generation.displaced, generation.followers, []
        for follower in fresh.followers:
            follower.after = fresh
        generation.descriptor = -1
        self._context.end_stream(generation.stream)
        fresh.stream = self._context.open_stream(key, fresh.position()) or ""
        self._generations[generation.file] = fresh
        for path in [path for path, one in self._at.items() if one is generation]:
            self._at[path] = fresh
        return fresh

    def end(self, generation: Generation) -> None:
        """Nothing more will come from it."""
        generation.close()
        self._context.end_stream(generation.stream)
        self._forget(generation)

    def _forget(self, generation: Generation) -> None:
        self.release_followers(generation)
        if self._generations.get(generation.file) is generation:
            del self._generations[generation.file]
        for path in [path for path, one in self._at.items() if one is generation]:
            del self._at[path]

    def leave_compressed(self, generation: Generation) -> None:
        """It turned out to hold a compressed copy, no log."""
        self._context.count("compressed_files_skipped")
        self._left_alone.add(generation.file)
        self.end(generation)

    def release_followers(self, generation: Generation) -> None:
        followers, generation.followers = generation.followers, []
        for follower in followers:
            follower.after = None
            self._wanted(follower)

    # --- opening and closing ----------------------------------------------------------------------------------------------------
    def _open(self, path: str) -> tuple[int, FileIdentity] | None:
        try:
            descriptor = self._context.platform.open_file(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            kind = {errno.EACCES: "LOGFILE_PERMINSSION_ALARM", errno.EMFILE: "OPEN_FILE_LIMIT_ALARM"}.get(
                error.errno or 0, "OPEN_LOGFILE_FAIL_ALARM"
            )
            self._context.alarm(kind, "cannot open the file", path=path, reason=(error.strerror or str(error)).lower())
            return None
        return descriptor, self._context.platform.identity(descriptor)

    def reopen(self, generation: Generation) -> bool:
        """Open a closed generation, wherever it is now; False when that is not possible. It may turn out to have been truncated."""
        opened = self._open_same(generation.file, generation.location)
        if opened is None and (location := find_file(str(Path(generation.location).parent), generation.file)):
            generation.location = location
            opened = self._open_same(generation.file, location)
        if opened is None:
            return False
        generation.descriptor = opened[0]
        if not generation.resume():
            self._wanted(self.truncated(generation))
            return False
        return True

    def _open_same(self, file: FileId, path: str) -> tuple[int, FileIdentity] | None:
        """None also when another file stands there by now; the next look sees it."""
        opened = self._open(path)
        if opened is not None and (opened[1].device, opened[1].inode) != file:
            os.close(opened[0])
            return None
        return opened

    def _close_idle(self, here: set[FileId]) -> None:
        now = time.monotonic()
        for generation in self.open_generations:
            status = os.fstat(generation.descriptor)
            read_to_end = generation.drained and status.st_size == generation.offset
            quiet_for = IDLE_SECS if generation.file in here else ROTATED_SECS
            if read_to_end and now - generation.grown_at > quiet_for and status.st_nlink and not generation.followers:
                generation.close()

    def close(self) -> None:
        for generation in self._generations.values():
            generation.close()

    # --- what the checkpoint knows ----------------------------------------------------------------------------------------------
    def _restore(self, file: FileId, states: list[StreamState], location: str) -> bool:
        """Take up a file of a former run. Of several generations the last one may go on; the file may also be another by now. False when
        it cannot be opened now."""
        opened = self._open(location)
        if opened is None:
            self._states[file] = states
            return False
        descriptor, identity = opened
        *older, last = states
        for state in older:
            self._end_state(state)
        if (identity.device, identity.inode) != file or born_of(last.key) != identity.born:
            os.close(descriptor)
            self._end_state(last)
            return False
        if standing.is_noted(last.next):
            os.close(descriptor)
            self._context.open_stream(last.key, last.next)
            self._noted[file] = last.key, last.next
            return True
        return self._resume(last, identity, location, descriptor)

    def _resume(self, state: StreamState, identity: FileIdentity, location: str, descriptor: int) -> bool:
        path = str(state.next["path"])
        generation = Generation(state.key, (identity.device, identity.inode), identity.born, path, location, descriptor=descriptor)
        stream = self._context.open_stream(state.key, state.next)
        if stream is None:
            os.close(descriptor)
            self._leave_to_other(generation.file, location)
            return False
        self._taken_elsewhere.discard(generation.file)
        generation.stream, generation.saved = stream, state.next
        generation.read_to_end_at = int(state.next.get("read_to_end_at", 0))
        self._generations[generation.file] = generation
        self._at[location] = generation
        if location != path and path not in self._at:
            self._at[path], generation.displaced = generation, True
        stored = self._context.stored_end(state.key)
        if stored is not None and stored <= os.fstat(descriptor).st_size:
            generation.seek(stored)
            self._context.remember(stream, generation.position())
        elif not generation.resume():
            generation = self.truncated(generation)
        self._wanted(generation)
        return True

    def _find_elsewhere(self, file: FileId, states: list[StreamState]) -> None:
        """Known files that no pattern finds: rotated away, or gone."""
        path = str(states[-1].next["path"])
        if location := find_file(str(Path(path).parent), file):
            self._restore(file, states, location)
            if self._context.claims.better(self._context.pipeline, location):
                self.let_go(location)
        elif _is_gone(path, file):
            for state in states:
                self._end_state(state)

    def _end_state(self, state: StreamState) -> None:
        if stream := self._context.open_stream(state.key, state.next):
            self._context.end_stream(stream)

    @property
    def leaving(self) -> list[Generation]:
        return [one for one in self._generations.values() if one.leaving_by]

    # --- for the schedule -------------------------------------------------------------------------------------------------------
    @property
    def generations(self) -> list[Generation]:
        """All that are at work, open or closed; from any thread."""
        return list(self._generations.values())

    @property
    def open_generations(self) -> list[Generation]:
        return [one for one in self._generations.values() if one.is_open]


def _is_of(state: StreamState, file: FileId) -> bool:
    return not state.key.startswith(standing.MARK_PREFIX) and file_of(state.key) == file


def _read_after(first: Generation, second: Generation) -> None:
    second.after = first
    first.followers.append(second)


def _is_gone(path: str, file: FileId) -> bool:
    """Whether a file that is not found has been deleted, rather than its whole mount being away."""
    try:
        return Path(path).parent.stat().st_dev == file[0] and find_file(str(Path(path).parent), file) is None
    except OSError:
        return False

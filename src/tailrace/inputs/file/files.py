"""All files of one `input_file`: what to do when a file appears, grows, moves, or goes away.

One thread uses it. What is to be read is handed to `wanted`; reading itself is the reader's.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tailrace.inputs.file import standing
from tailrace.inputs.file.arrival import Arrival
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.deleted import Deleted
from tailrace.inputs.file.generation import FileId, Generation
from tailrace.inputs.file.inspection import Inspection
from tailrace.inputs.file.losses import Losses
from tailrace.inputs.file.notes import Notes
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.reopening import look_where_it_is
from tailrace.inputs.file.restore import Restoring
from tailrace.inputs.file.roots import Roots
from tailrace.inputs.file.rotation import family, find_file, live_first
from tailrace.inputs.file.succession import Succession
from tailrace.inputs.file.unsearched import Unsearched
from tailrace.inputs.file.walk import Directory, Look, Scan, child, look_at
from tailrace.pipeline.contract import InputContext
from tailrace.pipeline.platform import is_below

ROTATED_SECS = 3600.0
"""So long a rotated file is held that no path leads to any more: its writer may still have it open."""


class Files:
    """Follows every change of the files that one config names."""

    def __init__(self, config: FileConfig, context: InputContext, roots: Roots, wanted: Callable[[Generation], None]) -> None:
        self._config = config
        self._context = context
        states = list(context.streams)
        self._marks = standing.Marks(config, states)
        self.losses = Losses(context, states)
        self._table = Registry(config, context, roots, wanted, self.losses, Notes(context, states))
        self.handles = self._table.handles
        self._succession = Succession(self._table)
        self._restoring = Restoring(self._table, self._succession, states)
        self.inspection = Inspection(self._table, self._succession, lambda path, look: self.look(path, look, changed=True))
        self._arrival = Arrival(
            self._table, self._marks, succession=self._succession, restoring=self._restoring, inspection=self.inspection
        )
        self._table.scanned_at = self._marks.scanned_at
        self._unsearched = Unsearched()
        self._deleted = Deleted(context.bounds.deleted)

    def while_unpacking(self, meanwhile: Callable[[], None]) -> None:
        """`meanwhile` is called again and again while a compressed file is unpacked."""
        self._table.meanwhile = meanwhile

    # --- scans ------------------------------------------------------------------------------------------------------------------
    def go_on(self, is_ours: Callable[[str], bool], watch: Callable[[str], object]) -> Iterator[None]:
        """Before the first scan, in steps: what is known and stands where it stood goes on at once, those first that were written last;
        then what was only noted and has changed. `watch`: to be told of changes in a directory from now on."""
        for file, path in self._restoring.standing():
            if is_ours(path) and (look := look_at(path)) is not None and look[:2] == file:
                self._restoring.at_once(file, path, look)
            yield
        for found in self._table.notes.changed(watch):
            if found is not None and is_ours(found[0]):
                self._changed_since_noted(*found)
            yield

    def changed_in(self, directory: Directory) -> None:
        """During the first scan: files of a directory that were only noted and have changed are read at once."""
        for name, look in directory.files.items():
            note = self._table.notes.get(look[:2])
            if note is not None and note[1:3] != look[2:]:
                self._changed_since_noted(child(directory.path, name), look)

    def changed_early(self, path: str) -> None:
        """During the first scan, an event tells of a path of ours: what is known to stand there is read at once."""
        look = look_at(path)
        if look is None:
            return
        current, note = self._table.at.get(path), self._table.notes.get(look[:2])
        if current is not None and current.file == look[:2]:
            self._grown(current, look, changed=True)
        elif note is not None and note[1:3] != look[2:]:
            self._changed_since_noted(path, look)

    def _changed_since_noted(self, path: str, look: Look) -> None:
        """What may have been rotated away from another file that is there, or was, is left until all files are known."""
        if any(one in self._table.at or look_at(one) is not None for one in family(path) if one != path) or path in self._table.at:
            return
        self.look(path, look)

    def begin(self, scan: Scan) -> list[str]:
        """The first scan: take up what the checkpoint knows, then what is new, then note that everything here was seen. The paths that
        must be shown again."""
        self._restoring.all({look[:2]: path for path, look in scan.files.items()})
        self._look_for_missed()
        news = {path: look for path, look in scan.files.items() if not self._is_as_noted(look)}
        again = [path for path, look in live_first(news) if not self.look(path, look, first_seen_by=scan.first_pattern[path])]
        again += [path for path, look in scan.files.items() if look[:2] in self._table.expected] if self.handles.lacking else []
        self._table.notes.save()
        self._marks.settle(self._context)
        self._scanned(scan)
        return again

    def rescan(self, scan: Scan) -> list[str]:
        """What a later scan found new or changed. The paths that must be shown again."""
        self._look_for_missed()
        again = [path for path, look in live_first(scan.files) if not self.look(path, look, won=path in scan.won)]
        here = scan.here()
        for note in self._table.prune(here, lambda path, file: find_file(str(Path(path).parent), file) is not None):
            self._succession.copy_gone(note)
        self._restoring.prune()
        self._restoring.again()
        for generation in [one for one in self.generations if not one.is_open and one.file not in here]:
            if _is_gone(generation.location, generation.file):
                self.inspection.end(generation)
            elif (look := look_where_it_is(generation)) is not None:
                self._grown(generation, look, changed=False)
        self._close_idle(here)
        self._table.notes.prune(here)
        self._table.notes.save()
        self._scanned(scan)
        again += self._table.replaced
        self._table.replaced.clear()
        return again

    def _is_as_noted(self, look: Look) -> bool:
        note = self._table.notes.get(look[:2])
        return note is not None and note[1:3] == look[2:]

    def _look_for_missed(self) -> None:
        """What was rotated away unseen and no new file led to: there is none yet, or it was known already when the agent was killed."""
        for path, born, modified in self._unsearched.paths(self._table):
            self._succession.missed.take(path, born, modified, self.inspection.standing(path))

    def _scanned(self, scan: Scan) -> None:
        self._table.scanned_at = scan.began_at
        self._marks.scanned(self._context, scan.began_at)

    # --- one file ---------------------------------------------------------------------------------------------------------------
    def look(self, path: str, look: Look, *, first_seen_by: str = "", won: bool = False, changed: bool = False) -> bool:
        """A file stands at `path`. `first_seen_by`: the pattern that found it, in the first scan; `won`: it was another pipeline's until
        now; `changed`: it surely has. False when it could not be taken up and must be shown again."""
        current = self._table.at.get(path)
        if current is not None and current.file == look[:2]:
            current.displaced = False
            self._grown(current, look, changed=changed)
        elif known := self._table.generations.get(look[:2]):
            self._moved(known, path)
            self._grown(known, look, changed=changed)
        elif not self._table.is_left(look):
            return self._arrival.of(path, look, first_seen_by, won=won)
        return True

    def vanished(self, path: str) -> None:
        """Nothing stands at `path` any more. What was there is read to its end through its handle."""
        if generation := self._table.at.get(path):
            generation.displaced = True
            self.inspection.keep_nameless(generation)
            self._table.wanted(generation)

    def _grown(self, generation: Generation, look: Look, *, changed: bool) -> None:
        if not changed and not generation.differs(look.st_size, look.st_mtime_ns):
            return
        may_grow = generation.unread and generation.is_open and not generation.is_unpacked and look.st_size >= generation.size
        if may_grow and generation.unchanged():  # else the reader is soon there, or it holds something else by now: `ahead` tells
            generation.grow_to(look.st_size, look.st_mtime_ns)
        generation.drained = False
        self._table.wanted(generation)

    def _moved(self, generation: Generation, path: str) -> None:
        """A known file stands at a path where something else stood, or nothing."""
        previous = self._table.at.get(path)
        if previous is not None and previous is not generation:
            previous.displaced = previous.displaced or previous.location == path
            self._table.wanted(previous)
        generation.location = path
        generation.displaced = False
        self._table.at[path] = generation

    # --- letting go -------------------------------------------------------------------------------------------------------------
    def let_go(self, path: str) -> None:
        """Another pipeline has the better claim on this path: what stands there now is read to its end, then it is left to that one."""
        self._table.let_go(path)

    def let_go_below(self, directory: str, until: float, kept: Callable[[str], bool]) -> None:
        """A root is gone: its files are read to their end, at most until then (monotonic seconds), unless another root covers them."""
        for generation in self.generations:
            if not generation.leaving_by and is_below(generation.path, directory) and not kept(generation.path):
                generation.leaving_by, generation.root_gone = until, True
                self._table.wanted(generation)

    def leave(self, generation: Generation) -> None:
        """It has been read to its end, or its time is over, and is let go."""
        if generation.root_gone:
            why = "it was not read to its end within the life time of its root"
            self._table.losses.add(generation.key, generation.offset, generation.size, path=generation.path, why=why)
            self._table.forget(generation)
            return
        generation.close()
        self._context.leave_stream(generation.stream, generation.saved)
        self._table.drop(generation)

    def give_up_deleted(self) -> None:
        """Close deleted files beyond the agent's bounds, read or not."""
        displaced = [one for one in self._table.generations.values() if one.displaced and one.content is not None]
        for generation, bound in self._deleted.beyond(displaced, time.monotonic()):
            if not generation.is_open:  # the end of another one has shown what became of it
                continue
            generation.look(time.time_ns())
            if unread := generation.unread:
                message = "a deleted file is held open no longer, though not all of it was read"
                self._context.alarm("FILE_READER_EXCEED_ALARM", message, path=generation.path, bound=bound, unread_bytes=unread)
            self.inspection.end(generation, f"the file was deleted, and `{bound}` lets it be held no longer")

    def _close_idle(self, here: set[FileId]) -> None:
        now = time.monotonic()
        for generation in self.open_generations:
            status = os.fstat(generation.descriptor)
            read_to_end = generation.drained and status.st_size == generation.offset
            quiet_for = self._config.close_unused_reader_interval_sec if generation.file in here else ROTATED_SECS
            if read_to_end and now - generation.grown_at > quiet_for and status.st_nlink and not generation.followers:
                generation.close()

    def close(self) -> None:
        for generation in self._table.generations.values():
            generation.close()
        self._deleted.close()

    # --- for the schedule -------------------------------------------------------------------------------------------------------
    def known_at(self, path: str) -> Generation | None:
        """What stood at a path when it was looked at last."""
        return self._table.at.get(path)

    @property
    def leaving(self) -> list[Generation]:
        return [one for one in self._table.generations.values() if one.leaving_by]

    @property
    def generations(self) -> list[Generation]:
        """All that are at work, open or closed; from any thread."""
        return list(self._table.generations.values())

    @property
    def open_generations(self) -> list[Generation]:
        return [one for one in self._table.generations.values() if one.content is not None]


def _is_gone(path: str, file: FileId) -> bool:
    """Whether a file that is not found has been deleted, rather than its whole mount being away."""
    try:
        return Path(path).parent.stat().st_dev == file[0] and find_file(str(Path(path).parent), file) is None
    except OSError:
        return False

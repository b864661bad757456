"""The thread of one `input_file`: reads what is ready, fair between files; between that it looks for changes, whatever the target does.

Changes come from the watcher. What raises no event there is looked at every second: links, directories that cannot be watched, and, in
turn, files that grew lately. Everything else is looked at in each walk over the directories.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.discover import Discovery
from tailrace.inputs.file.files import Files
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.handles import Handles
from tailrace.inputs.file.lag import Lag
from tailrace.inputs.file.meanwhile import Meanwhile
from tailrace.inputs.file.reader import Reader
from tailrace.inputs.file.report import source_status
from tailrace.inputs.file.roots import Root, Roots
from tailrace.inputs.file.turns import Turns
from tailrace.inputs.file.walk import Directory, Scan, child, look_at
from tailrace.pipeline.contract import InputContext, Range, SourceStatus
from tailrace.pipeline.platform import Change

SETTLE_SECS = 0.2
"""How long changes are left to gather before they are looked at: at most five reads per second of one file."""
TURN_SECS = 0.05
"""So long is read, or walked, before changes are taken in again: the system keeps only so many of them."""
LOOK_SECS = 0.02
"""So much of a second is taken from reading to look after files that wait for their turn."""
HOT_SECS = 1.0
HOT_FOR_SECS = 300.0
LAG_TURNS = 5
"""Every so many of those seconds it is seen which files are behind."""
POLL_FILES = 250
"""Files that are looked at every second though events tell of their changes; of more of them these many, in turn."""
POLL_LINKS = 1000
"""The same of links to files, whose changes no event tells of."""
SCAN_SECS = 60.0
SCAN_COST = 100
"""Without a watch directories are scanned every second, but never more than 1 % of the time."""
DELETED_SECS = 30.0
"""How long a deleted file that is read to its end is held open for its writer."""

Item = TypeVar("Item")


class Follower:
    """Follows the files of one config until it is told to stop."""

    def __init__(self, config: FileConfig, context: InputContext, roots: Roots) -> None:
        self._config = config
        self._context = context
        self._roots = roots
        self._turns = Turns()
        self._changed: dict[Generation, None] = {}
        """Known files that have changed and were not read since: their turn has not come, or there is no room for more."""
        self._lately: dict[Generation, None] = {}
        """Those that have grown or were read since somebody asked, and those that were behind then."""
        self._later: dict[Change, None] = {}
        """Changes that were told while a compressed file was unpacked."""
        self._is_blocked = False
        self._watcher = context.platform.watcher()
        self._discovery = Discovery(config, context, roots, watch=self._watcher.add, unwatch=self._watcher.remove)
        self._files = Files(config, context, roots, self._want)
        self._handles = Handles(self._files, context)
        self._lag = Lag(config, context)
        self._reader = Reader(config, context, self._files.inspection)
        self._meanwhile = Meanwhile(context, self._files, self._reader, self._watcher.wake)
        self._files.while_unpacking(self._while_unpacking)
        self._walking: Generator[Directory | None, None, Scan] | None = None
        self._walked_for = 0.0
        self._gone: list[tuple[Root, float]] = []
        """Removed roots, and until when their files are read on (monotonic seconds)."""
        self._unreadable: set[str] = set()
        """Directories that could not be listed at the last scan."""
        self._scan_at = self._hot_at = 0.0
        self._turn = 0
        self._stopping = threading.Event()
        self.drained = False
        self.turned_at = 0.0
        """When the present turn began (monotonic)."""

    def run(self) -> None:
        try:
            self._begin()
            while not self._stopping.is_set():
                self.turned_at = time.monotonic()
                busy = self._read_ready()
                busy = self._walk_on() or busy or self._handles.is_moving  # each has its turn, however much there is to read
                if self._watcher.wait(0 if busy else min(self._scan_at, self._hot_at) - time.monotonic()):
                    if not busy:
                        self._stopping.wait(SETTLE_SECS)
                    self._later.update(dict.fromkeys(self._watcher.changes()))
                later, self._later = self._later, {}
                for change in later:
                    self._notice(change)
                self._keep_time()
                if self._is_blocked and not self._context.lacks_cpu:
                    self._look_after_changed()
                if self._context.finite and not self._turns and not self._handles and not self.drained:
                    self._walk_to_the_end()
                    self.drained = not self._turns and not self._handles
        finally:
            self.turned_at = 0.0
            self._files.close()
            self._handles.release()
            self._discovery.close()
            self._watcher.close()

    def stop(self) -> None:
        self._stopping.set()
        self._watcher.wake()

    def sources(self) -> list[SourceStatus]:
        """From any thread."""
        return [source_status(generation) for generation in self._files.generations]

    def lately(self) -> list[SourceStatus]:
        """Of those that have grown or were read since the last call, or are behind; from another thread, always the same one."""
        found: list[SourceStatus] = []
        for generation in list(self._lately):
            self._lately.pop(generation, None)  # first: what happens to it from now on is told the next time
            if generation.ended:
                continue
            found.append(status := source_status(generation))
            if status.size > status.read:
                self._lately[generation] = None
        return found

    def lost(self, key: str, done: Range, reason: str) -> None:
        """From any thread: a range that was read is gone before it arrived."""
        self._files.losses.add(key, done.start, done.end, path=str(done.position["path"]), why=reason)

    def roots_changed(self) -> None:
        """From any thread: `roots` holds others now."""
        self._scan_at = 0.0
        self._watcher.wake()

    def _while_unpacking(self) -> None:
        if self.turned_at:  # a large file takes long; that is not being stuck
            self.turned_at = time.monotonic()
        if not self._meanwhile.is_due():
            return
        if self._watcher.wait(0):
            for change in self._watcher.changes():
                self._later[change] = None
                self._meanwhile.changed(child(change.directory, change.name))
        self._watcher.wake()  # for what was told to the one who waits
        self._meanwhile.read()

    # --- reading ----------------------------------------------------------------------------------------------------------------
    def _want(self, generation: Generation) -> None:
        self._changed[generation] = self._lately[generation] = None
        self._turns.add(generation)

    def _read_ready(self) -> bool:
        """One block of each file that is ready, as far as the turn and the room go; whether more can be read at once."""
        until = time.monotonic() + TURN_SECS
        turns, self._is_blocked = self._turns.round(), False
        while self._turns and not self._stopping.is_set() and time.monotonic() <= until:
            self._is_blocked = not self._context.has_room(self._watcher.wake)
            if self._is_blocked or (generation := next(turns, None)) is None:
                break
            self._read(generation)
        return bool(self._turns) and not self._is_blocked

    def _read(self, generation: Generation) -> None:
        if not generation.is_open and not self._handles.room():
            self._handles.wait(generation)
            return
        self._changed.pop(generation, None)
        try:
            self._lag.skip(generation)
            more = self._reader.read(generation)
        except OSError as error:
            self._context.alarm("OPEN_LOGFILE_FAIL_ALARM", "cannot read the file", path=generation.path, reason=str(error))
            self._files.inspection.release_followers(generation)
            more = False
        self._lately[generation] = None
        if more:
            self._turns.add(generation)
        elif generation.leaving_by and not generation.ended:  # at once: another one may wait for it
            self._let_go(generation, time.monotonic())
        elif not (generation.is_open or generation.ended) and self._files.handles.lacking:  # another input took the last handle
            self._handles.wait(generation)

    def _look_after_changed(self) -> None:
        """See what became of files that have changed and cannot be read yet, before what they held is gone. Where they only wait for their
        turn, or for CPU, this takes little of the time for that: looking takes as long as reading."""
        until = math.inf if self._is_blocked and not self._context.lacks_cpu else time.monotonic() + LOOK_SECS
        changed, self._changed = self._changed, {}
        for generation in changed:
            if time.monotonic() > until:
                self._changed[generation] = None
                continue
            try:
                self._files.inspection.look_after(generation)
            except OSError as error:
                self._context.alarm("OPEN_LOGFILE_FAIL_ALARM", "cannot read the file", path=generation.path, reason=str(error))

    # --- single changes ---------------------------------------------------------------------------------------------------------
    def _notice(self, change: Change) -> None:
        if change.overflow:
            self._context.alarm("INOTIFY_EVENT_OVERFLOW_ALARM", "changes came faster than they could be noted; all directories are scanned")
            self._scan_at = 0.0
        elif change.is_directory:
            self._scan_at = min(self._scan_at, time.monotonic() + SETTLE_SECS)
        else:
            self._look(change.directory, change.name, changed=True)

    def _look(self, directory: str, name: str, *, changed: bool = False) -> None:
        path = child(directory, name)
        look = look_at(path)
        if look is None:
            if self._discovery.gone(directory, name):
                self._files.vanished(path)
        elif self._discovery.saw(directory, name, look) and not self._files.look(path, look, changed=changed):
            self._not_taken_up(path)

    def _not_taken_up(self, path: str) -> None:
        """The next walk shows it again; sooner, when it only lacked a handle."""
        self._discovery.forget(path)
        if self._files.handles.lacking:
            directory, _, name = path.rpartition("/")
            self._handles.wait((directory or "/", name))

    def _take_up_waiting(self) -> None:
        for waiting in self._handles.next():
            if isinstance(waiting, Generation):
                self._want(waiting)
            else:
                self._look(*waiting, changed=True)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._handles:
            self._take_up_waiting()
        if self._walking is None and self._discovery.claims_changed:  # a file is to be read on by whose it is now
            self._scan_at = min(self._scan_at, now + SETTLE_SECS)
        if now >= self._scan_at and self._walking is None:
            self._begin_walk()
        if now >= self._hot_at:
            if self._discovery.moved():
                self._scan_at = now
            self._look_at_hot(now)
            self._look_after_changed()
            self._handles.give_way()
            if not self._turn % LAG_TURNS:
                self._lag.look(self._files.open_generations)
            for path in self._some(self._discovery.polled(), POLL_LINKS):
                self._look(*path)
            self._turn += 1
            self._hot_at = now + HOT_SECS

    def _look_at_hot(self, now: float) -> None:
        """What no event tells: that a half line is due, that a deleted file is done; and growth where events may be missing."""
        quick: list[Generation] = []
        for generation in self._files.leaving:
            self._let_go(generation, now)
        is_polled = self._discovery.is_polled
        for generation in self._files.open_generations:  # thousands, every second: as few calls as can be
            if generation.displaced or is_polled(generation.location):
                self._poll(generation, now)
            elif generation.size > generation.offset and now - generation.grown_at >= self._config.flush_timeout_secs:
                self._want(generation)
            elif now - generation.grown_at < HOT_FOR_SECS:
                quick.append(generation)
        for generation in self._some(quick, POLL_FILES):
            self._poll(generation, now)
        self._files.give_up_deleted()

    def _poll(self, generation: Generation, now: float) -> None:
        if not generation.is_open:  # another one's turn closed it
            return
        status = os.fstat(generation.descriptor)
        if now - generation.grown_at < HOT_FOR_SECS and not generation.displaced:
            directory, _, name = generation.location.rpartition("/")
            self._look(directory or "/", name)
        if not status.st_nlink:
            self._context.keep(generation.stream, generation.descriptor)
        changed = generation.differs(status.st_size, status.st_mtime_ns)
        overdue = status.st_size > generation.offset and now - generation.grown_at >= self._config.flush_timeout_secs
        if changed or overdue:
            self._want(generation)
        elif not status.st_nlink and generation.drained and now - generation.grown_at >= DELETED_SECS:
            self._files.inspection.end(generation)

    def _let_go(self, generation: Generation, now: float) -> None:
        """Leave a file that is let go once it is read, or when its time is over."""
        unread = max(0, os.fstat(generation.descriptor).st_size - generation.offset) if generation.is_open else 0
        if generation.drained and not generation.queued and not (unread and generation.root_gone):
            self._files.leave(generation)
        elif now >= generation.leaving_by:  # the rest of it is counted as lost
            self._turns.remove(generation)
            self._files.leave(generation)

    def _some(self, items: Sequence[Item], most: int) -> Sequence[Item]:
        """All of a few, else another part of them each time."""
        if len(items) <= most:
            return items
        begin = self._turn * most % len(items)
        return [*items[begin : begin + most], *items[: max(0, begin + most - len(items))]]

    # --- walks ------------------------------------------------------------------------------------------------------------------
    def _begin(self) -> None:
        """The first walk, after what a former process knew and what has changed since: that is read meanwhile. What events tell of other
        files waits until all is known."""
        is_ours = self._discovery.ours()
        steps = self._files.go_on(is_ours, self._discovery.watch_early)
        self._begin_walk()
        going_on, poll_at = True, 0.0
        while not self._stopping.is_set() and (going_on or self._walk_on()):  # each file is looked at several times as fast as in a walk
            until = time.monotonic() + TURN_SECS
            while going_on and time.monotonic() < until:
                going_on = next(steps, steps) is None
            self._take_early(is_ours)
            self._read_ready()
            if time.monotonic() >= poll_at:
                self._look_at_hot(time.monotonic())
                self._look_after_changed()
                poll_at = time.monotonic() + HOT_SECS

    def _take_early(self, is_ours: Callable[[str], bool]) -> None:
        """Changes during the first walk: all of them are noticed when it is over, what is known already is read on at once."""
        if not self._watcher.wait(0):
            return
        for change in self._watcher.changes():
            self._later[change] = None
            path = child(change.directory, change.name)
            if not (change.overflow or change.is_directory) and is_ours(path):
                self._files.changed_early(path)
        self._watcher.wake()

    def _begin_walk(self) -> None:
        removed, now = self._roots.take_removed(), time.monotonic()
        self._discovery.leaving = removed
        self._gone += [(root, now + root.life_secs) for root in removed]
        self._walking, self._walked_for = self._discovery.walk(), 0.0
        self._scan_at = now + (SETTLE_SECS if removed else SCAN_SECS)  # the next walk drops their directories

    def _walk_to_the_end(self) -> None:
        if self._walking is None:
            self._begin_walk()
        while not self._stopping.is_set() and self._walk_on():
            pass

    def _walk_on(self) -> bool:
        """One turn of the walk; whether there is more of it."""
        if self._walking is None:
            return False
        began = now = time.monotonic()
        try:
            while now - began < TURN_SECS:
                listed = next(self._walking)
                if listed is not None and not self._hot_at:  # in the first walk
                    self._files.changed_in(listed)
                now = time.monotonic()
        except StopIteration as done:
            self._walking = None
            self._walked(done.value, self._walked_for + time.monotonic() - began)
        self._walked_for += now - began
        return self._walking is not None

    def _walked(self, scan: Scan, seconds: float) -> None:
        self._report(scan)
        for path in scan.gone:
            self._files.vanished(path)
        for path in scan.lost:
            self._files.let_go(path)
        for path in self._files.begin(scan) if scan.first else self._files.rescan(scan):
            self._not_taken_up(path)
        now = time.monotonic()
        for root, until in self._gone:
            self._files.let_go_below(root.host, until, self._roots.covers)
            if now >= until:
                self._roots.is_over(root)
        self._gone = [(root, until) for root, until in self._gone if now < until]
        if self._discovery.unwatched:
            self._scan_at = min(self._scan_at, now + min(SCAN_SECS, max(HOT_SECS, SCAN_COST * seconds)))

    def _report(self, scan: Scan) -> None:
        alarm = self._context.alarm
        for path in self._unreadable - scan.unreadable.keys():
            self._context.resolved("LOGDIR_PERMINSSION_ALARM", path=path)
        self._unreadable = set(scan.unreadable)
        for path, error in scan.unreadable.items():
            alarm("LOGDIR_PERMINSSION_ALARM", "cannot list the directory", path=path, reason=(error.strerror or str(error)).lower())
        if scan.left_out:
            bound = self._context.bounds.files_per_config
            alarm(
                "STAT_LIMIT_ALARM",
                "there are too many files; those beyond the bound are not collected",
                left_out=scan.left_out,
                bound=bound,
            )
        for path, count in scan.crowded.items():
            bound = self._context.bounds.wildcard_directories
            alarm("STAT_LIMIT_ALARM", "a wildcard stands for too many directories", path=path, directories=count, bound=bound)
        if self._discovery.crowd:
            bound = self._context.bounds.watches.bound
            alarm(
                "DIR_EXCEED_LIMIT_ALARM",
                "there are too many directories to watch; the rest is scanned",
                unwatched=self._discovery.crowd,
                bound=bound,
            )
        for path, other in scan.lost.items():
            alarm("MULTI_CONFIG_MATCH_ALARM", "another pipeline names this file more exactly and reads it", path=path, reader=other)

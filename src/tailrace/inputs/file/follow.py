"""The thread of one `input_file`: reads what is ready, fair between files; between that it looks for changes.

Changes come from the watcher; files that grew lately are also looked at every second, everything else at each scan of the directories.
"""

import os
import threading
import time
from collections import deque
from pathlib import Path

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.discover import Discovery, Scan, join
from tailrace.inputs.file.files import Files
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.reader import Reader
from tailrace.inputs.file.report import source_status
from tailrace.pipeline.contract import InputContext, SourceStatus
from tailrace.pipeline.platform import Change

SETTLE_SECS = 0.1
"""How long changes are left to gather before they are looked at: at most ten reads per second of one file."""
HOT_SECS = 1.0
HOT_FOR_SECS = 300.0
SCAN_SECS = 60.0
SCAN_COST = 100
"""Without a watch directories are scanned every second, but never more than 1 % of the time."""
MAX_WATCHED = 3000
DELETED_SECS = 30.0
"""How long a deleted file that is read to its end is held open for its writer."""


class Follower:
    """Follows the files of one config until it is told to stop."""

    def __init__(self, config: FileConfig, context: InputContext) -> None:
        self._config = config
        self._context = context
        self._ready: deque[Generation] = deque()
        self._discovery = Discovery(config, context.platform.never_read)
        self._files = Files(config, context, self._want)
        self._reader = Reader(config, context, self._files)
        self._watcher = context.platform.watcher()
        self._watched: set[str] = set()
        self._scan = Scan()
        self._scan_at = self._hot_at = 0.0
        self._stopping = threading.Event()
        self.drained = False

    def run(self) -> None:
        try:
            self._rescan(first=True)
            while not self._stopping.is_set():
                busy = self._read_ready()
                if self._watcher.wait(0 if busy else min(self._scan_at, self._hot_at) - time.monotonic()):
                    if not busy:
                        self._stopping.wait(SETTLE_SECS)
                    for change in self._watcher.changes():
                        self._notice(change)
                self._keep_time()
                if self._context.finite and not self._ready and not self.drained:
                    self._rescan()
                    self.drained = not self._ready
        finally:
            self._files.close()
            self._watcher.close()

    def stop(self) -> None:
        self._stopping.set()
        self._watcher.wake()

    def sources(self) -> list[SourceStatus]:
        """From any thread."""
        return [source_status(generation) for generation in self._files.generations]

    # --- reading ----------------------------------------------------------------------------------------------------------------
    def _want(self, generation: Generation) -> None:
        if not generation.queued and generation.after is None:
            generation.queued = True
            self._ready.append(generation)

    def _read_ready(self) -> bool:
        """One block of each file that is ready; whether there is more to read."""
        for _ in range(len(self._ready)):
            if self._stopping.is_set():
                break
            generation = self._ready.popleft()
            generation.queued = False
            try:
                more = self._reader.read(generation)
            except OSError as error:
                self._context.alarm("OPEN_LOGFILE_FAIL_ALARM", "cannot read the file", path=generation.path, reason=str(error))
                self._files.release_followers(generation)
                more = False
            if more:
                self._want(generation)
        return bool(self._ready)

    # --- looking ----------------------------------------------------------------------------------------------------------------
    def _notice(self, change: Change) -> None:
        if change.overflow:
            self._context.alarm("INOTIFY_EVENT_OVERFLOW_ALARM", "changes came faster than they could be noted; all directories are scanned")
            self._scan_at = 0.0
        elif change.is_directory:
            self._scan_at = min(self._scan_at, time.monotonic() + SETTLE_SECS)
        elif self._discovery.collects(self._scan, change.directory, change.name):
            self._look(join(change.directory, change.name))

    def _look(self, path: str) -> None:
        try:
            status = Path(path).stat()
        except OSError:
            self._files.vanished(path)
            return
        self._files.look(path, status)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self._scan_at:
            self._rescan()
        elif now >= self._hot_at:
            self._look_at_hot(now)
            self._hot_at = now + HOT_SECS

    def _look_at_hot(self, now: float) -> None:
        for generation in self._files.open_generations:
            status = os.fstat(generation.descriptor)
            if now - generation.grown_at < HOT_FOR_SECS and not generation.displaced:
                self._look(generation.location)
            changed = (status.st_size, status.st_mtime_ns) != (generation.size, generation.modified)
            overdue = status.st_size > generation.offset and now - generation.grown_at >= self._config.flush_timeout_secs
            if changed or overdue:
                self._want(generation)
            elif not status.st_nlink and generation.drained and now - generation.grown_at >= DELETED_SECS:
                self._files.end(generation)

    def _rescan(self, *, first: bool = False) -> None:
        began = time.monotonic()
        self._scan = self._discovery.scan()
        for path, error in self._scan.unreadable.items():
            self._context.alarm(
                "LOGDIR_PERMINSSION_ALARM", "cannot list the directory", path=path, reason=(error.strerror or str(error)).lower()
            )
        if not self._scan.complete:
            self._context.alarm("STAT_LIMIT_ALARM", "there are too many files; those beyond the limit are not collected")
        self._watch()
        if first:
            self._scan = self._discovery.scan()  # what came before the watch was set
            self._files.begin(self._scan)
        else:
            self._files.rescan(self._scan)
        now = time.monotonic()
        unwatched = len(self._watched) < len(self._scan.directories)
        self._scan_at = now + (min(SCAN_SECS, max(HOT_SECS, SCAN_COST * (now - began))) if unwatched else SCAN_SECS)

    def _watch(self) -> None:
        """Watch new directories; those that are gone have lost their watch already."""
        self._watched &= self._scan.directories.keys()
        room = MAX_WATCHED - len(self._watched)
        new = [directory for directory in self._scan.directories if directory not in self._watched]
        if len(new) > room:
            self._context.alarm(
                "DIR_EXCEED_LIMIT_ALARM", "there are too many directories to watch; the rest is scanned", directories=len(new)
            )
        self._watched.update(directory for directory in new[:room] if self._watcher.add(directory))

"""Watching directories with inotify.

One directory may stand at several paths (links), and another directory may come to stand at a watched path. A watch belongs to the inode:
both ways are kept here.
"""

import contextlib
import errno
import os
import select
import threading
from collections.abc import Sequence

from inotify_simple import INotify, flags

from tailrace import telemetry
from tailrace.agent.platform.linux_mounts import tells_all_changes
from tailrace.pipeline.platform import Change

MASK = flags.MODIFY | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.ONLYDIR
OVERFLOW = Change("", "")


class InotifyWatcher:
    """Implements `Watcher`. Made and used by one thread; only `wake` may be called from others."""

    def __init__(self) -> None:
        self._inotify = _inotify()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._closed = False
        self._paths: dict[int, list[str]] = {}
        """Watch → the paths that lead to its directory."""
        self._watches: dict[str, int] = {}
        self._poll = select.poll()
        if self._inotify:
            self._poll.register(self._inotify.fileno(), select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def add(self, directory: str) -> bool:
        if not self._inotify:
            return False
        try:
            watch = int(self._inotify.add_watch(directory, MASK))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                message = "the system allows no more watches, what is not watched is scanned"
                telemetry.alarm("INOTIFY_DIR_NUM_LIMIT_ALARM", message, hint="raise `fs.inotify.max_user_watches`")
            self.remove(directory)
            return False
        if self._watches.get(directory) != watch:
            self.remove(directory)
            self._watches[directory] = watch
            self._paths.setdefault(watch, []).append(directory)
        return tells_all_changes(directory)

    def remove(self, directory: str) -> None:
        watch = self._watches.pop(directory, None)
        if watch is None or watch not in self._paths:
            return
        self._paths[watch].remove(directory)
        if not self._paths[watch]:
            del self._paths[watch]
            if self._inotify:
                with contextlib.suppress(OSError):  # it went with its directory
                    self._inotify.rm_watch(watch)

    def wait(self, timeout: float) -> bool:
        ready = [descriptor for descriptor, _ in self._poll.poll(max(0.0, timeout) * 1000)]
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._woken)
        return len(ready) > (self._woken in ready)

    def changes(self) -> Sequence[Change]:
        found: dict[Change, None] = {}
        for watch, mask, _, name in self._inotify.read(timeout=0) if self._inotify else ():
            if mask & flags.Q_OVERFLOW:
                found[OVERFLOW] = None
            elif mask & flags.IGNORED:
                for directory in self._paths.pop(watch, ()):
                    del self._watches[directory]
                    found[Change(directory, "", is_directory=True)] = None
            else:
                for directory in self._paths.get(watch, ()):
                    found[Change(directory, name, bool(mask & flags.ISDIR))] = None
        return list(found)

    def wake(self) -> None:
        with self._closing:
            if not self._closed:
                os.eventfd_write(self._woken, 1)

    def close(self) -> None:
        with self._closing:
            self._closed = True
            if self._inotify:
                self._inotify.close()
            os.close(self._woken)


def _inotify() -> INotify | None:
    """None when the user has no instance left (fs.inotify.max_user_instances): everything is polled then."""
    try:
        return INotify(nonblocking=True)
    except OSError as error:
        telemetry.alarm("REGISTER_INOTIFY_FAIL_ALARM", "cannot watch directories, files are polled instead", reason=str(error))
        return None

"""Linux, for `doctor`: limits of inotify by trying them, the owner of a lock, space and state of processes."""

import contextlib
import errno
import fcntl
import os
import resource
from pathlib import Path
from typing import Final

from inotify_simple import INotify, flags

from tailrace.agent.platform.host import ProcessState, Space, Watching

WATCHES: Final = (Path("/proc/sys/fs/inotify/max_user_watches"), Path("/proc/sys/user/max_inotify_watches"))
"""The second is that of the user namespace; the lower one holds."""


class LinuxHost:
    """Implements `Host`."""

    def watching(self, directory: Path) -> Watching:
        most = min(_numbers(), default=0)
        try:
            inotify = INotify()
        except OSError:  # EMFILE: fs.inotify.max_user_instances
            return Watching(instance_left=False, watch_left=False, most=most)
        with inotify:
            try:
                inotify.add_watch(directory, flags.CREATE)
            except OSError as error:
                return Watching(instance_left=True, watch_left=error.errno != errno.ENOSPC, most=most)
        return Watching(instance_left=True, watch_left=True, most=most)

    def open_files(self) -> int:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # a worker raises its own limit to it
        return hard

    def space(self, directory: Path) -> Space:
        system = os.statvfs(directory)
        return Space(system.f_bavail * system.f_frsize, system.f_blocks * system.f_frsize, bool(system.f_flag & os.ST_RDONLY))

    def holder(self, lock: Path) -> int | None:
        try:
            descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, and given back at once
        except BlockingIOError:
            with contextlib.suppress(OSError, ValueError):
                return int(os.pread(descriptor, 32, 0))
            return 0
        finally:
            os.close(descriptor)
        return None

    def process(self, pid: int) -> ProcessState | None:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return ProcessState(int(fields[1]), fields[0] in ("T", "t"))  # proc(5), from the state on


def _numbers() -> list[int]:
    found: list[int] = []
    for file in WATCHES:
        with contextlib.suppress(OSError, ValueError):
            found.append(int(file.read_text()))
    return found

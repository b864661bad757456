"""Watching directories with inotify."""

import contextlib
import os
import select
import threading
from collections.abc import Sequence
from pathlib import Path

from inotify_simple import INotify, flags

from tailrace import telemetry
from tailrace.pipeline.platform import Change

MASK = flags.MODIFY | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.ONLYDIR
OVERFLOW = Change("", "")
REMOTE_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs", "fuse.s3fs", "virtiofs"}
)
"""Writes by other machines raise no event here."""


class InotifyWatcher:
    """Implements `Watcher`. Made and used by one thread; only `wake` may be called from others."""

    def __init__(self) -> None:
        self._inotify = _inotify()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._closed = False
        self._directories: dict[int, str] = {}
        self._remote = _remote_devices()
        self._poll = select.poll()
        if self._inotify:
            self._poll.register(self._inotify.fileno(), select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def add(self, directory: str) -> bool:
        if not self._inotify:
            return False
        try:
            if Path(directory).stat().st_dev in self._remote:
                return False
            self._directories[self._inotify.add_watch(directory, MASK)] = directory
        except OSError:
            return False
        return True

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
                self._directories.pop(watch, None)
            elif directory := self._directories.get(watch):
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


def _remote_devices() -> set[int]:
    """Device numbers of network mounts (proc(5), mountinfo: `id parent major:minor root mount-point options … - type …`)."""
    devices: set[int] = set()
    with contextlib.suppress(OSError), Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            head, _, tail = line.partition(" - ")
            if tail.split(" ", 1)[0] in REMOTE_FILE_SYSTEMS:
                major, minor = head.split()[2].split(":")
                devices.add(os.makedev(int(major), int(minor)))
    return devices

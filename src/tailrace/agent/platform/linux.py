"""Linux: statx for birth times, the owner's lock in `linux_lock`, inotify in `linux_watch`."""

import ctypes
import errno
import os
import resource
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from tailrace.agent.platform import linux_given
from tailrace.agent.platform.linux_lock import FileLock
from tailrace.agent.platform.linux_watch import InotifyWatcher
from tailrace.agent.platform.port import Given
from tailrace.pipeline.platform import FileIdentity, Reach, Watcher, is_below

KERNEL_ROOTS = ("/proc", "/sys", "/dev")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
OWN_HANDLES = (16, 256)
"""Handles that input files leave for connections, spool, checkpoint and control: a quarter of what there is, within these bounds."""
KEPT_BYTES = 16 * 1_048_576

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
STATX_BTIME = 0x800
STATX_SIZE = 256
BTIME_OFFSET = 80
"""Where `stx_btime` lies in `struct statx` (linux/stat.h): int64 seconds, uint32 nanoseconds."""


class Linux:
    """Implements `AgentPlatform`."""

    def __init__(self, own_state: Sequence[Path], roots: Sequence[Path]) -> None:
        never = (*KERNEL_ROOTS, *(os.path.realpath(path) for path in own_state))
        self.reach = Reach(never, tuple(os.path.realpath(path) for path in roots))
        self._statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)  # absent from C libraries older than 2018

    def open_file(self, path: str, *, beneath: str = "/") -> int:
        # O_PATH takes hold of whatever the path leads to without opening it: a fifo does not wait, a device does nothing. What was checked
        # is what is opened then, whatever happens to the path and its links in between.
        held = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            handle = f"/proc/self/fd/{held}"
            real = str(Path(handle).readlink())
            if not (self.reach.allows(real) and is_below(real, beneath)):
                raise PermissionError(errno.EPERM, "the agent's own policy forbids to read it", path)
            if not stat.S_ISREG(os.fstat(held).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            opened = os.open(handle, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            if opened >= self.file_handles:
                os.close(opened)
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
            return opened
        finally:
            os.close(held)

    @property
    def file_handles(self) -> int:
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most == resource.RLIM_INFINITY:
            return sys.maxsize
        return most - max(OWN_HANDLES[0], min(OWN_HANDLES[1], most // 4))

    def identity(self, descriptor: int) -> FileIdentity:
        status = os.fstat(descriptor)
        return FileIdentity(status.st_dev, status.st_ino, self._born(descriptor, b"", AT_EMPTY_PATH))

    def born_at(self, path: str) -> int:
        born = self._born(AT_FDCWD, os.fsencode(path), 0)
        if not born:
            Path(path).stat()  # tells a file without birth time from one that is gone
        return born

    def _born(self, descriptor: int, path: bytes, flags: int) -> int:
        if self._statx is None:
            return 0
        buffer = ctypes.create_string_buffer(STATX_SIZE)
        if self._statx(descriptor, path, flags, STATX_BTIME, buffer) != 0:
            return 0
        mask = int.from_bytes(buffer.raw[:4], "little")
        if not mask & STATX_BTIME:
            return 0
        seconds = int.from_bytes(buffer.raw[BTIME_OFFSET : BTIME_OFFSET + 8], "little", signed=True)
        return seconds * 1_000_000_000 + int.from_bytes(buffer.raw[BTIME_OFFSET + 8 : BTIME_OFFSET + 12], "little")

    def watcher(self) -> Watcher:
        return InotifyWatcher()

    def own(self, path: Path, patience: float = 0.0) -> FileLock:
        return FileLock(path, patience)

    def prepare_process(self, title: str, max_open_files: int = 0) -> None:
        from setproctitle import setproctitle  # noqa: PLC0415 - only a process that is an agent renames itself

        setproctitle(title)
        _keep_freed_memory()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = min(hard, max_open_files) if max_open_files and hard != resource.RLIM_INFINITY else max_open_files or hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

    def given(self) -> Given:
        return linux_given.given()

    def machine_cpu(self) -> tuple[float, float]:
        return linux_given.machine_cpu()

    def give_back_memory(self) -> None:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


def _keep_freed_memory() -> None:
    """Blocks of a megabyte come and go all the time: glibc would give each back to the system and fault it in again, page by page."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc only
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)

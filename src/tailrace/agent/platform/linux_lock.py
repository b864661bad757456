"""The owner's lock on a home: an flock, which the system lets go when its process ends, however that happens."""

import fcntl
import os
import time
from pathlib import Path

from tailrace.errors import BusyError

LOOK_SECS = 0.1


class FileLock:
    """An flock on a file that holds the owner's process id. `patience`: so many seconds are waited for an owner that is on its way out."""

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + patience
        while not self._taken():
            if time.monotonic() >= until:
                owner = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(self._descriptor)
                raise BusyError(
                    f"cannot use the agent's directory `{path.parent}`: the process with pid {owner} works on it",
                    hint="stop that agent first, or give this one a home of its own with `--home`",
                )
            time.sleep(LOOK_SECS)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

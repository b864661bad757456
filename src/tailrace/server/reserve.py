"""Room on the disk that is kept for the moment when there is none: deleting needs some, too."""

import os
import shutil
from pathlib import Path

from tailrace import telemetry

SIZE = 16 << 20
SHARE = 0.01
"""Of a small disk, at most so much."""
ROOMY = 0.05
"""Free share of the disk from which on the reserve is put back."""

log = telemetry.logger("server.reserve")


class Reserve:
    """A file of zeros. `release` gives its room to whoever deletes; `keep` takes it again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """As soon as there is plenty of room."""
        usage = shutil.disk_usage(self._path.parent)
        size = min(SIZE, int(usage.total * SHARE))
        if self._path.exists() or usage.free - size < usage.total * ROOMY:
            return
        try:
            with self._path.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            log.warning("cannot keep room on the disk", file=str(self._path), reason=str(error))
            self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Where the disk is short of room; elsewhere nothing happens."""
        usage = shutil.disk_usage(self._path.parent)
        if usage.free < usage.total * ROOMY:
            self._path.unlink(missing_ok=True)

"""What the supervisor says: lines on stderr like those of the worker, and the same in `HOME/logs/supervisor.log` with a bound.

The worker's own telemetry would be larger than all of the supervisor.
"""

import contextlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1_048_576


class Said:
    """`directory` is HOME/logs."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "supervisor.log"

    def info(self, text: str) -> None:
        self._say("info", text)

    def warning(self, text: str) -> None:
        self._say("warning", text)

    def kept(self, text: str) -> None:
        """An error that stands on stderr already, for who looks later."""
        with contextlib.suppress(OSError):
            self._keep(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} error {text}\n".encode())

    def _say(self, level: str, text: str) -> None:
        now = datetime.now(UTC)
        try:
            sys.stderr.write(f"{now.astimezone():%H:%M:%S}.{now.microsecond // 1000:03d} {level:<7} supervisor: {text}\n")
            sys.stderr.flush()
            self._keep(f"{now.isoformat(timespec='milliseconds')} {level} {text}\n".encode())
        except OSError:  # a full disk or a closed terminal does not keep the worker from being watched
            return

    def _keep(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size > MOST_BYTES:
            self._path.replace(self._path.with_suffix(".log.1"))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

"""A log file with a bound: at MAX_BYTES it makes way for a new one, and what it held is compressed, `<name>.1.gz` being the latest.

It goes on by itself after whatever may happen to its disk. A line for which there is no room is cut back and counted, and the first one
that finds room again is preceded by the count.
"""

import contextlib
import gzip
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 10 * 1_048_576
KEPT: Final = 10
"""Compressed files, each about a tenth of its text."""
COMPRESSION: Final = 5
"""Level 9 takes five times the CPU for 3 % less."""


class LogFile(logging.Handler):
    """`missed(count)` makes the line that tells of lines that could not be written. OSError when the file cannot be made."""

    def __init__(self, path: Path, missed: Callable[[int], str], *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        super().__init__()
        self._path = path
        self._missed = missed
        self._max_bytes = max_bytes
        self._kept = kept
        self._lost = 0
        self._file = self._opened()
        self._compressing: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n"
        missed = f"{self._missed(self._lost)}\n" if self._lost else ""
        try:
            self._follow()
            self._write(missed + line)
            self._lost = 0
        except OSError:  # a full disk, a directory that is gone: the next line tries again
            self._lost += 1

    def close(self) -> None:
        with self.lock or contextlib.nullcontext():
            self._settle()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
        super().close()

    # --- the file -----------------------------------------------------------------------------------------------------------------
    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _follow(self) -> None:
        """Another process of the same role, or an administrator, may have moved the file: the one at the path is written."""
        try:
            if self._file >= 0 and os.path.samestat(self._path.stat(), os.fstat(self._file)):
                return
        except FileNotFoundError:
            pass
        old, self._file = self._file, -1
        if old >= 0:
            os.close(old)
        self._file = self._opened()

    def _write(self, line: str) -> None:
        text = line.encode("utf-8", "backslashreplace")
        size = os.fstat(self._file).st_size
        if size and size + len(text) > self._max_bytes:
            self._rotate()
            size = 0
        written = os.write(self._file, text)
        if written < len(text):  # the disk is full: half a line would be glued to the next one
            os.ftruncate(self._file, size)
            raise OSError("short write")

    # --- what is over ---------------------------------------------------------------------------------------------------------------
    def _rotate(self) -> None:
        """The file becomes `.1`, and a thread compresses it: a minute's lines are not worth a pause of the one who logs."""
        self._settle()
        for number in range(self._kept, 0, -1):
            for suffix in ("", ".gz"):
                older = self._numbered(number, suffix)
                if number == self._kept:
                    older.unlink(missing_ok=True)
                elif older.exists():
                    older.replace(self._numbered(number + 1, suffix))
        full = self._numbered(1)
        self._path.replace(full)
        self._follow()
        self._compressing = threading.Thread(target=self._compress, name="log-compress", daemon=True)
        self._compressing.start()

    def _settle(self) -> None:
        if self._compressing is not None:
            self._compressing.join()

    def _compress(self) -> None:
        """All that is not yet: one that found no room for it is tried again with the next."""
        for number in range(1, self._kept + 1):
            plain, packed = self._numbered(number), self._numbered(number, ".gz")
            unfinished = packed.with_name(f"{packed.name}.tmp")
            if not plain.exists():
                continue
            try:
                _pack(plain, unfinished)
                unfinished.replace(packed)
                plain.unlink()
            except OSError:
                with contextlib.suppress(OSError):
                    unfinished.unlink(missing_ok=True)

    def _numbered(self, number: int, suffix: str = "") -> Path:
        return self._path.with_name(f"{self._path.name}.{number}{suffix}")


def _pack(plain: Path, packed: Path) -> None:
    descriptor = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with plain.open("rb") as text, os.fdopen(descriptor, "wb") as out, gzip.GzipFile(plain.name, "wb", COMPRESSION, out) as stream:
        shutil.copyfileobj(text, stream, 1 << 16)

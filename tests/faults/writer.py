"""A program under collection: numbered, checksummed lines at full speed into a file that it rotates by renaming."""

import gzip
import os
import random
import shutil
import threading
import time
import zlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path


def line(number: int) -> bytes:
    text = b"n=%09d payload=%s" % (number, b"x" * (number * 7919 % 160))
    return b"%s sum=%08x\n" % (text, zlib.crc32(text))


LINE = r"n=(\d+) payload=(x*) sum=([0-9a-f]{8})"
KEYS = ["n", "payload", "sum"]


class RotatingWriter(threading.Thread):
    """Writes lines 0 … `count` - 1 to `path`, 500 at a time with `pause` seconds between.

    After every `per_file` lines the file becomes `path.1`, `path.2`, … and stays.
    """

    def __init__(self, path: Path, count: int, per_file: int, pause: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.path, self.count, self.per_file, self.pause = path, count, per_file, pause
        self.done = threading.Event()

    def run(self) -> None:
        generation = 0
        out = self.path.open("ab", buffering=0)
        for begin in range(0, self.count, 500):
            out.write(b"".join(line(number) for number in range(begin, min(begin + 500, self.count))))
            if (begin + 500) % self.per_file == 0:
                out.close()
                generation += 1
                self.path.rename(f"{self.path}.{generation}")
                out = self.path.open("ab", buffering=0)
            if self.pause:
                self.done.wait(self.pause)
        out.close()
        self.done.set()


class Rotator(threading.Thread):
    """Writes like `RotatingWriter`, and after a random number of lines rotates in one of `styles`, chosen at random each time.

    rename: to `path.N`, with rising N; dated: to `path-DATE-N`; copytruncate: a copy is made there, then the file is emptied; gzip: what
    was renamed is compressed at the next rotation, its mtime kept; delete: like rename, and the oldest rotated file is deleted, if
    `watched` is held by nobody else and nothing was written to it for `DELETE_AFTER_SECS`.
    """

    FIRST = 100
    """Lines that stand in the file before it starts."""
    DELETE_AFTER_SECS = 2.0

    def __init__(self, path: Path, count: int, styles: Sequence[str], seed: int, pause: float) -> None:
        super().__init__(daemon=True)
        path.write_bytes(b"".join(line(number) for number in range(self.FIRST)))
        self.path, self.count, self.styles, self.pause = path, count, styles, pause
        self.watched = threading.Lock()
        """Held while no agent is looking: nothing is deleted then."""
        self.deleted: set[int] = set()
        """Lines whose last copy was deleted."""
        self._random = random.Random(seed)
        self._generation = 0
        self._packing: Path | None = None
        self._lines = [(0, self.FIRST)]
        """Of the live file: [first, last) of each write."""
        self._rotated: deque[tuple[Path, list[tuple[int, int]], float]] = deque()
        """The oldest first; what is in each, and when it was written last (monotonic)."""

    def run(self) -> None:
        begin = self.FIRST
        while begin < self.count:
            for _ in range(self._random.randint(1, 12)):
                end = min(begin + self._random.randint(50, 500), self.count)
                with self.path.open("ab", buffering=0) as out:
                    out.write(b"".join(line(number) for number in range(begin, end)))
                self._lines.append((begin, end))
                begin = end
                time.sleep(self.pause)
            self._rotate(self._random.choice(self.styles))

    def _rotate(self, style: str) -> None:
        self._pack()
        self._generation += 1
        dated = f"-20261123-{self._generation:06}"
        target = self.path.with_name(self.path.name + (dated if style == "dated" else f".{self._generation}"))
        self._rotated.append((target, self._lines, time.monotonic()))
        self._lines = []
        if style == "copytruncate":
            shutil.copyfile(self.path, target)
            os.truncate(self.path, 0)
            return
        self.path.rename(target)
        if style == "gzip":
            self._packing = target
        elif style == "delete":
            self._delete()

    def _delete(self) -> None:
        target, lines, written = self._rotated[0]
        if time.monotonic() - written < self.DELETE_AFTER_SECS or target == self._packing or not self.watched.acquire(blocking=False):
            return
        self._rotated.popleft()
        self.deleted.update(*(range(*piece) for piece in lines))
        for name in (target, target.with_name(f"{target.name}.gz")):
            name.unlink(missing_ok=True)
        self.watched.release()

    def _pack(self) -> None:
        """What was renamed the time before, as `delaycompress` does."""
        if self._packing is None:
            return
        status, packed = self._packing.stat(), self._packing.with_name(f"{self._packing.name}.gz")
        packed.write_bytes(gzip.compress(self._packing.read_bytes(), 1))
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        self._packing.unlink()
        self._packing = None

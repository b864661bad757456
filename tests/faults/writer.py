"""A program under collection: numbered, checksummed lines at full speed into a file that it rotates by renaming."""

import threading
import zlib
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

"""Programs that write numbered lines at a steady rate, and how long a line of theirs has waited to be read."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tailrace.agent.control.socket import ask
from tailrace.errors import TailraceError

LINE_BYTES = 1000
TICK_SECS = 0.05
LOOK_SECS = 0.1


class Log:
    """A file, and when what is in it was written. The lines say whose they are."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name, self.lines = path, name, 0
        self._ends, self._written_at = [0], [time.monotonic()]

    def write(self, count: int) -> None:
        lines = [f"{self.name},{number},".encode() for number in range(self.lines, self.lines + count)]
        block = b"".join(line.ljust(LINE_BYTES - 1, b"x") + b"\n" for line in lines)
        self._written_at.append(time.monotonic())  # first: who looks at both sees no end without its time
        self._ends.append(self._ends[-1] + len(block))
        with self.path.open("ab", buffering=0) as out:
            out.write(block)
        self.lines += count

    def waiting(self, read: int, now: float) -> float:
        """Seconds for which the first byte behind `read` has been there at `now`; 0 where there is none."""
        at = bisect_right(self._ends, read)
        return now - self._written_at[at] if at < len(self._ends) else 0.0


class Background(threading.Thread):
    """Does something again and again while it is entered."""

    def __init__(self, every: float, what: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._every, self._what, self._over = every, what, threading.Event()

    def __enter__(self) -> "Background":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(self._every):
            self._what()


class Writer(Background):
    """All logs together grow by so many bytes per second."""

    def __init__(self, logs: Sequence[Log], bytes_per_sec: float) -> None:
        super().__init__(TICK_SECS, self._write)
        self._logs, self._rate, self._began = logs, bytes_per_sec / LINE_BYTES / len(logs), time.monotonic()

    def _write(self) -> None:
        due = int((time.monotonic() - self._began) * self._rate)
        for log in self._logs:
            log.write(max(0, due - log.lines))


class Readers(Background):
    """Watches how far agents have read; a line that waits between two looks is seen at the next one."""

    def __init__(self, homes: Sequence[Path], logs: Sequence[Log]) -> None:
        super().__init__(LOOK_SECS, self._look)
        self._homes, self._logs = homes, {str(log.path): log for log in logs}
        self._read = dict.fromkeys(self._logs, 0)
        self.longest, self.longest_of = 0.0, ""
        """The longest time for which a line has waited, and the file of it."""

    def _look(self) -> None:
        for home in self._homes:
            with suppress(TailraceError):  # it does not answer: what it reads meanwhile counts as not read
                for row in ask(home / "run", {"ask": "files"}):
                    self._read[row["path"]] = max(self._read[row["path"]], row["read"])
        now = time.monotonic()
        for path, log in self._logs.items():
            waited = log.waiting(self._read[path], now)
            if waited > self.longest:
                self.longest, self.longest_of = waited, path

"""The processes that `tailrace up` starts: started, watched, restarted with growing pauses, stopped in order."""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tailrace.errors import StateError

FIRST_PAUSE_SECS = 1.0
LONGEST_PAUSE_SECS = 60.0
HEALTHY_SECS = 60.0
"""A child that ran so long has its pauses forgotten."""
STOP_SECS = 30.0
"""How long a child may take to finish its work; then it is killed, which loses nothing but time."""
KEPT_LINES = 40


def of_tailrace(words: Sequence[str]) -> list[str]:
    """One command line of `tailrace` as such a process (child.py)."""
    return [sys.executable, "-m", "tailrace.cli.up.child", *words]


class Child:
    """One process, kept running. It stops when its standard input ends."""

    def __init__(self, name: str, command: Sequence[str], *, report: Callable[[str], None]) -> None:
        self.name = name
        self.command = list(command)
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[str] = deque(maxlen=KEPT_LINES)
        self._reader: threading.Thread | None = None
        self._started_at = 0.0
        self._pause = FIRST_PAUSE_SECS
        self._restart_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """In a session of its own, so that a Ctrl-C in the terminal reaches the parent alone, which stops its children in order."""
        self._said.clear()
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, args=(self._process,), name=f"{self.name}-stderr", daemon=True)
        self._reader.start()

    def watch(self) -> None:
        """To be called often: starts the child again when it has ended, after a pause that doubles each time."""
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._restart_at = None
                self.start()
        elif self.exit_code is not None:
            if now - self._started_at >= HEALTHY_SECS:
                self._pause = FIRST_PAUSE_SECS
            self.ask_to_stop()
            self._restart_at = now + self._pause
            self._report(f"the {self.name} ended ({_meaning(self.exit_code)}); it starts again in {self._pause:.0f} s{self._last_words()}")
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECS)

    def fail(self) -> StateError:
        """The error of a child that ended before it was ready: what it said itself, or at least how it ended."""
        self.ask_to_stop()
        self.wait()
        message = next((line.removeprefix("error: ") for line in self._said if line.startswith("error: ")), "")
        hint = next((line.removeprefix("hint: ") for line in self._said if line.startswith("hint: ")), "")
        return StateError(message or f"the {self.name} ended ({_meaning(self.exit_code or 0)}){self._last_words()}", hint=hint)

    def ask_to_stop(self) -> None:
        """By closing its stdin (child.py)."""
        self._restart_at = None
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, seconds: float = STOP_SECS) -> None:
        """Until it has ended; killed when it takes longer than `seconds`."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._report(
                f"the {self.name} did not stop within {seconds:.0f} s and is killed; what it had not finished is repeated at the next start"
            )
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(1.0)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is not None:
            with process.stderr:
                for line in process.stderr:
                    self._said.append(line.decode("utf-8", "backslashreplace").rstrip())

    def _last_words(self) -> str:
        return "".join(f"\n    {line}" for line in list(self._said)[-5:])


def _meaning(exit_code: int | None) -> str:
    if exit_code is None:
        return "still running"
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"

"""`tailrace up` as a person runs it: a subprocess, its screen, and the CLI beside it."""

import atexit
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]
START_SECS = 60
STOP_SECS = 60
ROOT = Path(__file__).parents[2]


class Up:
    """`tailrace up` on a home and files of a test; this machine's own logs are left out."""

    _group: int | None = None
    """0: it is the first of a group of processes."""

    def __init__(self, home: Path, *words: str) -> None:
        self.home = home
        self._words = ["up", "--home", str(home), "--no-machine-logs", *words]
        self._lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self, *more: str) -> "Up":
        """Until its screen is there."""
        self._lines.clear()
        environment, command = {**os.environ, "PYTHONUNBUFFERED": "1"}, self._command([*self._words, *more])
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, process_group=self._group
        )
        atexit.register(self._process.kill)  # what a failed test leaves must neither outlive the tests nor keep them from ending
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self.wait_for("Ctrl-C", START_SECS)
        return self

    def stop(self) -> int:
        """As Ctrl-C does; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        assert self._process is not None
        assert self._reader is not None
        try:
            code = self._process.wait(STOP_SECS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._reader.join()
        return code

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def shown(self) -> str:
        return "".join(self._lines)

    @property
    def endpoint(self) -> str:
        return str(self.secret("cli.json")["endpoint"])

    def secret(self, name: str) -> dict[str, Any]:
        return json.loads((self.home / "secret" / name).read_text())

    def wait_for(self, text: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"`{text}` was not shown within {seconds} s:\n{self.shown}"
            assert self.running, f"it ended:\n{self.shown}"
            time.sleep(0.02)

    def query(self, statement: str, *, since: str = "1h") -> list[dict[str, str]]:
        """Rows of `tailrace query`."""
        words = ["query", statement, "--home", str(self.home), "--since", since, "--output", "json"]
        done = subprocess.run([*TAILRACE, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def contents(self, search: str, *, since: str = "1h") -> list[str]:
        return [row["content"] for row in self.query(search, since=since)]

    def wait_until_found(self, search: str, count: int, seconds: float, *, since: str = "1h") -> float:
        """Seconds until `count` logs match; fails after `seconds`."""
        started = time.monotonic()
        while len(found := self.contents(search, since=since)) < count:
            assert time.monotonic() - started < seconds, f"{len(found)} of {count} logs match `{search}` after {seconds} s:\n{self.shown}"
        return time.monotonic() - started

    def _command(self, words: list[str]) -> list[str]:
        return [*TAILRACE, *words]

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(line)


class MadeUp(Up):
    """By `make up`, as in a terminal of its own. It finds all installed: what runs the tests."""

    _group = 0

    def stop(self) -> int:
        """Ctrl-C is heard by whatever runs in the terminal."""
        os.killpg(self.pid, signal.SIGINT)
        return self.ended()

    def _command(self, words: list[str]) -> list[str]:
        command, *rest = words
        return ["make", "--directory", str(ROOT), command, f"VENV={self._installed()}", f"ARGS={shlex.join(rest)}"]

    def _installed(self) -> Path:
        venv = self.home.parent / "venv"
        (venv / "done").mkdir(parents=True)
        (venv / "bin").symlink_to(Path(sys.executable).parent)
        for name in ("venv", "server", "bytecode", "kernel-native"):
            (venv / "done" / name).touch()
        return venv

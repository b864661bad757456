"""An agent with its supervisor, from files into a file, as real processes that a test may do anything to."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.integration.agent.running import Agent

PLUGINS = Path(__file__).parent / "plugins"
FAULTY = {"Type": "processor_faulty"}
LINE = b"%08d the quick brown fox jumps over the lazy dog\n"


class SupervisedAgent:
    """Each line begins with its number; `found` gives the numbers of the lines that came out."""

    def __init__(self, directory: Path, processors: list[dict] | None = None, settings: str = ""):
        self.agent = Agent(directory, supervised=True, environment={"PYTHONPATH": str(PLUGINS)})
        self.home = self.agent.home
        self.out = self.home / "out" / "lines"
        self.log = self.agent.logs / "app.log"
        (self.home / "agent.yaml").write_text(settings)
        to_file = {"Type": "flusher_file", "FilePath": str(self.out), "MaxFileSize": 1 << 30}
        self.agent.pipeline(flushers=[to_file], processors=processors)

    def __enter__(self) -> "SupervisedAgent":
        return self

    def __exit__(self, *_: object) -> None:
        worker = self.worker
        if self.agent.process is not None and self.agent.process.poll() is None:
            self.agent.process.terminate()
            self.agent.process.wait(60)
        if worker is not None and worker.is_running():
            worker.kill()

    def start(self, *words: str) -> None:
        self.agent.start(*words)
        self._wait(lambda: self.state() == "at work", 60)

    def state(self) -> str:
        return str(self.record().get("state"))

    def record(self) -> dict:
        try:
            return json.loads((self.home / "run" / "supervisor.json").read_text())
        except (OSError, ValueError):
            return {}

    @property
    def supervisor(self) -> psutil.Process:
        return psutil.Process(self.agent.process.pid)

    @property
    def worker(self) -> psutil.Process | None:
        """The one at work or starting."""
        try:
            return next(iter(self.supervisor.children()), None)
        except (psutil.NoSuchProcess, AttributeError):
            return None

    def replaced(self, pid: int, within: float) -> float:
        """Until another worker than `pid` is at work; how many seconds that took."""
        began = time.monotonic()
        self._wait(lambda: self.state() == "at work" and self.record()["worker"] != pid, within)
        return time.monotonic() - began

    def also(self, name: str) -> None:
        """A second pipeline, without processors, that reads `NAME.txt` into a file of its own."""
        to_file = {"Type": "flusher_file", "FilePath": f"{self.out}.{name}"}
        self.agent.pipeline(name, flushers=[to_file], FilePaths=[str(self.agent.logs / f"{name}.txt")])

    def write(self, first: int, count: int, path: Path | None = None) -> None:
        with (path or self.log).open("ab") as out:
            out.write(b"".join(LINE % number for number in range(first, first + count)))

    def found(self, name: str = "") -> list[int]:
        """In the order in which they came; of the second pipeline by its name."""
        try:
            lines = Path(f"{self.out}.{name}" if name else self.out).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [int(next(iter_text(json.loads(line))).split()[0]) for line in lines]

    def wait_for_lines(self, count: int, within: float = 60) -> None:
        self._wait(lambda: self.out.exists() and self.out.read_bytes().count(b"\n") >= count, within)

    def _wait(self, condition: Callable[[], object], within: float) -> None:
        until = time.monotonic() + within
        while not condition():
            assert time.monotonic() < until, f"not within {within} s:\n{self.agent.log()}"
            assert self.agent.process.poll() is None, self.agent.log()
            time.sleep(0.02)

    def reports(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted((self.home / "crash").glob("*.json"))]

    def signal_worker(self, number: signal.Signals) -> int:
        """To the worker at work; its pid."""
        worker = self.worker
        assert worker is not None
        os.kill(worker.pid, number)
        return worker.pid


def iter_text(event: dict):
    """The text of an event, raw or not."""
    fields = event.get("fields", event)
    yield fields.get("content") or fields["__raw_log__"]

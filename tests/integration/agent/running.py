"""A worker as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.agent.sink import KEY_ID, KEY_SECRET

WAIT_SECS = 20
ROOT = Path(__file__).parents[3]


@dataclass
class Agent:
    """`tailrace agent run` on a directory of its own."""

    directory: Path
    endpoint: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None
    supervised: bool = False
    """Whether `process` is a supervisor; else it is the worker itself."""
    command: list[str] = field(default_factory=lambda: [sys.executable, "-m", "tailrace.cli.main"])

    def __post_init__(self) -> None:
        for name in ("logs", "pipelines", "home/secret"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.settings()

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *_: object) -> None:
        """However a test ends, its process does too."""
        if self.process and self.process.poll() is None:
            self.kill()

    def settings(self, **settings) -> None:
        """`agent.yaml`; what flushers write lies beside the home."""
        (self.home / "agent.yaml").write_text(json.dumps({"config_outputs": [str(self.directory)], **settings}))

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def home(self) -> Path:
        return self.directory / "home"

    def enrol(self) -> None:
        """As if a server that knows the batch form had enrolled this agent."""
        enrolment = {"endpoint": self.endpoint, "project": "test", "logstores": ["app"], "key_id": KEY_ID, "key_secret": KEY_SECRET}
        known = {"features": ["batch_group"], "server": "b" * 32}
        document = {"format": 2, "agent_id": "a" * 32, "enrolments": [{**enrolment, **known}]}
        (self.home / "secret" / "agent.json").write_text(json.dumps(document))

    def pipeline(
        self,
        name: str = "app",
        flushers: list[dict] | None = None,
        processors: list[dict] | None = None,
        aggregators: list[dict] | None = None,
        **options,
    ) -> None:
        """JSON is YAML enough. `options` go into the input."""
        source = {"Type": "input_file", "FilePaths": [f"{self.logs}/*.log"], "TailingAllMatchedFiles": True, **options}
        document = {"inputs": [source], "flushers": flushers or [self.to_sink()]}
        if processors:
            document["processors"] = processors
        if aggregators:
            document["aggregators"] = aggregators
        (self.directory / "pipelines" / f"{name}.json").write_text(json.dumps(document))

    def to_sink(self, **options) -> dict:
        return {"Type": "flusher_sls", "Endpoint": self.endpoint, "Project": "test", "Logstore": "app", **options}

    def with_key(self, **options) -> dict:
        """As to any other endpoint: a key of its own, so no identities."""
        return self.to_sink(AccessKeyId=KEY_ID, AccessKeySecret="${env:SLS_SINK_SECRET}", **options)

    def start(self, *words: str) -> subprocess.Popen:
        alone = [] if self.supervised else ["--no-supervisor"]
        command = [*self.command, "agent", "run", "--home", self.home, "--pipelines", self.directory / "pipelines", *alone, *words]
        environment = {**os.environ, "SLS_SINK_SECRET": KEY_SECRET, **self.environment}
        with (self.directory / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=environment, cwd=ROOT)
        return self.process

    def run_to_the_end(self, timeout: float = WAIT_SECS) -> None:
        assert self.start("--exit-when-drained").wait(timeout) == 0, self.log()

    @property
    def process_directory(self) -> Path:
        return Path(f"/proc/{self.process.pid}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(WAIT_SECS) == 0, self.log()

    def log(self) -> str:
        path = self.directory / "agent.log"
        return path.read_text() if path.exists() else ""


def contents(paths: Iterable[Path]) -> Iterator[bytes]:
    """What is in these files of a process at work; one that it removes or renames meanwhile is left out."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.read_bytes()


def wait_for(condition: Callable[[], object], what: str = "", timeout: float = WAIT_SECS, *, every: float = 0.02) -> None:
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"timed out: {what}"
        time.sleep(every)

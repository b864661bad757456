"""A home for `tailrace agent doctor`, healthy but for what a test does to it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailrace.agent.doctor import Finding, examine, look
from tailrace.agent.identity import identity as identities
from tailrace.agent.identity.identity import AgentIdentity

DOCTOR = [sys.executable, "-m", "tailrace.cli.main", "agent", "doctor"]
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
"""Takes from root what lets it pass over rights."""


@dataclass
class Patient:
    """A home that is fine, but for what a test does to it: one pipeline to project `demo`, whose log is there."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("agent", "secret", "run", "logs", "pipelines"):
            (self.home / name).mkdir(parents=True, mode=0o700)
        self.log.parent.mkdir()
        self.log.write_text("one\n")

    @property
    def log(self) -> Path:
        return self.home.with_name("app") / "a.log"

    def sends_to(self, address: str, **options: Any) -> "Patient":
        flusher = {"Type": "flusher_sls", "Endpoint": address, "Project": "demo", "Logstore": "app", **options}
        document = {"inputs": [{"Type": "input_file", "FilePaths": [f"{self.log.parent}/*.log"]}], "flushers": [flusher]}
        (self.home / "pipelines" / "app.json").write_text(json.dumps(document))
        return self

    def known_as(self, identity: AgentIdentity) -> "Patient":
        identities.save(identity, self.home / "secret" / "agent.json")
        return self

    def findings(self) -> list[Finding]:
        return list(examine(look(self.home, environment=self.environment)))

    def warnings(self, check: str) -> list[tuple[str, str]]:
        """Text and remedy of what this check warns of."""
        return [(one.text, one.remedy) for one in self.findings() if one.level == "warning" and one.check == check]

    def said(self, check: str, level: str = "info") -> str:
        return "\n".join(f"{one.text}: {one.remedy}" for one in self.findings() if (one.check, one.level) == (check, level))

    def work(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Within it a process has the home as a worker has it."""
        return holding(self.home / "agent" / "lock")

    def run(self, *before: str) -> subprocess.CompletedProcess[str]:
        """The command itself, behind another one."""
        environment = {**os.environ, "TAILRACE_PURE": "1", **self.environment}
        words = [*before, *DOCTOR, "--home", str(self.home), "--output", "json"]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=environment)

    def told(self, *before: str) -> dict[str, str]:
        """Warnings of the command, by check: text and remedy."""
        rows = [json.loads(line) for line in self.run(*before).stdout.splitlines()]
        return {row["check"]: f"{row['text']}: {row['remedy']}" for row in rows if row["level"] == "warning"}


@contextmanager
def holding(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has a lock of a home as a worker or a supervisor has it, and says nothing."""
    take = f"lock = current().own(Path({str(lock)!r}))"
    words = [
        "from pathlib import Path",
        "from tailrace.agent.platform import current",
        take,
        "print(flush=True)",
        "import time",
        "time.sleep(60)",
    ]
    with subprocess.Popen([sys.executable, "-c", "; ".join(words)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()

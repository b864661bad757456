"""Reports about workers that ended as they should not: `HOME/crash/<time>-<pid>.json`, the latest 20 of them.

A report holds how it ended, what was at work, its last report of progress, the trace that Python's faulthandler wrote, and the last lines
of the agent's log, which keeps secrets out by itself.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tailrace.agent.supervisor.blackbox import AtWork

KEPT: Final = 20
TRACE_BYTES: Final = 65_536
LOG_BYTES: Final = 32_768
FATAL: Final = re.compile(rb"^Current thread (0x[0-9a-f]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Crash:
    """One end of a worker."""

    pid: int
    version: str
    why: str
    """`killed by SIGSEGV`, `exit code 1`, `hung: …`."""
    ran_for_secs: float
    trace: bytes
    at_work: Sequence[AtWork]
    last_report: Mapping[str, Any]

    @property
    def culprits(self) -> list[AtWork]:
        """Of what was at work, what the thread that died was doing; all of it where the trace names no thread."""
        found = FATAL.search(self.trace)
        if found is None:
            return list(self.at_work)
        thread = int(found[1], 16)
        return [work for work in self.at_work if work.thread == thread]


def read_trace(descriptor: int) -> bytes:
    """What faulthandler wrote, at most TRACE_BYTES of it."""
    return os.pread(descriptor, TRACE_BYTES, 0).rstrip(b"\0")


def write(crash: Crash, home: Path) -> Path:
    """The report's path. OSError when there is no room for it."""
    directory = home / "crash"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = directory / f"{now:%Y%m%dT%H%M%S.%f}-{crash.pid}.json"
    report = {
        "at": now.isoformat(timespec="milliseconds"),
        "pid": crash.pid,
        "version": crash.version,
        "why": crash.why,
        "ran_for_secs": round(crash.ran_for_secs, 3),
        "at_work": [asdict(work) for work in crash.at_work],
        "last_report": crash.last_report,
        "trace": crash.trace.decode("utf-8", "replace").splitlines(),
        "last_lines": _last_lines(home / "logs" / "agent.log"),
    }
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    for old in sorted(directory.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[1:] if size > LOG_BYTES else lines

"""What a running agent leaves in `HOME/run`, for whoever asks when it does not run any more.

`agent.json`   its process id and how far it is, for `tailrace up`: when something changed, at most once a second
`status.json`  the rows of `tailrace agent status`, every few seconds and at the end
"""

import json
import os
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.bystander import bystander
from tailrace.agent.status.overview import Overview, alarm_rows

INTERVAL_SECS = 1.0
SNAPSHOT_SECS: Final = 5.0
SNAPSHOT_COST: Final = 200
"""Never more than 0.5 % of a core, however many files there are."""
SNAPSHOT_FILES: Final = 200
SNAPSHOT: Final = "status.json"


@contextmanager
def status_file(path: Path, overview: Overview | None = None) -> Generator[None]:
    """Within it a thread keeps `path`, and `status.json` beside it, up to date; each is written as a whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with bystander("status", lambda over: _keep(path, overview, over)):
        yield


def snapshot(overview: Overview) -> dict[str, Any]:
    """All that `tailrace agent status` shows, by the name of the question."""
    return {
        "at": time.time(),
        "summary": [overview.summary()],
        "files": overview.files(limit=SNAPSHOT_FILES),
        "pipelines": overview.pipelines(),
        "targets": overview.target_rows(),
        "servers": overview.servers(),
        "alarms": alarm_rows(),
    }


def _keep(path: Path, overview: Overview | None, over: threading.Event) -> None:
    written: dict[str, Any] = {}
    snapshot_at = time.monotonic() + SNAPSHOT_SECS
    last = False
    while True:
        status = _status()
        if status != written and _write(path, status):
            written = status
        if overview is not None and (last or time.monotonic() >= snapshot_at):
            began = time.thread_time()
            _write(path.with_name(SNAPSHOT), snapshot(overview))
            snapshot_at = time.monotonic() + max(SNAPSHOT_SECS, SNAPSHOT_COST * (time.thread_time() - began))
        if last:
            return
        last = over.wait(INTERVAL_SECS)


def _write(path: Path, document: Mapping[str, Any]) -> bool:
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(document) + "\n")
        unfinished.replace(path)
    except OSError as error:  # a full disk must not end the agent; the next time tries again
        telemetry.logger("agent.status").warning("cannot write the status", path=str(path), reason=error.strerror)
        return False
    return True


def _status() -> dict[str, Any]:
    """Bytes that inputs have handed over since the start, by pipeline, and bytes that wait for their acknowledgement."""
    read = telemetry.values("tailrace_agent_read_bytes_total")
    return {
        "pid": os.getpid(),
        "started_by": os.getppid(),
        "read_bytes": {pipeline: int(value) for (pipeline,), value in read.items()},
        "queued_bytes": int(sum(telemetry.values("tailrace_agent_queue_bytes").values())),
    }

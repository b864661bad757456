"""What a running agent says of its work, for `tailrace up` and for people: `HOME/run/agent.json`."""

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tailrace import telemetry

INTERVAL_SECS = 1.0


@contextmanager
def status_file(path: Path) -> Generator[None]:
    """Within it a thread keeps `path` up to date: written as a whole, when something changed, at most once a second."""
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(path, over), name="status", daemon=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _keep(path: Path, over: threading.Event) -> None:
    written: dict[str, Any] = {}
    unfinished = path.with_name(f"{path.name}.tmp")
    while True:
        status = _status()
        if status != written:
            try:
                unfinished.write_text(json.dumps(status) + "\n", encoding="utf-8")
                unfinished.replace(path)
            except OSError as error:  # a full disk must not end the agent; the next second tries again
                telemetry.logger("agent.status").warning("cannot write the status", path=str(path), reason=error.strerror)
            else:
                written = status
        if over.wait(INTERVAL_SECS):
            return


def _status() -> dict[str, Any]:
    """Bytes that inputs have handed over since the start, by pipeline, and bytes that wait for their acknowledgement."""
    read = telemetry.values("tailrace_agent_read_bytes_total")
    return {
        "pid": os.getpid(),
        "read_bytes": {pipeline: int(value) for (pipeline,), value in read.items()},
        "queued_bytes": int(sum(telemetry.values("tailrace_agent_queue_bytes").values())),
    }

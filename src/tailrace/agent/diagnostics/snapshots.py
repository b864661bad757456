"""`HOME/snapshot`: what the agent said of itself last, one event a line, for people and tools that know the manual's files."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.wire.internal_logs import Topic

DIRECTORY: Final = "snapshot"
MOST_ROWS: Final = 2000


def write(home: Path, topic: Topic, at: int, rows: Sequence[Mapping[str, str]]) -> None:
    """`HOME/snapshot/<topic>_snapshot`, as a whole. A full disk is no reason to stop."""
    path = home / DIRECTORY / f"{topic}_snapshot"
    text = "".join(json.dumps({"time": at, **row}, ensure_ascii=False) + "\n" for row in rows[:MOST_ROWS])
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        unfinished.replace(path)
    except OSError as error:
        telemetry.logger("agent.diagnostics").warning("cannot write a snapshot", path=str(path), reason=error.strerror)

"""`HOME/run/supervisor.json`: that a supervisor runs, and how its worker is, for `tailrace agent status` and `doctor`."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, Final

NAME: Final = "supervisor.json"


def write(home: Path, *, state: str, worker: int, restarts: int) -> None:
    """`worker` is its process id, 0 when there is none. A full disk is no reason to stop."""
    path = home / "run" / NAME
    unfinished = path.with_name(f"{NAME}.tmp")
    document = {"pid": os.getpid(), "worker": worker, "state": state, "restarts": restarts, "at": time.time()}
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.write_text(f"{json.dumps(document)}\n", encoding="utf-8")
        unfinished.replace(path)


def read(home: Path) -> dict[str, Any]:
    """Empty when no supervisor has run, or it has ended in good order."""
    try:
        document = json.loads((home / "run" / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def remove(home: Path) -> None:
    with contextlib.suppress(OSError):
        (home / "run" / NAME).unlink(missing_ok=True)

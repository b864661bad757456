"""Which start of which machine this is: by it a server finds out that an agent's home was copied (DESIGN §4.5)."""

import hashlib
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.agent.identity.identity import write_private

FILE: Final = "boot.json"
OVERRIDE: Final = "TAILRACE_MACHINE_ID"
"""Where several machines share one id (images, containers), a text that tells them apart."""


@dataclass(frozen=True, slots=True)
class Boot:
    """`previous` is the start before this one on the same home, empty when there was none."""

    id: str
    previous: str
    machine_id: str
    host_name: str


def begin(directory: Path) -> Boot:
    """A new start; `directory` keeps its id for the next one."""
    path = directory / FILE
    try:
        previous = str(json.loads(path.read_text(encoding="utf-8"))["boot_id"])
    except (OSError, ValueError, KeyError, TypeError):
        previous = ""
    boot = Boot(secrets.token_hex(16), previous, machine_id(), host_name())
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps({"format": 1, "boot_id": boot.id}))
    except OSError as error:  # the server then takes the next start for a second agent until it finds this one silent
        telemetry.logger("agent").warning("cannot keep the id of this start", path=str(path), reason=error.strerror)
    return boot


def machine_id(environment: Mapping[str, str] = os.environ) -> str:
    """An id of this machine that tells nothing else of it."""
    text = environment.get(OVERRIDE, "")
    if not text:
        try:
            text = Path("/etc/machine-id").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            text = ""
    return hashlib.sha256(f"tailrace agent {text or socket.gethostname()}".encode()).hexdigest()[:32]


def host_name() -> str:
    return os.fsencode(socket.gethostname()).decode("utf-8", "replace")[:255]

"""Which start of which machine this is: by it a server finds out that an agent's home was copied (DESIGN §4.5)."""

import hashlib
import json
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.journal import write_private

FILE: Final = "boot.json"
FORMAT: Final = 2
"""1: one start only."""
OVERRIDE: Final = "TAILRACE_MACHINE_ID"
"""Where several machines share one id (images, containers), a text that tells them apart."""


MOST_STARTS: Final = 64
"""As many as a server takes: crashes one after the other while it cannot be reached."""


@dataclass(frozen=True, slots=True)
class Boot:
    """`before` are the starts before this one on the same home, since the last one that all servers have heard of; the oldest first."""

    id: str
    before: Sequence[str]
    machine_id: str
    host_name: str


def begin(directory: Path) -> Boot:
    """A new start; `directory` keeps its id for the next ones, before any server hears of it."""
    boot = Boot(secrets.token_hex(16), _kept(directory), machine_id(), host_name())
    _keep(directory, [*boot.before, boot.id])
    return boot


def settle(directory: Path, boot: Boot) -> None:
    """All servers have heard of this start: the ones before it are of no use any more."""
    _keep(directory, [boot.id])


def _kept(directory: Path) -> list[str]:
    try:
        document = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return [str(one) for one in document["starts"]] if document["format"] == FORMAT else [str(document["boot_id"])]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _keep(directory: Path, starts: Sequence[str]) -> None:
    path = directory / FILE
    most = [starts[0], *starts[-MOST_STARTS + 2 :]] if len(starts) >= MOST_STARTS else starts  # the first one is known to a server
    try:
        write_private(path, json.dumps({"format": FORMAT, "starts": list(most)}))
    except OSError as error:  # the server then takes the next start for a second agent until it finds this one silent
        telemetry.logger("agent").warning("cannot keep the id of this start", path=str(path), reason=error.strerror)


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

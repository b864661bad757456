"""The commands that servers gave this agent, and how far each is: small files in `HOME/agent/commands`, so that none is run a second time.

A command is durable before the server hears that the agent has it, and durably begun before anything of it is done. It is remembered for
a day longer than the server may send it again, a day after its end, and until the server has heard how it ended.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from tailrace import telemetry
from tailrace.agent.kinds import checked
from tailrace.errors import ConfigErrors
from tailrace.journal import write_private
from tailrace.pipeline import documents
from tailrace.wire.commands import LEFT, PROJECT
from tailrace.wire.control import CommandDetail, ConfigInfo, ConfigStatus

FORMAT: Final = 1
REMEMBERED_SECS: Final = 86_400.0
HEARD_SECS: Final = 600.0
"""A server that has heard of an end may still be killed before it has written that down."""
MOST_HEARD: Final = 1000
LONGEST_SECS: Final = 31 * 86_400
MAX_MESSAGE: Final = 1000

State: TypeAlias = Literal["taken", "running", "done", "failed"]
_STATUS: Final = {"done": ConfigStatus.APPLIED, "failed": ConfigStatus.FAILED}

log = telemetry.logger("agent.commands")


@dataclass(frozen=True, slots=True)
class Taken:
    """One command. Times are Unix seconds by this machine's clock; `detail` is JSON (`wire.commands`)."""

    server: str
    id: str
    project: str
    detail: str
    begin_before: float
    state: State = "taken"
    message: str = ""
    began_at: float = 0.0
    ended_at: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.state in ("taken", "running")


class Ledger:
    """Of one home. Any thread may ask; one at a time changes. What writes raises OSError when the disk is full."""

    def __init__(self, home: Path, clock: Callable[[], float] = time.time) -> None:
        self._directory = home / "agent" / "commands"
        self._clock = clock
        self._all = {(one.server, one.id): one for one in self._load()}
        """What has changed last comes last."""
        self._heard: dict[tuple[str, str], float] = {}
        """What has ended, and when its server has heard so, as far as this process knows: the next one says it again."""

    @property
    def open(self) -> list[Taken]:
        """Those that have not ended, in the order in which they have to begin."""
        return sorted((one for one in self._all.values() if one.is_open), key=lambda one: (one.begin_before, one.id))

    def infos(self, server: str) -> list[ConfigInfo]:
        """What a server is told: what is open, then what has ended, the latest first. A server that keeps only some of it keeps these."""
        ours = [one for one in reversed(self._all.values()) if one.server == server]
        ours.sort(key=lambda one: not one.is_open)
        return [ConfigInfo(one.id, 1, _STATUS.get(one.state, ConfigStatus.APPLYING), one.message) for one in ours]

    def take(self, server: str, commands: Iterable[CommandDetail]) -> bool:
        """Durable on return. Whether any of them is new."""
        new = [one for one in commands if (server, one.name) not in self._all]
        for one in new:
            left = min(LONGEST_SECS, max(1, _number(one.extra.get(LEFT, b""), one.expire_time - int(self._clock()))))
            project = one.extra.get(PROJECT, b"").decode("utf-8", "replace")
            self.put(Taken(server, one.name, project, _bounded(one.detail), self._clock() + left))
        return bool(new)

    def put(self, command: Taken) -> Taken:
        """Durable on return. What is no UTF-8 in the message, such as the name of a file, is written out."""
        message = command.message.encode("utf-8", "backslashreplace").decode()
        ended_at = 0.0 if command.is_open else command.ended_at or self._clock()
        command = replace(command, message=message[:MAX_MESSAGE], ended_at=ended_at)
        write_private(self._path(command), json.dumps({"format": FORMAT, **asdict(command)}, ensure_ascii=False))
        key = command.server, command.id
        self._all = {**{known: one for known, one in self._all.items() if known != key}, key: command}
        return command

    def heard(self, server: str, infos: Iterable[ConfigInfo]) -> None:
        """A server has answered to these, of which it keeps the first ones."""
        for info in islice(infos, MOST_HEARD):
            known = self._all.get((server, info.name))
            if known is not None and not known.is_open and info.status in _STATUS.values():
                self._heard.setdefault((server, info.name), self._clock())

    def forget(self, joined: Iterable[str]) -> None:
        """What no server sends again nor waits to hear of, and what came from servers that the agent does not belong to any more.
        OSError, with what is not forgotten left to be forgotten."""
        known = set(joined)
        for key, one in list(self._all.items()):
            if one.server in known and not self._is_over(one):
                continue
            self._path(one).unlink(missing_ok=True)
            self._all = {other: kept for other, kept in self._all.items() if other != key}
            self._heard.pop(key, None)

    def _is_over(self, one: Taken) -> bool:
        now, heard_at = self._clock(), self._heard.get((one.server, one.id))
        if one.is_open or heard_at is None:
            return False
        return max(one.begin_before, one.ended_at) + REMEMBERED_SECS < now and heard_at + HEARD_SECS < now

    def _path(self, command: Taken) -> Path:
        """A name that a server gives is never a path."""
        return self._directory / f"{hashlib.sha256(f'{command.server}/{command.id}'.encode()).hexdigest()[:32]}.json"

    def _load(self) -> Iterator[Taken]:
        for path in sorted(self._directory.glob("*.json"), key=_written):
            try:
                yield _read(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("cannot read what is known of a command; it is not run again", path=str(path), reason=str(error))


def _written(path: Path) -> tuple[int, str]:
    """When, in nanoseconds; nobody else writes or deletes here."""
    return path.lstat().st_mtime_ns, path.name


def _read(document: dict[str, Any]) -> Taken:
    """ValueError, KeyError, TypeError, AttributeError for what is no such file."""
    if document.pop("format") != FORMAT:
        raise ValueError("it is of another release")
    command = checked(Taken(**document))
    if command.state not in get_args(State):
        raise ValueError(f"its state is `{command.state}`")
    return command


def _bounded(detail: bytes) -> str:
    """As it is kept: nothing that is too large or nested too deep to be read later on."""
    text = detail.decode("utf-8", "replace")
    try:
        documents.read(text, "command.json")
    except ConfigErrors:
        return ""
    return text


def _number(text: bytes, otherwise: int) -> int:
    return int(text) if text.isdigit() and len(text) < 10 else otherwise

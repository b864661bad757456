"""What the agent has said about itself and not yet delivered everywhere: a journal in the home, and how far each destination has it.

It is bounded: beyond that the oldest goes, and is counted as lost. Each entry has a number that no other entry of its epoch has, so that a
server knows a repeat; the epoch is renewed when the numbers begin anew.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.errors import BusyError, StateError
from tailrace.journal import Journal, Record, write_private
from tailrace.wire.internal_logs import Topic

MOST_BYTES: Final = 8 * 1_048_576
"""A day of status and alarms of a busy agent; an hour of profiles of one that follows 500 files."""
SEGMENT_BYTES: Final = 1_048_576
LAYOUT: Final = 1
FORMAT: Final = 1
STATE: Final = "sent.json"

Row = Mapping[str, str]

log = telemetry.logger("agent.diagnostics")


@dataclass(frozen=True, slots=True)
class Entry:
    """Events of one moment. An empty project stands for all."""

    sequence: int
    topic: Topic
    project: str
    at: int
    """Unix seconds."""
    rows: Sequence[Row]
    source: bytes
    """As it lies in the journal."""


class Outbox:
    """Of one agent; one thread uses it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / STATE
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.epoch = b""
        self._sent: dict[str, int] = {}
        self.profiled = 0
        """Begin of the last ten minutes whose profile was put in."""
        self._journal: Journal | None = None
        self._directory = directory / "journal"
        self._count = telemetry.counter(
            "tailrace_agent_own_records_total", "Records about the agent itself, by what became of them.", "what"
        )
        self._load()

    def put(self, topic: Topic, project: str, at: int, rows: Sequence[Row]) -> None:
        """Keep some events, durably: a number that a server has seen must not get another content after a power cut. What cannot be kept
        is counted as lost."""
        document = json.dumps({"topic": topic, "project": project, "at": at, "rows": rows}, ensure_ascii=False)
        try:
            journal = self._usable()
            journal.append([(LAYOUT, document.encode("utf-8", "replace"))])
            journal.sync()
        except (OSError, StateError, BusyError) as error:
            self._close()
            self.lost(len(rows), str(error))
            return
        try:
            self._drop_what_is_too_much(journal)
        except (OSError, StateError) as error:  # the next one tries again
            log.warning("records about the agent itself take more room than they should", reason=str(error))

    def after(self, sequence: int, project: str) -> Iterator[Entry]:
        """What a project is to have beyond a number, in order."""
        if self._journal is None or sequence >= self._journal.next_id - 1:
            return
        for record in self._journal.read(sequence + 1):
            entry = _entry(record)
            if entry is not None and entry.project in ("", project):
                yield entry

    def position(self, destination: str) -> int:
        """The last number that a destination has; a new one begins with what comes from now on."""
        if destination not in self._sent:
            self._sent[destination] = self._next() - 1
            self._save()
        return self._sent[destination]

    def sent(self, destination: str, sequence: int, rows: int) -> None:
        """It has all up to this number."""
        self._sent[destination] = sequence
        self._count.labels("sent").inc(rows)
        self._save()
        try:
            if self._journal is not None:
                self._journal.cut(min(self._sent.values()) + 1)
        except (OSError, StateError) as error:  # the next one tries again
            log.warning("records about the agent itself that were sent cannot be removed", reason=str(error))

    def lost(self, rows: int, reason: str) -> None:
        self._count.labels("lost").inc(rows)
        log.warning("records about the agent itself are lost", records=rows, reason=reason)

    def forget(self, destinations: set[str]) -> None:
        """All but these are gone."""
        if gone := self._sent.keys() - destinations:
            self._sent = {name: number for name, number in self._sent.items() if name not in gone}
            self._save()

    def note_profile(self, begin: int) -> None:
        self.profiled = begin
        self._save()

    def renew(self) -> None:
        """The server has others under our numbers: a copy of this home sent them."""
        self.epoch = secrets.token_bytes(16)
        self._save()

    def close(self) -> None:
        self._close()

    # --- inside -----------------------------------------------------------------------------------------------------------------
    def _next(self) -> int:
        try:
            return self._usable().next_id
        except (OSError, StateError, BusyError):
            return 1

    def _usable(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._directory, segment_bytes=SEGMENT_BYTES)
        return self._journal

    def _close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            try:
                journal.close()
            except (OSError, StateError) as error:
                log.warning("cannot close the records about the agent itself", reason=str(error))

    def _drop_what_is_too_much(self, journal: Journal) -> None:
        if journal.size <= MOST_BYTES or len(journal.segments) < 2:
            return
        first, second = journal.segments[:2]
        had = min(self._sent.values(), default=0)
        old = [record for record in journal.read(first) if had < record.id < second]
        missed = sum(len(entry.rows) for entry in map(_entry, old) if entry is not None)
        journal.drop(first)
        if missed:
            self.lost(missed, "they could not be sent for so long that there is no more room for them")

    def _load(self) -> None:
        try:
            document: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if document["format"] == FORMAT:
                self.epoch, self.profiled = bytes.fromhex(document["epoch"]), int(document["profiled"])
                self._sent = {str(name): int(number) for name, number in document["sent"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("what was sent about the agent itself is not known any more", path=str(self._path), reason=str(error))
        if len(self.epoch) != 16 or max(self._sent.values(), default=0) >= self._next():
            self._sent = dict.fromkeys(self._sent, self._next() - 1)  # the numbers begin anew
            self.renew()

    def _save(self) -> None:
        document = {"format": FORMAT, "epoch": self.epoch.hex(), "profiled": self.profiled, "sent": self._sent}
        try:
            write_private(self._path, json.dumps(document))
        except OSError as error:  # what was sent is sent again, and known
            log.warning("cannot note what was sent about the agent itself", path=str(self._path), reason=error.strerror)


def _entry(record: Record) -> Entry | None:
    """None of what a newer release wrote."""
    if record.type != LAYOUT:
        return None
    document = json.loads(record.payload)
    return Entry(record.id, document["topic"], document["project"], document["at"], document["rows"], record.payload)

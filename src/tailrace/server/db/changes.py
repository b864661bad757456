"""Who changes what: the change that a request is about to make. It is noted in the metadata database by the transaction of its first
statement, so that nothing is changed without a trace, whatever happens to the server in between; how it ended is added after.

`changed(before, after)` is what code that changes something may call to say more than the request does: with it the audit log shows both.
"""

import json
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tailrace.server.db.tables import ChangeRow
from tailrace.telemetry.redaction import redact

DONE: Final = "Done"
SHOWN_BYTES: Final = 262_144
"""Longer documents are told by their length."""
TOO_LONG: Final = "too_long"
INTERRUPTED: Final = "Interrupted"
"""Outcome of a change during which the server died: it may have been made or not."""


@dataclass(slots=True)
class Change:
    """What is known of it so far. `who` is a person, a key or an agent; documents are without secrets."""

    who: str
    key_id: str = ""
    address: str = ""
    request_id: str = ""
    action: str = ""
    project: str = ""
    resource: str = ""
    asked: Any = None
    """The request's body."""
    before: Any = None
    after: Any = None
    outcome: str = ""
    """Set when it is over: `Done`, or the error's code."""
    row: int | None = None
    """Its row in the database, once it has one."""
    stream: str = field(default_factory=lambda: secrets.token_hex(8).upper())
    at_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def document(self) -> dict[str, Any]:
        after = _shown(self.after)
        known = {
            "user": self.who,
            "key_id": self.key_id,
            "address": self.address,
            "request_id": self.request_id,
            "action": self.action,
            "project": self.project,
            "resource": self.resource,
            "asked": _shown(self.asked) if after is None or _is_cut(after) else None,
            "before": _shown(self.before),
            "after": after,
        }
        return {name: value for name, value in known.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Ended:
    """A change that is over and not yet in its logstore."""

    row: int
    stream: str
    at_ms: int
    outcome: str
    document: Mapping[str, Any]


CURRENT: ContextVar[Change | None] = ContextVar("change", default=None)
"""The change that the running request makes."""


def _shown(document: Any) -> Any:
    """Without secrets, and not without end."""
    if document is None:
        return None
    shown = redact("", document)
    size = len(json.dumps(shown))
    return shown if size <= SHOWN_BYTES else {TOO_LONG: size}


def _is_cut(shown: Any) -> bool:
    return isinstance(shown, dict) and TOO_LONG in shown


def changed(*, before: Any = None, after: Any = None, project: str = "", resource: str = "", who: str = "") -> None:
    """Tell the audit log what the running request changes; nothing happens outside of one."""
    change = CURRENT.get()
    if change is not None:
        change.before = before if before is not None else change.before
        change.after = after if after is not None else change.after
        change.project = project or change.project
        change.resource = resource or change.resource
        change.who = who or change.who


def asked_for(action: str, project: str, resource: str) -> None:
    """The running request was allowed to do this: the first such action names the change."""
    change = CURRENT.get()
    if change is not None and not change.action:
        change.action, change.project, change.resource = action, project or change.project, change.resource or resource


def insert(session: Session, change: Change) -> int:
    """Its row."""
    row = ChangeRow(stream=change.stream, at_ms=change.at_ms, outcome=change.outcome, document=change.document())
    session.add(row)
    session.flush()
    return row.id


def end(session: Session, change: Change) -> None:
    """Its outcome is known."""
    if change.row is None:
        insert(session, change)
    else:
        values = {"outcome": change.outcome, "document": change.document()}
        session.execute(update(ChangeRow).where(ChangeRow.id == change.row).values(values))


def interrupted(session: Session) -> None:
    """At the start: what was going on when the server died."""
    session.execute(update(ChangeRow).where(ChangeRow.outcome == "").values(outcome=INTERRUPTED))


def ended(session: Session, count: int) -> list[Ended]:
    """The oldest of those that are over."""
    rows = session.scalars(select(ChangeRow).where(ChangeRow.outcome != "").order_by(ChangeRow.id).limit(count))
    return [Ended(row.id, row.stream, row.at_ms, row.outcome, row.document) for row in rows]


def forget(session: Session, rows: list[int]) -> None:
    """They stand in their logstore."""
    session.execute(delete(ChangeRow).where(ChangeRow.id.in_(rows)))

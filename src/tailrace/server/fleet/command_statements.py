"""What is asked of the metadata database about commands: one function per question or change."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from tailrace.server.auth.vault import SEAL_BYTES, Vault
from tailrace.server.db.sealing import open_result, seal_result
from tailrace.server.db.tables import CommandResultRow, CommandRow
from tailrace.server.fleet.command import Command, Outcome

AT_ONCE = 500
"""Rows of one statement."""


def commands(session: Session) -> tuple[list[Command], list[Outcome]]:
    """All that are kept."""
    found = session.scalars(select(CommandRow))
    known = [Command(row.id, row.project, row.detail, row.author, row.created, row.expires, row.others) for row in found]
    columns = (CommandResultRow.command_id, CommandResultRow.agent_id, CommandResultRow.state, CommandResultRow.message)
    size = func.length(CommandResultRow.result) - case((CommandResultRow.is_sealed, SEAL_BYTES), else_=0)
    rows = session.execute(select(*columns, CommandResultRow.changed, func.coalesce(size, 0)))
    return known, [Outcome(*cast("tuple[Any, ...]", tuple(row))) for row in rows]


def insert_command(session: Session, command: Command, outcomes: Sequence[Outcome]) -> None:
    session.add(
        CommandRow(
            id=command.id,
            project=command.project,
            kind=command.kind,
            detail=dict(command.detail),
            author=command.author,
            created=command.created,
            expires=command.expires,
            others={agent: list(projects) for agent, projects in command.others.items()},
        )
    )
    session.flush()
    session.execute(insert(CommandResultRow), [_values(one) for one in outcomes])


def save_outcomes(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Of commands that are there; those that were deleted meanwhile stay so."""
    for one in outcomes:
        where = (CommandResultRow.command_id == one.command) & (CommandResultRow.agent_id == one.agent)
        session.execute(update(CommandResultRow).where(where).values(state=one.state, message=one.message, changed=one.changed))


def put_result(session: Session, vault: Vault, command: str, agent: str, result: bytes) -> None:
    where = (CommandResultRow.command_id == command) & (CommandResultRow.agent_id == agent)
    sealed = seal_result(vault, command, agent, result)
    session.execute(update(CommandResultRow).where(where).values(result=sealed, is_sealed=True))


def result(session: Session, vault: Vault, command: str, agent: str) -> bytes | None:
    """Raises DamagedError when it was encrypted with another master key."""
    row = session.get(CommandResultRow, (command, agent))
    return open_result(vault, row) if row is not None else None


def drop_results(session: Session, gone: Sequence[Outcome]) -> None:
    """What they said is kept."""
    for one in gone:
        put = (CommandResultRow.command_id == one.command) & (CommandResultRow.agent_id == one.agent)
        session.execute(update(CommandResultRow).where(put).values(result=None))


def delete_commands(session: Session, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        session.execute(delete(CommandRow).where(CommandRow.id.in_(ids[start : start + AT_ONCE])))


def _values(outcome: Outcome) -> dict[str, Any]:
    return {
        "command_id": outcome.command,
        "agent_id": outcome.agent,
        "state": outcome.state,
        "message": outcome.message,
        "changed": outcome.changed,
    }

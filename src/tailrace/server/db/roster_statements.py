"""What is asked of the metadata database about keys, agents and join tokens: one function per question or change."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tailrace.server.db.account_statements import check_project, check_user
from tailrace.server.db.records import Agent, Grant, Key, Token
from tailrace.server.db.tables import AgentRow, GrantRow, KeyRow, TokenRow


def keys(session: Session) -> list[Key]:
    return [_key(row) for row in session.scalars(select(KeyRow))]


def has_keys(session: Session) -> bool:
    return session.scalar(select(KeyRow.id).limit(1)) is not None


def agents(session: Session) -> list[Agent]:
    return [_agent(row) for row in session.scalars(select(AgentRow))]


def grants(session: Session) -> list[Grant]:
    return [_grant(row) for row in session.scalars(select(GrantRow))]


def tokens(session: Session) -> list[Token]:
    return [_token(row) for row in session.scalars(select(TokenRow))]


def insert_key(session: Session, key: Key) -> None:
    session.add(
        KeyRow(
            id=key.id,
            kind=key.kind,
            secret=key.secret,
            enabled=key.enabled,
            agent_id=key.agent or None,
            project=key.project,
            logstores=list(key.logstores),
            actions=list(key.actions),
            user_name=key.user,
            role=key.role,
            note=key.note,
            created=key.created,
            expires=key.expires,
        )
    )


def replace_keys(session: Session, gone: Sequence[str], key: Key | None) -> None:
    """Raises ApiError 404 when the new one's user or project has gone in the meantime."""
    session.execute(delete(KeyRow).where(KeyRow.id.in_(gone)))
    if key is not None:
        insert_key(session, key)
        session.flush()  # nobody else writes from here on: what is read now is so
        if key.user:
            check_user(session, key.user)
        if key.project:
            check_project(session, key.project)


def enrol(session: Session, agent: Agent, grant: Grant, token: Token | None) -> None:
    """Put an agent in, or change it, with what it may do; `token` is what is left of the one that it came with."""
    row = session.get(AgentRow, agent.id)
    if row is None:
        row = AgentRow(id=agent.id, created=agent.created)
        session.add(row)
    row.public_key, row.machine_id, row.host_name = agent.public_key, agent.machine_id, agent.host_name
    row.boot_id, row.revoked = agent.boot_id, agent.revoked
    session.flush()
    session.merge(GrantRow(agent_id=grant.agent, project=grant.project, logstores=list(grant.logstores), created=grant.created))
    if token is not None:
        put_token(session, token)


def put_agent(session: Session, agent: Agent) -> None:
    """One that is there already."""
    row = session.get_one(AgentRow, agent.id)
    row.machine_id, row.host_name, row.boot_id, row.revoked = agent.machine_id, agent.host_name, agent.boot_id, agent.revoked


def delete_agent_keys(session: Session, agent: Agent) -> None:
    put_agent(session, agent)
    session.execute(delete(KeyRow).where(KeyRow.agent_id == agent.id))


def delete_agent(session: Session, agent: str) -> None:
    for row in (KeyRow, GrantRow):
        session.execute(delete(row).where(row.agent_id == agent))
    session.execute(delete(AgentRow).where(AgentRow.id == agent))


def delete_grant(session: Session, agent: str, project: str) -> None:
    session.execute(delete(GrantRow).where(GrantRow.agent_id == agent, GrantRow.project == project))
    session.execute(delete(KeyRow).where(KeyRow.agent_id == agent, KeyRow.project == project))


def put_token(session: Session, token: Token) -> None:
    session.merge(
        TokenRow(
            id=token.id,
            secret_hash=token.secret_hash,
            project=token.project,
            logstores=list(token.logstores),
            note=token.note,
            uses_left=token.uses_left,
            used=token.used,
            created=token.created,
            expires=token.expires,
            revoked=token.revoked,
        )
    )


def _agent(row: AgentRow) -> Agent:
    return Agent(row.id, row.created, row.public_key, row.machine_id, row.host_name, row.boot_id, row.revoked)


def _grant(row: GrantRow) -> Grant:
    return Grant(row.agent_id, row.project, tuple(row.logstores), row.created)


def _token(row: TokenRow) -> Token:
    return Token(
        row.id, row.secret_hash, row.project, tuple(row.logstores), row.note, row.uses_left, row.used, row.created, row.expires, row.revoked
    )


def _key(row: KeyRow) -> Key:
    if row.kind not in ("admin", "agent", "user"):
        raise ValueError(f"key {row.id} is of unknown kind {row.kind}")
    return Key(
        id=row.id,
        kind=row.kind,  # pyright: ignore[reportArgumentType]  (checked above)
        secret=row.secret,
        created=row.created,
        enabled=row.enabled,
        agent=row.agent_id or "",
        project=row.project,
        logstores=tuple(row.logstores),
        actions=tuple(row.actions),
        expires=row.expires,
        user=row.user_name,
        role=row.role,
        note=row.note,
    )

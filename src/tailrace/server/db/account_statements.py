"""What is asked of the metadata database about users and their sessions: one function per question or change."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tailrace.server.db.records import LoginSession, User
from tailrace.server.db.tables import KeyRow, SessionRow, UserRow


def users(session: Session) -> list[User]:
    return [_user(row) for row in session.scalars(select(UserRow))]


def sessions(session: Session) -> list[LoginSession]:
    rows = session.scalars(select(SessionRow))
    return [LoginSession(row.id, row.secret_hash, row.user_name, row.address, row.created, row.expires) for row in rows]


def put_user(session: Session, user: User) -> None:
    session.merge(
        UserRow(
            name=user.name,
            password_hash=user.password_hash,
            roles=dict(user.roles),
            enabled=user.enabled,
            created=user.created,
            modified=user.modified,
        )
    )


def delete_user(session: Session, name: str) -> None:
    """With sessions and keys."""
    session.execute(delete(KeyRow).where(KeyRow.user_name == name))
    session.execute(delete(UserRow).where(UserRow.name == name))


def put_session(session: Session, login: LoginSession, now: int) -> None:
    """Those that have expired go at the same time."""
    session.execute(delete(SessionRow).where(SessionRow.expires <= now))
    session.add(
        SessionRow(
            id=login.id,
            secret_hash=login.secret_hash,
            user_name=login.user,
            address=login.address,
            created=login.created,
            expires=login.expires,
        )
    )


def delete_sessions(session: Session, ids: list[str]) -> None:
    session.execute(delete(SessionRow).where(SessionRow.id.in_(ids)))


def forget_project(session: Session, project: str) -> None:
    """A project made again under this name is no business of those who had a role in it."""
    for row in session.scalars(select(UserRow)):
        if project in row.roles:
            row.roles = {name: role for name, role in row.roles.items() if name != project}


def _user(row: UserRow) -> User:
    return User(row.name, row.password_hash, row.roles, row.created, row.modified, row.enabled)

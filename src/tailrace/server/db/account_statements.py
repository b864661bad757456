"""What is asked of the metadata database about users and their sessions: one function per question or change."""

from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tailrace.errors import ApiError
from tailrace.server.auth.roles import EVERYTHING
from tailrace.server.db.records import LoginSession, User
from tailrace.server.db.tables import KeyRow, ProjectRow, SessionRow, UserRow


def users(session: Session) -> list[User]:
    return [_user(row) for row in session.scalars(select(UserRow))]


def sessions(session: Session) -> list[LoginSession]:
    rows = session.scalars(select(SessionRow))
    return [LoginSession(row.id, row.secret_hash, row.user_name, row.address, row.created, row.expires) for row in rows]


def insert_user(session: Session, user: User) -> None:
    session.add(
        UserRow(
            name=user.name,
            password_hash=user.password_hash,
            roles=dict(user.roles),
            enabled=user.enabled,
            created=user.created,
            modified=user.modified,
        )
    )


def change_user(session: Session, user: User, roles: Mapping[str, str | None]) -> User:
    """Of the roles only those that change (None: none any more), as a project may have taken others along in the meantime."""
    row = session.get_one(UserRow, user.name)
    row.password_hash, row.enabled, row.modified = user.password_hash, user.enabled, user.modified
    session.flush()  # nobody else writes from here on: what is read now is so
    session.refresh(row)
    for project in (name for name, role in roles.items() if role is not None and name != EVERYTHING):
        check_project(session, project)
    row.roles = {name: role for name, role in {**row.roles, **roles}.items() if role is not None}
    return _user(row)


def check_project(session: Session, name: str) -> None:
    """Raises ApiError 404 ProjectNotExist."""
    if session.scalar(select(ProjectRow.id).where(ProjectRow.name == name)) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {name}")


def check_user(session: Session, name: str) -> None:
    """Raises ApiError 404 UserNotExist."""
    if session.get(UserRow, name) is None:
        raise ApiError(404, "UserNotExist", f"there is no user `{name}`")


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

"""Users and their sessions. All of it in memory for readers, as in the catalog; every change goes through the database first."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from tailrace.errors import ApiError
from tailrace.server.db import account_statements as statements
from tailrace.server.db.changes import changed
from tailrace.server.db.records import LoginSession, User
from tailrace.server.db.transactions import Transactions


class Accounts:
    """Reading never waits and never fails; changing raises ApiError."""

    def __init__(self, transactions: Transactions) -> None:
        self._run = transactions.run
        self._changing = asyncio.Lock()
        self._users: dict[str, User] = {}
        self._sessions: dict[str, LoginSession] = {}

    async def open(self) -> None:
        await self._run(self._load)

    # --- users ------------------------------------------------------------------------------------------------------------------
    def user(self, name: str) -> User | None:
        return self._users.get(name)

    def known_user(self, name: str) -> User:
        """Raises ApiError 404 UserNotExist."""
        user = self._users.get(name)
        if user is None:
            raise ApiError(404, "UserNotExist", f"there is no user `{name}`")
        return user

    def users(self) -> list[User]:
        """By name."""
        return [self._users[name] for name in sorted(self._users)]

    async def create_user(self, user: User) -> None:
        async with self._changing:
            if user.name in self._users:
                raise ApiError(400, "UserAlreadyExist", f"user `{user.name}` already exists")
            await self._run(statements.insert_user, user)
            self._users[user.name] = user

    async def change_user(self, name: str, change: Callable[[User], User], *, project: str = "") -> User:
        """`change` makes the new record of the present one. With `project`, the audit log shows no more than the role in it."""
        async with self._changing:
            before = self.known_user(name)
            after = change(before)
            changed(before=_shown(before, project), after=_shown(after, project))
            roles = {one: after.roles.get(one) for one in {**before.roles, **after.roles} if before.roles.get(one) != after.roles.get(one)}
            kept = await self._run(statements.change_user, after, roles)
            self._users[name] = kept
            return kept

    async def delete_user(self, name: str) -> None:
        """The roster forgets the keys."""
        async with self._changing:
            self.known_user(name)
            await self._run(statements.delete_user, name)
            del self._users[name]
            self._sessions = {one.id: one for one in self._sessions.values() if one.user != name}

    def project_deleted(self, project: str) -> None:
        """The catalog has deleted it in the database, and with it the roles in it."""
        for user in self.users():
            if project in user.roles:
                roles = {name: role for name, role in user.roles.items() if name != project}
                self._users[user.name] = replace(user, roles=roles)

    # --- sessions ---------------------------------------------------------------------------------------------------------------
    def session(self, session_id: str) -> LoginSession | None:
        return self._sessions.get(session_id)

    def sessions(self, user: str) -> list[LoginSession]:
        """The oldest first."""
        return sorted((one for one in self._sessions.values() if one.user == user), key=lambda one: one.created)

    async def add_session(self, login: LoginSession, now: int, *, checked: User | None = None) -> None:
        """`checked` is the user whose password was looked at, which takes a while: 401 LoginFailed when it is another one by now."""
        async with self._changing:
            user = self.known_user(login.user)
            if checked is not None and (user.password_hash != checked.password_hash or not user.enabled):
                raise ApiError(401, "LoginFailed", "the password was changed or the user disabled at this very moment: log in again")
            await self._run(statements.put_session, login, now)
            self._sessions = {one.id: one for one in self._sessions.values() if one.expires > now}
            self._sessions[login.id] = login

    async def end_sessions(self, user: str, which: Callable[[LoginSession], bool] = lambda _: True) -> None:
        async with self._changing:
            gone = [one.id for one in self.sessions(user) if which(one)]
            if gone:
                await self._run(statements.delete_sessions, gone)
            for one in gone:
                self._sessions.pop(one, None)

    # --- memory -----------------------------------------------------------------------------------------------------------------
    def _load(self, session: Session) -> None:
        self._users = {user.name: user for user in statements.users(session)}
        self._sessions = {one.id: one for one in statements.sessions(session)}


def _shown(user: User, project: str) -> dict[str, object]:
    if project:
        return {"name": user.name, "role": user.roles.get(project)}
    return {"name": user.name, "roles": dict(user.roles), "enabled": user.enabled}

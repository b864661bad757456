"""Logging in: how often somebody may fail, how long it lasts, and what a token gives away."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.errors import ApiError
from tailrace.server.auth.passwords import Passwords, hash_password
from tailrace.server.auth.sessions import Sessions, csrf_token
from tailrace.server.db import account_statements as statements
from tailrace.server.db.accounts import Accounts
from tailrace.server.db.records import User
from tailrace.server.db.transactions import Transactions
from tailrace.server.settings import Settings
from tests.databases import open_for_test

PASSWORD = "correct horse battery"
MOST_FAILURES = 3
"""Fewer than in earnest: each costs what a password is meant to cost."""


class Doors:
    def __init__(self, home: Path) -> None:
        self.transactions = Transactions(open_for_test(home / "meta.db"))
        self.accounts, self.passwords = Accounts(self.transactions), Passwords()
        self.sessions = Sessions(self.accounts, self.passwords, Settings(home=home))


@pytest.fixture
async def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tailrace.server.fleet.attempts.MOST_FAILURES", MOST_FAILURES)
    doors = Doors(tmp_path)
    await doors.accounts.create_user(User("anna", hash_password(PASSWORD), {"web": "reader"}, 1, 1))
    yield doors
    doors.passwords.close()
    doors.transactions.close()


async def refusal(doors: Doors, name: str, password: str, address: str) -> str:
    with pytest.raises(ApiError) as caught:
        await doors.sessions.login(name, password, address)
    return caught.value.error_code


async def test_who_guesses_at_many_names_is_held_up_by_address(doors: Doors) -> None:
    codes = [await refusal(doors, f"user-{number}", "wrong password", "10.0.0.1") for number in range(MOST_FAILURES + 1)]
    assert codes == ["LoginFailed"] * MOST_FAILURES + ["TooManyAttempts"]
    assert await refusal(doors, "anna", PASSWORD, "10.0.0.1") == "TooManyAttempts"
    token, _ = await doors.sessions.login("anna", PASSWORD, "10.0.0.2")
    assert doors.sessions.principal(token).user == "anna"


async def test_who_guesses_from_many_addresses_is_held_up_by_name(doors: Doors) -> None:
    codes = [await refusal(doors, "anna", "wrong password", f"10.0.1.{number}") for number in range(MOST_FAILURES + 1)]
    assert codes == ["LoginFailed"] * MOST_FAILURES + ["TooManyAttempts"]
    assert await refusal(doors, "anna", PASSWORD, "10.0.2.1") == "TooManyAttempts"


async def test_who_has_a_session_cannot_guess_the_password_either(doors: Doors) -> None:
    anna = doors.accounts.known_user("anna")
    codes: list[str] = []
    for password in ["wrong password"] * MOST_FAILURES + [PASSWORD]:
        with pytest.raises(ApiError) as caught:
            await doors.sessions.confirm(anna, password)
        codes.append(caught.value.error_code)
    assert codes == ["LoginFailed"] * MOST_FAILURES + ["TooManyAttempts"]


async def test_a_password_that_is_changed_during_a_login_opens_no_session(doors: Doors) -> None:
    async def change_meanwhile(password: str, hashed: str | None) -> bool:
        await doors.accounts.change_user("anna", lambda one: replace(one, password_hash="another"))
        return True

    doors.passwords.matches = change_meanwhile  # pyright: ignore[reportAttributeAccessIssue]
    assert await refusal(doors, "anna", PASSWORD, "10.0.0.1") == "LoginFailed"
    assert doors.accounts.sessions("anna") == []


async def test_a_new_password_brings_no_role_back_that_a_deleted_project_took_along(doors: Doors) -> None:
    await doors.transactions.run(statements.forget_project, "web")
    changed = await doors.accounts.change_user("anna", lambda one: replace(one, password_hash="another"))
    again = Accounts(doors.transactions)
    await again.open()
    assert (changed.roles, again.known_user("anna").roles, again.known_user("anna").password_hash) == ({}, {}, "another")


async def test_a_role_in_a_project_that_has_just_gone_is_none(doors: Doors) -> None:
    with pytest.raises(ApiError, match="does not exist"):
        await doors.accounts.change_user("anna", lambda one: replace(one, roles={**one.roles, "shop": "admin"}))
    assert doors.accounts.known_user("anna").roles == {"web": "reader"}


async def test_a_session_ends_by_itself_and_survives_a_restart(doors: Doors) -> None:
    token, login = await doors.sessions.login("anna", PASSWORD, "10.0.0.1")
    again = Accounts(doors.transactions)
    await again.open()
    kept = Sessions(again, doors.passwords, Settings(home=Path("/nowhere")))
    assert kept.principal(token).roles == {"web": "reader"}
    await doors.accounts.end_sessions("anna")
    await doors.accounts.add_session(replace(login, expires=int(time.time()) - 1), 0)
    with pytest.raises(ApiError, match="has ended"):
        doors.sessions.principal(token)


@pytest.mark.sqlite
async def test_the_database_holds_no_token(doors: Doors, tmp_path: Path) -> None:
    token, _ = await doors.sessions.login("anna", PASSWORD, "10.0.0.1")
    raw = b"".join(file.read_bytes() for file in tmp_path.glob("meta.db*"))
    assert token.rpartition(".")[2].encode() not in raw
    assert csrf_token(token) not in token


async def test_so_many_sessions_of_one_user_and_no_more(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.server.auth.sessions.MOST_PER_USER", 2)
    tokens = [(await doors.sessions.login("anna", PASSWORD, "10.0.0.1"))[0] for _ in range(3)]
    assert len(doors.accounts.sessions("anna")) == 2
    assert doors.sessions.principal(tokens[-1]).user == "anna"

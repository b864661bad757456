"""What the owner of a home does to its server while that does not run: the way back in. It is in the audit log like all else."""

import getpass
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from tailrace.errors import StateError
from tailrace.journal import write_private
from tailrace.server.auth.keys import new_secret
from tailrace.server.auth.master_key import MASTER_KEY
from tailrace.server.auth.passwords import check_length, hash_password
from tailrace.server.auth.vault import open_vault
from tailrace.server.db import account_statements, changes, roster_statements
from tailrace.server.db.changes import DONE, Change
from tailrace.server.db.database import open_metadata
from tailrace.server.listening import RUN_FILE, refuse_second_server
from tailrace.server.settings import Settings, load_settings

Result = TypeVar("Result")


def reset_password(home: Path, name: str, password: str) -> None:
    """Raises StateError when there is no such user or the server runs, ApiError when the password is too short."""
    check_length(password)

    def reset(session: Session) -> None:
        user = next((one for one in account_statements.users(session) if one.name == name), None)
        if user is None:
            raise StateError(f"there is no user `{name}` on the home `{home}`", hint="`tailrace user add` makes one")
        sessions = [one.id for one in account_statements.sessions(session) if one.user == name]
        account_statements.change_user(session, replace(user, password_hash=hash_password(password), modified=int(time.time())), {})
        account_statements.delete_sessions(session, sessions)
        changes.insert(session, _change("tailrace:SetPassword", f"/users/{name}"))

    _on_database(load_settings(home), reset)


def reset_admin_key(home: Path) -> str:
    """Id of the server's own key, whose new secret lies in `secret/admin.json`. Raises StateError when there is none or the server runs."""
    settings = load_settings(home)
    vault = open_vault(settings.secret_directory / MASTER_KEY, create=False)

    def reset(session: Session) -> tuple[str, str]:
        keys = [key for key in roster_statements.keys(session) if key.kind == "admin" and key.enabled]
        if not keys:
            raise StateError(f"the server on the home `{home}` has no key of its own yet", hint="start it once")
        key = min(keys, key=lambda one: one.created)
        sealed, secret = new_secret(vault, key.id)
        roster_statements.replace_keys(session, [key.id], replace(key, secret=sealed))
        changes.insert(session, _change("tailrace:ResetKey", f"/keys/{key.id}"))
        return key.id, secret

    key_id, secret = _on_database(settings, reset)
    write_private(settings.secret_directory / "admin.json", json.dumps({"key_id": key_id, "key_secret": secret}) + "\n")
    return key_id


def _on_database(settings: Settings, statement: Callable[[Session], Result]) -> Result:
    refuse_second_server(settings.run_directory / RUN_FILE)
    engine = open_metadata(settings)
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            return statement(session)
    finally:
        engine.dispose()


def _change(action: str, resource: str) -> Change:
    return Change(f"local {getpass.getuser()}", action=action, resource=resource, outcome=DONE)

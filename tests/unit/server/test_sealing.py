"""What lies encrypted in the metadata database, also after the master key was changed, or while it is."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tailrace.errors import DamagedError, StateError
from tailrace.server.auth.master_key import open_current_vault, order_new
from tailrace.server.auth.vault import open_vault
from tailrace.server.db import statements
from tailrace.server.db.collection import Collection
from tailrace.server.db.documents import Documents
from tailrace.server.db.records import Key, Project
from tailrace.server.db.roster import Roster
from tailrace.server.db.transactions import Transactions
from tests.databases import open_for_test

JOB = {"name": "too-many", "webhook": "https://chat.example/hook?token=dragon-9", "größe": ["日志", None]}
DOCUMENT = {"inputs": [{"Type": "input_mysql", "Password": "hunter-2"}], "flushers": [], "größe": "日志"}


WEB = Project(1, "web", "", 0, 0)


class Opened:
    """A database with its vault, as a server opens them."""

    def __init__(self, home: Path) -> None:
        self.path = home / "meta.db"
        self.transactions = Transactions(open_for_test(self.path))

    async def open(self) -> "Opened":
        self.vault = await open_current_vault(self.path.parent, self.transactions)
        self.roster, self.collection = Roster(self.transactions), Collection(self.transactions, self.vault)
        self.documents = Documents(self.transactions, self.vault)
        await self.roster.open()
        await self.collection.open()
        return self

    def raw(self) -> bytes:
        """All that lies on the disk."""
        return b"".join(file.read_bytes() for file in sorted(self.path.parent.glob("meta.db*")))

    def close(self) -> None:
        self.transactions.close()


async def kept(opened: Opened) -> object:
    """The job, by its name and in the list."""
    one = await opened.documents.document(WEB, "jobs", "too-many")
    assert one is not None
    assert [one] == await opened.documents.documents(WEB, "jobs")
    return one.content


@pytest.fixture
async def filled(tmp_path: Path):
    opened = await Opened(tmp_path).open()
    project = await opened.transactions.run(statements.insert_project, "web", "", {}, 1)
    await opened.collection.create_config(project, "db", "pipeline", DOCUMENT, "me")
    await opened.documents.insert(project, "jobs", "too-many", JOB)
    await opened.roster.add_key(Key("K", "admin", opened.vault.encrypt("K", "key-secret"), 1))
    yield opened
    opened.close()


@pytest.mark.sqlite
async def test_nothing_secret_lies_in_clear(filled: Opened) -> None:
    assert b"hunter-2" not in filled.raw()
    assert b"key-secret" not in filled.raw()
    await filled.documents.change(WEB, "jobs", "too-many", lambda job: {**job, "other": "lizard-3"})
    assert b"dragon-9" not in filled.raw()
    assert b"lizard-3" not in filled.raw()


async def test_a_config_comes_back_word_for_word(filled: Opened) -> None:
    again = await Opened(filled.path.parent).open()
    assert json.dumps(again.collection.config("web", "db").document) == json.dumps(DOCUMENT)
    assert [version.document for version in await again.collection.config_versions("web", "db")] == [DOCUMENT]
    assert json.dumps(await kept(again)) == json.dumps(JOB)
    again.close()


@pytest.mark.sqlite
async def test_what_an_older_release_left_in_clear_is_encrypted_at_the_start(filled: Opened) -> None:
    filled.close()
    with closing(sqlite3.connect(filled.path)) as connection, connection:
        connection.execute("UPDATE config_versions SET document = ?", [json.dumps(DOCUMENT)])
        connection.execute("UPDATE documents SET document = ?", [json.dumps(JOB)])
    again = await Opened(filled.path.parent).open()
    assert again.collection.config("web", "db").document == DOCUMENT
    assert await kept(again) == JOB
    again.close()
    assert b"hunter-2" not in again.raw()
    assert b"dragon-9" not in again.raw()


async def test_a_new_master_key_takes_over_at_the_next_start(filled: Opened) -> None:
    filled.close()
    old = (filled.path.parent / "master.key").read_text()
    order_new(filled.path.parent)
    with pytest.raises(StateError, match="waits for the server's next start already"):
        order_new(filled.path.parent)
    again = await Opened(filled.path.parent).open()
    key = again.roster.key("K")
    assert key is not None
    assert again.vault.decrypt("K", key.secret) == "key-secret"
    assert again.collection.config("web", "db").document == DOCUMENT
    assert await kept(again) == JOB
    again.close()
    assert old not in (filled.path.parent / "master.key").read_text()
    (filled.path.parent / "old.key").touch(mode=0o600)
    (filled.path.parent / "old.key").write_text(old)
    with pytest.raises(DamagedError):
        open_vault(filled.path.parent / "old.key", create=False).decrypt("K", key.secret)


async def test_a_change_that_was_cut_short_goes_on_at_the_start_after(filled: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.close()
    order_new(filled.path.parent)
    with monkeypatch.context() as patch:
        patch.setattr("tailrace.server.auth.vault.Vault.forget_old_keys", lambda _: (_ for _ in ()).throw(OSError("killed")))
        half = Opened(filled.path.parent)
        with pytest.raises(OSError, match="killed"):
            await half.open()
        half.close()
    again = await Opened(filled.path.parent).open()
    assert again.collection.config("web", "db").document == DOCUMENT
    again.close()
    assert len((filled.path.parent / "master.key").read_text().split()) == 1

"""The metadata database: what it keeps over restarts, what a crash may interrupt, and which files it refuses."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tailrace.errors import ApiError, BusyError, DamagedError, EngineError, NewerFormatError
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.database import copy_database, open_database
from tailrace.server.db.index_builds import IndexBuilds
from tailrace.server.db.migration import MIGRATIONS, known_revisions
from tailrace.server.db.records import Agent, Grant, Key, Token
from tailrace.server.db.roster import Roster
from tailrace.server.db.tables import Base
from tailrace.server.db.transactions import Transactions
from tailrace.server.store.port import FieldIndex, Filling, Found, LineIndex, TableSpec
from tailrace.telemetry import recent_alarms
from tests.databases import open_for_test

TEXT = {"type": "text", "token": [" "], "doc_value": True}
LONG = {"type": "long", "doc_value": True}
NEWEST = known_revisions()[-1]


FIRST_SCHEMA = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO alembic_version VALUES ('0001');
CREATE TABLE projects (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(63) NOT NULL, description VARCHAR NOT NULL, options JSON NOT NULL,
    created BIGINT NOT NULL, modified BIGINT NOT NULL, CONSTRAINT uq_projects_name UNIQUE (name));
CREATE TABLE logstores (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL, name VARCHAR(63) NOT NULL,
    ttl INTEGER NOT NULL, options JSON NOT NULL, created BIGINT NOT NULL, modified BIGINT NOT NULL,
    CONSTRAINT fk_logstores_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE);
CREATE TABLE shards (logstore_id INTEGER NOT NULL, shard INTEGER NOT NULL, status VARCHAR(16) NOT NULL, begin_key VARCHAR(32) NOT NULL,
    end_key VARCHAR(32) NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (logstore_id, shard));
CREATE TABLE drops (logstore_id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE indexes (logstore_id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, document JSON NOT NULL, modified BIGINT NOT NULL);
CREATE TABLE index_columns (logstore_id INTEGER NOT NULL, number INTEGER NOT NULL, "key" VARCHAR NOT NULL, type VARCHAR(16) NOT NULL,
    first_version INTEGER NOT NULL, PRIMARY KEY (logstore_id, number));
CREATE TABLE agents (id VARCHAR(64) NOT NULL PRIMARY KEY, project VARCHAR(63) NOT NULL, logstores JSON NOT NULL, created BIGINT NOT NULL);
CREATE TABLE keys (id VARCHAR(64) NOT NULL PRIMARY KEY, kind VARCHAR(16) NOT NULL, secret BLOB NOT NULL, enabled BOOLEAN NOT NULL,
    agent_id VARCHAR(64), project VARCHAR(63) NOT NULL, logstores JSON NOT NULL, actions JSON NOT NULL, created BIGINT NOT NULL,
    CONSTRAINT fk_keys_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE);
INSERT INTO projects VALUES (1, 'web', '', '{}', 7, 7);
INSERT INTO agents VALUES ('host-1', 'web', '["access"]', 7);
INSERT INTO keys VALUES ('K', 'agent', X'7365616C6564', 1, 'host-1', 'web', '["access"]', '[]', 7);
"""


class Tables:
    """The store as far as the catalog uses it: which tables there are."""

    def __init__(self) -> None:
        self.specs: dict[int, TableSpec] = {}
        self.broken = False
        self.steps: list[str] = []
        self.filled = asyncio.Event()
        self.filled.set()

    async def open(self, tables: Sequence[TableSpec], building: Sequence[TableSpec] = ()) -> Found:
        found = frozenset({*self.specs, *(table.logstore for table in tables)})
        self.specs = {table.logstore: table for table in tables}
        return Found(found, max(found, default=0))

    async def create(self, table: TableSpec) -> None:
        self._check()
        self.specs[table.logstore] = table

    async def widen(self, table: TableSpec) -> None:
        self._check()
        self.steps.append("widen")

    async def fill(self, table: TableSpec, beside: TableSpec, note: Callable[[Filling], None]) -> None:
        self.steps.append("fill")
        await self.filled.wait()

    async def narrow(self, table: TableSpec) -> None:
        self.steps.append("narrow")
        self.specs[table.logstore] = table

    async def drop(self, logstore: int) -> None:
        self._check()
        self.specs.pop(logstore, None)

    def _check(self) -> None:
        if self.broken:
            raise EngineError("the engine is down")


class Opened(Catalog):
    """With the roster beside it, and with the end of both."""

    def __init__(self, transactions: Transactions, tables: Tables) -> None:
        super().__init__(transactions, tables)
        self.builds = IndexBuilds(tables, self.index_built, grace_secs=0.0)
        self.roster = Roster(transactions)
        self.close = transactions.close


async def opened(path: Path, tables: Tables) -> Opened:
    catalog = Opened(Transactions(open_for_test(path)), tables)
    await catalog.open()
    await catalog.roster.open()
    return catalog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meta.db"


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
async def catalog(path: Path, tables: Tables):
    catalog = await opened(path, tables)
    await catalog.create_project("web", "the shop", {})
    await catalog.create_logstore("web", "access", ttl=30, shard_count=2, options={"autoSplit": True})
    yield catalog
    catalog.close()


def test_the_migrations_make_what_the_code_expects(path: Path) -> None:
    engine = open_database(path)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_the_migrations_are_one_chain() -> None:
    files = [file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")]
    assert sorted(known_revisions()) == sorted(files)
    assert known_revisions()[:2] == ["0001", "0002"]


@pytest.mark.sqlite
def test_the_file_is_for_its_owner_only(path: Path) -> None:
    open_database(path).dispose()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.sqlite
def test_a_newer_file_is_refused_with_a_sentence_and_left_alone(path: Path) -> None:
    open_database(path).dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerFormatError, match=f"has format 9999, this release knows formats up to {NEWEST}"):
        open_database(path)
    assert not list(path.parent.glob("*.before-*"))


@pytest.mark.sqlite
def test_what_is_no_database_is_damaged(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedError, match="cannot open the metadata"):
        open_database(path)


async def test_everything_is_there_after_a_restart(catalog: Opened, path: Path, tables: Tables) -> None:
    await catalog.create_index("web", "access", {"keys": {"z": TEXT, "a": LONG}})
    before = catalog.logstore("web", "access")
    again = await opened(path, tables)
    after = again.logstore("web", "access")
    again.close()
    assert after == before
    assert after is not None
    assert list((after.index or {})["keys"]) == ["z", "a"]


async def test_shards_split_the_key_space_evenly(catalog: Opened) -> None:
    three = await catalog.create_logstore("web", "three", ttl=1, shard_count=3, options={})
    two = catalog.logstore("web", "access")
    assert two is not None
    assert [(shard.begin, shard.end) for shard in two.shards] == [("0" * 32, "8" + "0" * 31), ("8" + "0" * 31, "f" * 32)]
    assert [shard.id for shard in three.shards] == [0, 1, 2]
    assert [shard.end for shard in three.shards[:-1]] == [shard.begin for shard in three.shards[1:]]


async def test_a_column_stands_for_one_definition_for_ever(catalog: Opened) -> None:
    def columns() -> dict[str, str]:
        logstore = catalog.logstore("web", "access")
        assert logstore is not None
        line = {"": logstore.table.line.column} if logstore.table.line is not None else {}
        return {field.key: field.column for field in logstore.table.fields} | line

    await catalog.create_index("web", "access", {"keys": {"a": TEXT, "b": LONG}, "line": {"token": [" "]}})
    assert columns() == {"a": "c1", "b": "c2", "": ""}
    await catalog.replace_index("web", "access", {"keys": {"b": TEXT, "c": {**LONG, "alias": "x"}}, "line": {"token": ["/"]}})
    assert columns() == {"b": "c4", "c": "c5", "": "l6"}
    await catalog.replace_index("web", "access", {"keys": {"b": {**TEXT, "token": ["/"]}, "c": LONG}, "line": {"token": ["/"]}})
    assert columns() == {"b": "c7", "c": "c5", "": "l6"}
    await catalog.replace_index("web", "access", None)
    await catalog.create_index("web", "access", {"keys": {"c": TEXT}})
    assert columns() == {"c": "c8"}
    await catalog.rebuild_index("web", "access")
    await catalog.builds.wait(1)
    assert columns() == {"c": "c9"}


async def test_queries_use_an_index_when_it_is_filled(catalog: Opened, tables: Tables, path: Path) -> None:
    tables.filled.clear()
    changing = asyncio.create_task(catalog.create_index("web", "access", {"keys": {"a": TEXT}}))
    while "fill" not in tables.steps:
        await asyncio.sleep(0.001)
    logstore = catalog.logstore("web", "access")
    assert logstore is not None
    assert (logstore.index, logstore.table.fields) == ({"keys": {"a": TEXT}}, ())
    assert logstore.building is not None
    assert catalog.builds.progress(logstore.id) is not None
    tables.filled.set()
    await changing
    after = catalog.logstore("web", "access")
    assert after is not None
    assert (after.table, after.building) == (logstore.building, None)
    assert catalog.builds.progress(logstore.id) is None


async def test_an_index_that_a_restart_interrupted_is_built_then(catalog: Opened, tables: Tables, path: Path) -> None:
    tables.filled.clear()
    changing = asyncio.create_task(catalog.create_index("web", "access", {"keys": {"a": TEXT}}))
    while "fill" not in tables.steps:
        await asyncio.sleep(0.001)
    await catalog.stop()
    await changing
    tables.filled.set()
    again = await opened(path, tables)
    logstore = again.logstore("web", "access")
    assert logstore is not None
    await again.builds.wait(logstore.id)
    logstore = again.logstore("web", "access")
    assert logstore is not None
    assert [field.column for field in logstore.table.fields] == ["c1"]
    await again.stop()
    again.close()


async def test_an_index_that_is_replaced_before_it_is_filled_is_given_up(catalog: Opened, tables: Tables) -> None:
    tables.filled.clear()
    first = asyncio.create_task(catalog.create_index("web", "access", {"keys": {"a": TEXT}}))
    while "fill" not in tables.steps:
        await asyncio.sleep(0.001)
    second = asyncio.create_task(catalog.replace_index("web", "access", {"keys": {"a": TEXT, "b": LONG}}))
    await first
    tables.filled.set()
    await second
    logstore = catalog.logstore("web", "access")
    assert logstore is not None
    assert {field.key: field.column for field in logstore.table.fields} == {"a": "c1", "b": "c2"}


async def test_the_id_of_a_deleted_logstore_never_comes_back(catalog: Opened, tables: Tables) -> None:
    first = catalog.logstore("web", "access")
    assert first is not None
    await catalog.delete_logstore("web", "access")
    second = await catalog.create_logstore("web", "access", ttl=30, shard_count=1, options={})
    assert second.id > first.id
    assert list(tables.specs) == [second.id]


async def test_a_lost_database_hands_out_no_number_that_the_store_knows(catalog: Opened, path: Path, tables: Tables) -> None:
    first = catalog.logstore("web", "access")
    assert first is not None
    again = await opened(path.with_name("new.db"), tables)
    await again.create_project("web", "", {})
    second = await again.create_logstore("web", "access", ttl=30, shard_count=1, options={})
    again.close()
    assert second.id > first.id
    strange = [alarm.values["tables"] for alarm in recent_alarms() if alarm.kind == "STORE_UNKNOWN_TABLE_ALARM"]
    assert strange == [[f"ls_{first.id}"]]


async def test_a_project_goes_with_everything_inside(catalog: Opened, tables: Tables) -> None:
    await catalog.delete_project("web")
    assert catalog.project("web") is None
    assert catalog.logstore("web", "access") is None
    assert tables.specs == {}
    await catalog.create_project("web", "", {})
    assert catalog.logstores("web") == []


async def test_what_a_project_leaves_in_the_engine_goes_at_the_next_start(catalog: Opened, path: Path, tables: Tables) -> None:
    tables.broken = True
    await catalog.delete_project("web")
    left = list(tables.specs)
    dropped: list[int] = []

    class Watched(Tables):
        async def drop(self, logstore: int) -> None:
            dropped.append(logstore)

    (await opened(path, Watched())).close()
    assert dropped == left != []


async def test_a_deleted_project_is_forgotten_by_all_though_the_drops_cannot_be_noted(
    catalog: Opened, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise BusyError("the metadata cannot be written: the disk is full", hint="free some space")

    told: list[tuple[str, bool]] = []
    catalog.deleted.append(lambda name: told.append((name, bool(tables.specs))))
    monkeypatch.setattr("tailrace.server.db.statements.forget_drop", full)
    await catalog.delete_project("web")
    assert told == [("web", True)]


async def test_a_key_is_not_made_for_a_project_or_a_user_that_has_just_gone(catalog: Opened) -> None:
    for gone, made in (
        ("ProjectNotExist", Key("K", "user", b"s", 1, project="shop")),
        ("UserNotExist", Key("K", "user", b"s", 1, user="anna")),
    ):
        with pytest.raises(ApiError) as caught:
            await catalog.roster.add_key(made)
        assert (caught.value.error_code, catalog.roster.key("K")) == (gone, None)


async def test_a_key_that_was_revoked_gets_no_other_secret(catalog: Opened) -> None:
    with pytest.raises(ApiError, match="there is no key"):
        await catalog.roster.replace_key(Key("K", "user", b"s", 1, role="admin"))
    assert catalog.roster.key("K") is None


async def test_a_table_that_could_not_be_dropped_goes_at_the_next_start(catalog: Opened, path: Path, tables: Tables) -> None:
    logstore = catalog.logstore("web", "access")
    assert logstore is not None
    tables.broken = True
    await catalog.delete_logstore("web", "access")
    assert logstore.id in tables.specs
    dropped: list[int] = []

    class Watched(Tables):
        async def drop(self, logstore: int) -> None:
            dropped.append(logstore)

    (await opened(path, Watched())).close()
    (await opened(path, Watched())).close()
    assert dropped == [logstore.id]


async def test_a_logstore_that_the_engine_refuses_is_not_there(catalog: Opened, path: Path, tables: Tables) -> None:
    tables.broken = True
    with pytest.raises(EngineError):
        await catalog.create_logstore("web", "errors", ttl=30, shard_count=2, options={})
    assert catalog.logstore("web", "errors") is None
    tables.broken = False
    await catalog.create_logstore("web", "errors", ttl=30, shard_count=2, options={})
    assert catalog.logstore("web", "errors") is not None


async def test_an_index_that_the_engine_refuses_leaves_the_old_one(catalog: Opened, path: Path, tables: Tables) -> None:
    await catalog.create_index("web", "access", {"keys": {"a": TEXT}})
    before = catalog.logstore("web", "access")
    tables.broken = True
    with pytest.raises(EngineError):
        await catalog.replace_index("web", "access", {"keys": {"b": LONG}})
    tables.broken = False
    again = await opened(path, tables)
    assert catalog.logstore("web", "access") == again.logstore("web", "access") == before
    again.close()


async def test_names_are_taken_once(catalog: Opened) -> None:
    with pytest.raises(ApiError, match="already exists") as project:
        await catalog.create_project("web", "", {})
    with pytest.raises(ApiError) as logstore:
        await catalog.create_logstore("web", "access", ttl=1, shard_count=1, options={})
    assert (project.value.error_code, logstore.value.error_code) == ("ProjectAlreadyExist", "LogStoreAlreadyExist")


def key(name: str, project: str = "web", *logstores: str) -> Key:
    return Key(name, "agent", b"sealed", 1, agent="host-1", project=project, logstores=logstores)


async def test_a_key_that_takes_the_place_of_others_ends_them(catalog: Opened, path: Path, tables: Tables) -> None:
    await catalog.roster.enrol(Agent("host-1", 1), Grant("host-1", "web", ("access",), 1))
    await catalog.create_project("shop", "", {})
    await catalog.roster.add_key(key("first", "web", "access"))
    await catalog.roster.add_key(key("other", "shop"))
    await catalog.roster.add_key(key("second", "web", "access", "errors"), gone=lambda _: True)
    again = await opened(path, tables)
    for each in (catalog.roster, again.roster):
        assert each.key("first") is None
        assert each.key("other") == key("other", "shop")
        assert each.key("second") == key("second", "web", "access", "errors")
    again.close()


@pytest.mark.sqlite
async def test_an_older_file_keeps_its_agents_and_their_keys(path: Path, tables: Tables) -> None:
    """What the first schema had of an agent becomes its grant."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST_SCHEMA)
    catalog = await opened(path, tables)
    assert [agent.id for agent in catalog.roster.agents()] == ["host-1"]
    assert catalog.roster.grants("host-1") == [Grant("host-1", "web", ("access",), 7)]
    assert catalog.roster.key("K") == Key("K", "agent", b"sealed", 7, agent="host-1", project="web", logstores=("access",))
    catalog.close()
    assert path.with_name(f"meta.db.before-{NEWEST}").exists()


@pytest.mark.sqlite
async def test_an_older_file_keeps_its_indexes_and_their_columns(path: Path, tables: Tables) -> None:
    document = {
        "keys": {"j": {"type": "json", "token": ["."], "json_keys": {"a": {"type": "long", "alias": "x"}}}},
        "line": {"token": [" "]},
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST_SCHEMA)
        connection.execute("INSERT INTO logstores VALUES (4, 1, 'access', 30, '{}', 7, 7)")
        connection.execute("INSERT INTO indexes VALUES (4, 3, ?, 7)", [json.dumps(document)])
        connection.executemany(
            "INSERT INTO index_columns VALUES (4, ?, ?, ?, 1)", [(2, "j", "json"), (5, "j.a", "json long"), (1, "j", "text")]
        )
    catalog = await opened(path, tables)
    logstore = catalog.logstore("web", "access")
    assert logstore is not None
    assert (logstore.index, logstore.building) == (document, None)
    assert logstore.table == TableSpec(
        4, 30, 0, LineIndex((" ",)),
        (
            FieldIndex("c2", "j", "json", (".",), doc_value=False),
            FieldIndex("c5", "j.a", "long", (".",), doc_value=False, alias="x", parent="j"),
        ),
    )  # fmt: skip
    await catalog.replace_index("web", "access", {"keys": {"j": TEXT}, "line": {"token": [" "]}})
    after = catalog.logstore("web", "access")
    assert after is not None
    assert [field.column for field in after.table.fields] == ["c7"]
    assert after.table.line == LineIndex((" ",))
    catalog.close()


async def test_a_project_takes_its_agents_keys_grants_and_tokens_along(catalog: Opened, path: Path, tables: Tables) -> None:
    token = Token("t1", "0" * 64, "web", ("*",), "", None, 0, 1, 2)
    await catalog.roster.enrol(Agent("host-1", 1), Grant("host-1", "web", ("access",), 1))
    await catalog.roster.add_key(key("K", "web", "access"))
    await catalog.roster.put_token(token)
    await catalog.delete_project("web")
    catalog.roster.project_deleted("web")
    again = await opened(path, tables)
    for each in (catalog.roster, again.roster):
        assert (each.key("K"), each.grants("host-1"), each.tokens()) == (None, [], [])
    again.close()


async def test_a_token_is_used_up(catalog: Opened, path: Path, tables: Tables) -> None:
    await catalog.roster.put_token(Token("t1", "0" * 64, "web", ("*",), "", 1, 0, 1, 100))
    await catalog.roster.enrol(Agent("host-1", 1), Grant("host-1", "web", ("*",), 1), "t1", 50)
    with pytest.raises(ApiError, match="used up"):
        await catalog.roster.enrol(Agent("host-2", 1), Grant("host-2", "web", ("*",), 1), "t1", 51)
    again = await opened(path, tables)
    assert [(token.uses_left, token.used) for token in again.roster.tokens()] == [(0, 1)]
    assert [agent.id for agent in again.roster.agents()] == ["host-1"]
    again.close()


@pytest.mark.parametrize("change", [{"expires": 50}, {"revoked": 9}])
async def test_a_token_that_is_over_lets_nobody_in(catalog: Opened, change: dict[str, int]) -> None:
    await catalog.roster.put_token(replace(Token("t1", "0" * 64, "web", ("*",), "", None, 0, 1, 100), **change))
    with pytest.raises(ApiError, match="expired or revoked"):
        await catalog.roster.enrol(Agent("host-1", 1), Grant("host-1", "web", ("*",), 1), "t1", 50)
    assert catalog.roster.agent("host-1") is None


async def test_a_revoked_agent_has_no_key_left(catalog: Opened, path: Path, tables: Tables) -> None:
    await catalog.roster.enrol(Agent("host-1", 1), Grant("host-1", "web", ("access",), 1))
    await catalog.roster.add_key(key("K", "web", "access"))
    await catalog.roster.revoke_agent("host-1", 5)
    again = await opened(path, tables)
    for each in (catalog.roster, again.roster):
        assert (each.key("K"), each.known_agent("host-1").revoked) == (None, 5)
    again.close()


@pytest.mark.sqlite
async def test_a_copy_is_whole_private_and_never_overwritten(catalog: Opened, path: Path) -> None:
    copy = path.with_name("meta.db.before-0004")
    copy_database(path, copy)
    await catalog.create_project("later", "", {})
    copy_database(path, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM projects").fetchall() == [("web",)]

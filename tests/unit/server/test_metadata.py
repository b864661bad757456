"""The metadata database: what it keeps over restarts, what a crash may interrupt, and which files it refuses."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tailrace.errors import ApiError, DamagedError, EngineError, NewerFormatError
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.database import copy_database, open_database
from tailrace.server.db.records import Agent, Key
from tailrace.server.db.tables import Base
from tailrace.server.store.port import Found, TableSpec
from tailrace.telemetry import recent_alarms

TEXT = {"type": "text", "token": [" "], "doc_value": True}
LONG = {"type": "long", "doc_value": True}


class Tables:
    """The store as far as the catalog uses it: which tables there are."""

    def __init__(self) -> None:
        self.specs: dict[int, TableSpec] = {}
        self.broken = False

    async def open(self, tables: Sequence[TableSpec]) -> Found:
        found = frozenset({*self.specs, *(table.logstore for table in tables)})
        self.specs = {table.logstore: table for table in tables}
        return Found(found, max(found, default=0))

    async def create(self, table: TableSpec) -> None:
        self._check()
        self.specs[table.logstore] = table

    async def alter(self, table: TableSpec) -> None:
        await self.create(table)

    async def drop(self, logstore: int) -> None:
        self._check()
        self.specs.pop(logstore, None)

    def _check(self) -> None:
        if self.broken:
            raise EngineError("the engine is down")


async def opened(path: Path, tables: Tables) -> Catalog:
    catalog = Catalog(open_database(path), tables)
    await catalog.open()
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


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    open_database(path).dispose()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_file_is_refused_with_a_sentence_and_left_alone(path: Path) -> None:
    open_database(path).dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerFormatError, match="has format 9999, this release knows formats up to 0001"):
        open_database(path)
    assert not list(path.parent.glob("*.before-*"))


def test_what_is_no_database_is_damaged(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedError, match="cannot open the metadata"):
        open_database(path)


async def test_everything_is_there_after_a_restart(catalog: Catalog, path: Path, tables: Tables) -> None:
    await catalog.create_index("web", "access", {"keys": {"z": TEXT, "a": LONG}})
    before = catalog.logstore("web", "access")
    again = await opened(path, tables)
    after = again.logstore("web", "access")
    again.close()
    assert after == before
    assert after is not None
    assert list((after.index or {})["keys"]) == ["z", "a"]
    assert tables.specs == {after.id: after.table}


async def test_shards_split_the_key_space_evenly(catalog: Catalog) -> None:
    three = await catalog.create_logstore("web", "three", ttl=1, shard_count=3, options={})
    two = catalog.logstore("web", "access")
    assert two is not None
    assert [(shard.begin, shard.end) for shard in two.shards] == [("0" * 32, "8" + "0" * 31), ("8" + "0" * 31, "f" * 32)]
    assert [shard.id for shard in three.shards] == [0, 1, 2]
    assert [shard.end for shard in three.shards[:-1]] == [shard.begin for shard in three.shards[1:]]


async def test_a_field_has_its_own_column_per_type_for_ever(catalog: Catalog) -> None:
    def columns() -> dict[str, str]:
        logstore = catalog.logstore("web", "access")
        assert logstore is not None
        return {field.key: field.column for field in logstore.table.fields}

    await catalog.create_index("web", "access", {"keys": {"a": TEXT, "b": LONG}})
    assert columns() == {"a": "c1", "b": "c2"}
    await catalog.replace_index("web", "access", {"keys": {"b": TEXT, "c": LONG}})
    assert columns() == {"b": "c3", "c": "c4"}
    await catalog.replace_index("web", "access", None)
    await catalog.create_index("web", "access", {"keys": {"c": TEXT, "b": LONG, "a": TEXT}})
    assert columns() == {"c": "c5", "b": "c2", "a": "c1"}


async def test_the_id_of_a_deleted_logstore_never_comes_back(catalog: Catalog, tables: Tables) -> None:
    first = catalog.logstore("web", "access")
    assert first is not None
    await catalog.delete_logstore("web", "access")
    second = await catalog.create_logstore("web", "access", ttl=30, shard_count=1, options={})
    assert second.id > first.id
    assert list(tables.specs) == [second.id]


async def test_a_lost_database_hands_out_no_number_that_the_store_knows(catalog: Catalog, path: Path, tables: Tables) -> None:
    first = catalog.logstore("web", "access")
    assert first is not None
    again = await opened(path.with_name("new.db"), tables)
    await again.create_project("web", "", {})
    second = await again.create_logstore("web", "access", ttl=30, shard_count=1, options={})
    again.close()
    assert second.id > first.id
    strange = [alarm.values["tables"] for alarm in recent_alarms() if alarm.kind == "STORE_UNKNOWN_TABLE_ALARM"]
    assert strange == [[f"ls_{first.id}"]]


async def test_a_project_goes_with_everything_inside(catalog: Catalog, tables: Tables) -> None:
    await catalog.delete_project("web")
    assert catalog.project("web") is None
    assert catalog.logstore("web", "access") is None
    assert tables.specs == {}
    await catalog.create_project("web", "", {})
    assert catalog.logstores("web") == []


async def test_what_a_project_leaves_in_the_engine_goes_at_the_next_start(catalog: Catalog, path: Path, tables: Tables) -> None:
    tables.broken = True
    await catalog.delete_project("web")
    left = list(tables.specs)
    dropped: list[int] = []

    class Watched(Tables):
        async def drop(self, logstore: int) -> None:
            dropped.append(logstore)

    (await opened(path, Watched())).close()
    assert dropped == left != []


async def test_a_table_that_could_not_be_dropped_goes_at_the_next_start(catalog: Catalog, path: Path, tables: Tables) -> None:
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


async def test_a_logstore_that_the_engine_refuses_is_not_there(catalog: Catalog, path: Path, tables: Tables) -> None:
    tables.broken = True
    with pytest.raises(EngineError):
        await catalog.create_logstore("web", "errors", ttl=30, shard_count=2, options={})
    assert catalog.logstore("web", "errors") is None
    tables.broken = False
    await catalog.create_logstore("web", "errors", ttl=30, shard_count=2, options={})
    assert catalog.logstore("web", "errors") is not None


async def test_an_index_that_the_engine_refuses_leaves_the_old_one(catalog: Catalog, path: Path, tables: Tables) -> None:
    await catalog.create_index("web", "access", {"keys": {"a": TEXT}})
    before = catalog.logstore("web", "access")
    tables.broken = True
    with pytest.raises(EngineError):
        await catalog.replace_index("web", "access", {"keys": {"b": LONG}})
    tables.broken = False
    again = await opened(path, tables)
    assert catalog.logstore("web", "access") == again.logstore("web", "access") == before
    again.close()


async def test_names_are_taken_once(catalog: Catalog) -> None:
    with pytest.raises(ApiError, match="already exists") as project:
        await catalog.create_project("web", "", {})
    with pytest.raises(ApiError) as logstore:
        await catalog.create_logstore("web", "access", ttl=1, shard_count=1, options={})
    assert (project.value.error_code, logstore.value.error_code) == ("ProjectAlreadyExist", "LogStoreAlreadyExist")


async def test_a_new_enrolment_ends_the_agents_earlier_keys(catalog: Catalog, path: Path, tables: Tables) -> None:
    agent = Agent("host-1", "web", ("access",), 1)
    await catalog.enrol_agent(agent, Key("first", "agent", b"sealed", 1, agent="host-1", project="web", logstores=("access",)))
    wider = Agent("host-1", "web", ("access", "errors"), 2)
    await catalog.enrol_agent(wider, Key("second", "agent", b"sealed", 2, agent="host-1", project="web", logstores=wider.logstores))
    again = await opened(path, tables)
    for each in (catalog, again):
        assert each.key("first") is None
        key = each.key("second")
        assert key is not None
        assert (key.agent, key.logstores) == ("host-1", ("access", "errors"))
    again.close()


async def test_a_copy_is_whole_private_and_never_overwritten(catalog: Catalog, path: Path) -> None:
    copy = path.with_name("meta.db.before-0002")
    copy_database(path, copy)
    await catalog.create_project("later", "", {})
    copy_database(path, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM projects").fetchall() == [("web",)]

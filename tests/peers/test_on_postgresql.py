"""The tests of metadata, fleet and accounts once more, with the metadata in a real PostgreSQL; and what is PostgreSQL's own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from tailrace.errors import BusyError, NewerFormatError, StateError
from tailrace.server.db import holding, postgresql
from tailrace.server.db.migration import known_revisions
from tailrace.server.db.postgresql import connect, open_postgresql
from tests.conftest import running_server
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_joins import Remote
from tests.peers.postgresql import running_postgresql

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/unit/server/test_metadata.py",
    "tests/unit/server/test_sealing.py",
    "tests/unit/server/test_sessions.py",
    "tests/unit/server/fleet",
    "tests/integration/server/test_accounts.py",
    "tests/integration/server/test_audit.py",
    "tests/integration/server/test_joining.py",
    "tests/integration/server/test_sdk.py",
    "tests/integration/server/test_sdk_collection.py",
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running_postgresql() as postgresql:
        yield postgresql.address


@pytest.fixture
def database(address: str, request: pytest.FixtureRequest) -> str:
    """The address of a new database."""
    name = f"own_{abs(hash(request.node.name)):x}"
    engine = sqlalchemy.create_engine(f"{address}/postgres".replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return f"{address}/{name}"


@pytest.mark.timeout(900)
def test_metadata_fleet_and_accounts_are_the_same_on_postgresql(address: str) -> None:
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *SUITES,
        "-m",
        "not long and not sqlite",
    ]
    environment = {**os.environ, "TAILRACE_TEST_POSTGRESQL": address}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=840, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def test_one_database_is_for_one_server(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "PATIENCE_SECS", 0.5)
    first = open_postgresql(database, threads=1)
    with pytest.raises(StateError, match="another server uses the metadata"):
        open_postgresql(database, threads=1)
    first.dispose()
    open_postgresql(database, threads=1).dispose()


def test_what_was_there_is_copied_before_a_migration(database: str) -> None:
    open_postgresql(database, threads=1).dispose()
    engine = connect(database, threads=1)
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("INSERT INTO projects (name, description, options, created, modified) VALUES ('web', '', '{}', 1, 1)")
        )
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerFormatError, match="has format 9999"):
        open_postgresql(database, threads=1)
    newest = known_revisions()[-1]
    postgresql._copy(engine, newest)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text(f'SELECT name FROM "before_{newest}".projects')) == "web"
    engine.dispose()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("postgresql://someone:hunter2@127.0.0.1:1/none", "cannot use the metadata"),
        ("mysql://x", "cannot use|no address"),
        ("nonsense", "no address"),
    ],
)
def test_what_cannot_be_opened_is_told_without_its_password(wrong: str, message: str) -> None:
    with pytest.raises(StateError, match=message) as caught:
        open_postgresql(wrong, threads=1)
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_metadata_are_there_again_after_a_restart_of_the_server(tmp_path: Path, database: str) -> None:
    (tmp_path / "server.yaml").write_text(f"database: {database}\n")
    with running_server(tmp_path) as server:
        server.make_logstore("web", "access")
        assert not (tmp_path / "server" / "meta.db").exists()
    with running_server(tmp_path) as again:
        assert again.request("GET", "/logstores", project="web").json()["logstores"] == ["access"]


def cut(address: str, database: str) -> None:
    """All connections to a database, as PostgreSQL's own restart does."""
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.rpartition("/")[2]])


def count_projects(engine: sqlalchemy.Engine) -> int | None:
    with Session(engine) as session, session.begin():
        return session.scalar(sqlalchemy.text("SELECT count(*) FROM projects"))


def test_a_server_whose_database_another_one_has_taken_writes_nothing_more(
    address: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "LOOK_SECS", 600.0)  # it has not noticed yet
    first = open_postgresql(database, threads=1)
    assert count_projects(first) == 0
    cut(address, database)
    second = open_postgresql(database, threads=1)
    with pytest.raises(BusyError, match="another server uses the metadata database by now"):
        count_projects(first)
    assert count_projects(second) == 0
    first.dispose()
    second.dispose()


def test_a_server_takes_its_lock_again_when_the_connection_was_cut(address: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "LOOK_SECS", 0.05)
    monkeypatch.setattr(postgresql, "PATIENCE_SECS", 0.0)
    first = open_postgresql(database, threads=1)
    for _ in range(2):
        cut(address, database)
        wait_for(lambda: is_refused(database), "the lock is held again")
    assert count_projects(first) == 0
    first.dispose()
    open_postgresql(database, threads=1).dispose()


def is_refused(database: str) -> bool:
    """Whether a second server would be. The lock alone is tried: a server that begins would take the database."""
    with psycopg.connect(database, autocommit=True) as connection:
        (free,) = connection.execute("SELECT pg_try_advisory_lock(%s)", [holding.SERVERS_LOCK]).fetchone() or (True,)
    return not free


OUTAGE_SECS = 14
"""Longer than the keys of agents live here, so that they run out meanwhile."""


@pytest.mark.timeout(180)
def test_what_is_written_while_the_database_is_away_arrives_once(tmp_path: Path) -> None:
    with running_postgresql() as database:
        home = tmp_path / "server"
        home.mkdir()
        settings = {"database": f"{database.address}/postgres", "agent_key_secs": 10, "agent_poll_secs": 1}
        (home / "server.yaml").write_text(json.dumps(settings))
        with running_server(home) as server:
            agent = Remote(tmp_path / "agent", server, "web").joined()
            agent.start()
            lines = ["before"]
            agent.write(*lines)
            wait_for(lambda: agent.found("*") == lines, agent.log(), timeout=60)
            database.stop()
            refused = server.call("POST", "/tokens", {"project": "web"})
            assert (refused.status, refused.code) == (503, "ServerBusy")
            assert refused.json()["errorMessage"] == "the metadata database cannot be reached"
            until = time.monotonic() + OUTAGE_SECS
            while time.monotonic() < until:
                lines.append(f"while it is away {len(lines):03}")
                agent.write(lines[-1])
                time.sleep(0.5)
            assert agent.found("before") == ["before"]
            database.start()
            lines.append("when it is back")
            agent.write(lines[-1])
            wait_for(lambda: agent.found("*") == sorted(lines), "all lines, each once", timeout=90)
            agent.stop()
            assert server.call("POST", "/tokens", {"project": "web"}).status == 200
            server.make_logstore("web", "afterwards")

"""The tests of metadata, fleet and accounts once more, with the metadata in a real PostgreSQL; and what is PostgreSQL's own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from tailrace.errors import NewerFormatError, StateError
from tailrace.server.db import postgresql
from tailrace.server.db.migration import known_revisions
from tailrace.server.db.postgresql import connect, open_postgresql
from tests.conftest import running_server
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
    with running_postgresql() as address:
        yield address


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


def test_a_server_outlives_its_database(tmp_path: Path) -> None:
    """While PostgreSQL is away, changes are refused for a moment and logs are taken; when it is back, all goes on."""
    with running_postgresql() as address:
        (tmp_path / "server.yaml").write_text(f"database: {address}/postgres\n")
        with running_server(tmp_path) as server:
            server.make_logstore("web", "access")
            assert not (tmp_path / "server" / "meta.db").exists()
        with running_server(tmp_path) as again:
            assert again.request("GET", "/logstores", project="web").json()["logstores"] == ["access"]

"""What a database refuses is told by its reason; that it is away is said only when it is."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from tailrace.errors import BusyError
from tailrace.server.db.transactions import Transactions
from tests.databases import open_for_test


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (OperationalError, psycopg.OperationalError("connection refused"), "cannot be reached"),
        (OperationalError, psycopg.errors.AdminShutdown("shut down"), "cannot be reached"),
        (OperationalError, psycopg.errors.ConnectionFailure("gone"), "cannot be reached"),
        (OperationalError, psycopg.errors.DiskFull("could not extend file"), "could not extend file.*53100"),
        (OperationalError, psycopg.errors.QueryCanceled("statement timeout"), "statement timeout.*57014"),
        (InternalError, psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT"), "read-only"),
    ],
)
async def test_what_postgresql_refuses_is_told(tmp_path: Path, kind: type[OperationalError], error: psycopg.Error, message: str) -> None:
    def refuse(_: Session) -> None:
        raise kind("INSERT", {}, error)

    transactions = Transactions(open_for_test(tmp_path / "meta.db"))
    with pytest.raises(BusyError, match=message):
        await transactions.run(refuse)
    transactions.close()

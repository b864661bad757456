"""Brings recorded changes into the logstore `internal-operation_log` of the system project, each once, where they are queried like logs."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.audit.audit import Audit
from tailrace.server.auth.authorize import SYSTEM_PROJECT
from tailrace.server.db import changes
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.changes import Ended
from tailrace.server.db.records import Logstore
from tailrace.server.db.transactions import Transactions
from tailrace.server.ingest import Ingest
from tailrace.server.internal import SEPARATORS
from tailrace.server.store.port import Package, Write
from tailrace.wire.identity import Identity
from tailrace.wire.protobuf import delimited, fixed32, number

LOGSTORE: Final = "internal-operation_log"
SENDER: Final = "tailrace"
"""In the place of an agent's id: packages with an identity are stored once."""
AT_ONCE: Final = 500
RETRY_SECS: Final = 5.0
FIELDS: Final = (
    "user", "key_id", "address", "request_id", "action", "project", "resource", "outcome", "asked", "before", "after",
)  # fmt: skip

log = telemetry.logger("server.audit")


class Shipping:
    """One per server."""

    def __init__(
        self, audit: Audit, transactions: Transactions, catalog: Catalog, ingest: Ingest, *, server_id: str, ttl_days: int
    ) -> None:
        self._written = audit.written
        self._run = transactions.run
        self._catalog = catalog
        self._ingest = ingest
        self._epoch = bytes.fromhex(server_id)
        self._ttl_days = ttl_days

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """As long as the server serves."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """For ever. What cannot be shipped stays in the database and is tried again."""
        while True:
            await self._written.wait()
            self._written.clear()
            try:
                await self.ship()
            except (TailraceError, SQLAlchemyError) as error:
                log.warning("cannot bring changes into their logstore, they wait in the database", reason=str(error))
                self._written.set()
                await asyncio.sleep(RETRY_SECS)

    async def ship(self) -> None:
        """All that is over."""
        while found := await self._run(changes.ended, AT_ONCE):
            logstore = await self._logstore()
            await self._ingest.commit(Write(logstore.table, [self._package(one) for one in found]))
            await self._run(changes.forget, [one.row for one in found])

    def _package(self, change: Ended) -> Package:
        """A stream of its own that ends with it: a copy that is sent again after a crash is recognised."""
        body = log_group(change)
        fingerprint = hashlib.sha256(body).digest()[:16]
        identity = Identity(self._epoch, change.stream, 0, 0, 1, fingerprint, acknowledged_below=1, ended=True)
        return Package(body, "none", len(body), agent=SENDER, identity=identity)

    async def _logstore(self) -> Logstore:
        if self._catalog.project(SYSTEM_PROJECT) is None:
            await self._catalog.create_project(SYSTEM_PROJECT, "what the server itself writes", {})
        found = self._catalog.logstore(SYSTEM_PROJECT, LOGSTORE)
        if found is not None:
            return found
        options = {"productType": "internal"}
        try:
            return await self._catalog.create_logstore(
                SYSTEM_PROJECT, LOGSTORE, ttl=self._ttl_days, shard_count=1, options=options, index=index()
            )
        except ApiError as error:
            raise TailraceError(f"cannot make the logstore `{LOGSTORE}`: {error.message}") from error


def log_group(change: Ended) -> bytes:
    """One event, as a LogGroup (sls-api §2.1). What is no text is JSON."""
    secs, ms = divmod(change.at_ms, 1000)
    values: dict[str, Any] = {**change.document, "outcome": change.outcome}
    contents = b"".join(
        delimited(2, delimited(1, name.encode()) + delimited(2, _text(values[name]).encode("utf-8", "replace")))
        for name in FIELDS
        if name in values
    )
    event = number(1, secs) + contents + fixed32(4, ms * 1_000_000)
    return delimited(1, event) + delimited(3, b"operation") + delimited(4, SENDER.encode())


def index() -> dict[str, Any]:
    """All fields, and the whole text."""
    text = {"token": SEPARATORS, "caseSensitive": False, "chn": False}
    return {"line": text, "keys": {name: {"type": "text", "doc_value": True, **text} for name in FIELDS}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

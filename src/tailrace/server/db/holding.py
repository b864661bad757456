"""That one server at a time uses a PostgreSQL: a server has all metadata in memory, and would not see what another one changes.

A lock of the session says who may begin, and goes by itself when a server dies. It also goes when PostgreSQL is started again or the
network is cut, and then another server may begin while this one still runs. So each server leaves a token of its own in the database, and
each of its transactions asks first, in the database, whether that still stands there: nothing is written under a token that was replaced.
"""

import secrets
import threading
import time
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tailrace import telemetry
from tailrace.errors import BusyError
from tailrace.telemetry.redaction import redact_text

SERVERS_LOCK: Final = 0x7461_696C_7261_6365  # "tailrace"
LOOK_SECS: Final = 2.0
"""How often the lock's connection is tried."""
TABLE: Final = "CREATE TABLE IF NOT EXISTS server_in_charge (one boolean PRIMARY KEY CHECK (one), token text NOT NULL)"
PUT: Final = "INSERT INTO server_in_charge VALUES (true, :token) ON CONFLICT (one) DO UPDATE SET token = :token"
ASK: Final = "SELECT token FROM server_in_charge"
GUARD: Final = f"{ASK} FOR SHARE"  # whoever replaces it waits for this transaction
LOCK: Final = "SELECT pg_try_advisory_lock(:key)"
CONNECTION: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Seconds, the last one milliseconds: so long a connection may be dead before that is noticed, when the other end says nothing more."""

log = telemetry.logger("server.metadata")


class Hold:
    """From `take` until the engine is disposed of."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._token = secrets.token_hex(16)
        self._lock: Connection | None = None
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._keep, name="metadata lock", daemon=True)

    def take(self, patience: float) -> bool:
        """Whether no other server has it, or lets it go within `patience` seconds. DBAPIError when the database cannot be reached."""
        lock = self._connect()
        until = time.monotonic() + patience
        while not lock.scalar(text(LOCK), {"key": SERVERS_LOCK}):
            if time.monotonic() > until:
                lock.close()
                return False
            time.sleep(0.2)
        self._lock = lock
        lock.execute(text(TABLE))
        lock.execute(text(PUT), {"token": self._token})
        event.listen(Session, "after_begin", self._guard)
        event.listen(self._engine, "engine_disposed", self._release)
        self._watch.start()
        return True

    def _connect(self) -> Connection:
        return create_engine(self._engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=dict(CONNECTION)).connect()

    def _guard(self, _session: Session, _transaction: object, connection: Connection) -> None:
        """At the beginning of each transaction. Raises BusyError when another server has taken the database."""
        if connection.engine is self._engine and connection.scalar(text(GUARD)) != self._token:
            raise BusyError("another server uses the metadata database by now", hint="stop one of the two servers")

    def _keep(self) -> None:
        """Try the lock's connection again and again; when it is broken, take the lock anew."""
        gone = False
        while not self._over.wait(LOOK_SECS):
            try:
                ours = self._try()
            except DBAPIError as error:
                self._drop()
                if not gone:
                    log.warning("the metadata database cannot be reached", reason=redact_text(" ".join(str(error.orig).split())))
                gone = True
                continue
            if not ours:
                log.error(
                    "another server uses the metadata database; nothing is written there any more", hint="stop one of the two servers"
                )
                return
            if gone and self._lock is not None:
                log.info("the metadata database is back")
                gone = False

    def _try(self) -> bool:
        """Whether the database is still ours. Its lock may be a dead connection's of our own for a while, until PostgreSQL has noticed."""
        if self._lock is not None:
            self._lock.execute(text("SELECT 1"))
            return True
        lock = self._connect()
        if lock.scalar(text(ASK)) != self._token:
            lock.close()
            return False
        if lock.scalar(text(LOCK), {"key": SERVERS_LOCK}):
            self._lock = lock
        else:
            lock.close()
        return True

    def _drop(self) -> None:
        if self._lock is not None:
            self._lock.invalidate()
            self._lock.close()
            self._lock = None

    def _release(self, _: Engine) -> None:
        """The engine ends."""
        if self._over.is_set():
            return
        self._over.set()
        if self._watch.is_alive():
            self._watch.join()
        event.remove(Session, "after_begin", self._guard)
        if self._lock is not None:
            self._lock.close()

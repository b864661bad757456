"""Runs a server: opens its home, serves, and stops without losing anything."""

import asyncio
import json
import logging
import secrets
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
import uvloop

from tailrace import telemetry
from tailrace.server.api.call import Services
from tailrace.server.api.protocol import BoundedProtocol
from tailrace.server.app import create_app
from tailrace.server.auth.keys import new_admin_key
from tailrace.server.auth.private import write_secret
from tailrace.server.auth.vault import Vault, open_vault
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.database import open_database
from tailrace.server.db.records import Key
from tailrace.server.ingest import Ingest
from tailrace.server.listening import run_file
from tailrace.server.settings import Settings
from tailrace.server.store.embedded import EmbeddedStore

log = telemetry.logger("server")

DATABASE, MASTER_KEY, ADMIN_KEY, SERVER_ID = "meta.db", "master.key", "admin.json", "id"
# Longer than the pauses of SDKs and agents between two requests on a connection.
KEEP_ALIVE_SECS = 75


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM on a socket that listens already. Raises TailraceError when the server cannot start."""
    telemetry.setup("server", level=settings.log_level, directory=settings.home / "logs")
    # uvicorn repeats the traceback of a crashed request, which is in the log with its request id already.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    uvloop.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with open_services(settings) as services:
        config = uvicorn.Config(
            create_app(services),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECS,
            timeout_graceful_shutdown=int(settings.stop_grace_secs),
        )
        with run_file(settings, listener) as port:
            log.info("the server listens", host=settings.host, port=port, home=str(settings.home))
            await _Server(config).serve(sockets=[listener])
        log.info("the server stops")


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process before the store is closed."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
                # The store is being closed: a second Ctrl-C must not tear it.
                signal.signal(number, signal.SIG_IGN)

    def _stop(self) -> None:
        """The first signal lets requests finish, the second does not."""
        self.force_exit = self.should_exit
        self.should_exit = True


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """The parts of a server on `settings.home`, opened in the order in which they need each other, closed in the other order."""
    settings.server_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_database(settings.server_directory / DATABASE)
    store = EmbeddedStore(settings.server_directory, ended_stream_secs=settings.ended_stream_secs)
    catalog = Catalog(engine, store, threads=settings.database_threads)
    ingest = Ingest(store, settings)
    try:
        await catalog.open()
        vault = open_vault(settings.secret_directory / MASTER_KEY, create=not catalog.has_keys())
        new_key = _ensure_admin_key(catalog.admin_key(), vault, settings.secret_directory / ADMIN_KEY)
        if new_key is not None:
            await catalog.add_key(new_key)
        yield Services(settings, catalog, store, ingest, vault, _server_id(settings.server_directory / SERVER_ID))
        await store.flush()
    finally:
        ingest.close()
        await store.close()
        catalog.close()


def _server_id(path: Path) -> str:
    """What agents know this server by, whatever its address: made at the first start, 32 hex digits."""
    if not path.exists():
        write_secret(path, secrets.token_hex(16) + "\n")
    return path.read_text("ascii").strip()


def _ensure_admin_key(known: Key | None, vault: Vault, path: Path) -> Key | None:
    """The key that is still to be put into the database. The file goes first: a key whose secret nobody has would be of no use.

    A lost file is written again. Raises DamagedError when the master key is not the one that the database was made with.
    """
    key, secret = new_admin_key(vault) if known is None else (known, vault.decrypt(known.id, known.secret))
    if known is None or not path.exists():
        write_secret(path, json.dumps({"key_id": key.id, "key_secret": secret}) + "\n")
        log.info("wrote the admin key", key_id=key.id, file=str(path))
    return key if known is None else None

"""Runs a server: opens its home, serves, and stops without losing anything."""

import asyncio
import json
import logging
import secrets
import signal
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
import uvloop

from tailrace import telemetry
from tailrace.journal import write_private
from tailrace.server.api.call import Services
from tailrace.server.api.protocol import BoundedProtocol
from tailrace.server.app import create_app
from tailrace.server.audit.audit import Audit
from tailrace.server.audit.shipping import Shipping
from tailrace.server.auth.authority import Authority, open_authority
from tailrace.server.auth.keys import new_admin_key
from tailrace.server.auth.master_key import open_current_vault
from tailrace.server.auth.passwords import Passwords
from tailrace.server.auth.sessions import Sessions
from tailrace.server.auth.tls import Certificates, own_names
from tailrace.server.auth.vault import Vault
from tailrace.server.backup import Backups
from tailrace.server.consumption.groups import ConsumerGroups
from tailrace.server.db.accounts import Accounts
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.collection import Collection
from tailrace.server.db.database import open_metadata
from tailrace.server.db.documents import Documents
from tailrace.server.db.records import Key
from tailrace.server.db.roster import Roster
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet.fleet import Fleet
from tailrace.server.fleet.management import open_management
from tailrace.server.fleet.upgrade_root import open_upgrade_root
from tailrace.server.fleet.waking import Waking
from tailrace.server.ingest import Ingest
from tailrace.server.listening import Listeners, run_file
from tailrace.server.query.exports import Exports
from tailrace.server.query.walking import Unfinished
from tailrace.server.quota import Quotas
from tailrace.server.reserve import Reserve
from tailrace.server.retention import Retention
from tailrace.server.settings import Settings
from tailrace.server.store.embedded import EmbeddedStore
from tailrace.server.store.engine_settings import EngineSettings

log = telemetry.logger("server")

ADMIN_KEY, SERVER_ID = "admin.json", "id"
RESERVE = "reserve"
AUTHORITY, CERTIFICATE, UPGRADE_ROOT, BUNDLE = "ca", "server.pem", "upgrade-root.key", "ca.pem"
EXPORTS = "exports"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
# Longer than the pauses of SDKs and agents between two requests on a connection.
KEEP_ALIVE_SECS = 75
# Whoever connects to the TLS port and says nothing is let go.
HANDSHAKE_SECS = 10.0


def run(settings: Settings, listeners: Listeners) -> None:
    """Serve until SIGINT or SIGTERM on sockets that listen already. Raises TailraceError when the server cannot start."""
    telemetry.setup("server", level=settings.log_level, directory=settings.home / "logs")
    # uvicorn repeats the traceback of a crashed request, which is in the log with its request id already.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    uvloop.run(_serve(settings, listeners))


async def _serve(settings: Settings, listeners: Listeners) -> None:
    async with open_services(settings, listeners.tls_port) as services:
        config = uvicorn.Config(
            create_app(services),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # anybody on this machine could choose the address that the audit log names
            timeout_keep_alive=KEEP_ALIVE_SECS,
            timeout_graceful_shutdown=int(settings.stop_grace_secs),
        )
        chores = [asyncio.create_task(chore) for chore in (services.certificates.keep_fresh(), services.retention.keep())]
        with run_file(settings, listeners, services.addresses):
            log.info("the server listens", host=settings.host, port=listeners.port, tls_port=listeners.tls_port, home=str(settings.home))
            await _Server(config, listeners, services.certificates.context).serve()
        for chore in chores:
            chore.cancel()
        log.info("the server stops")


class _Server(uvicorn.Server):
    """uvicorn on a plain and a TLS socket, without its signal handling, which would end the process before the store is closed."""

    def __init__(self, config: uvicorn.Config, listeners: Listeners, tls: ssl.SSLContext) -> None:
        super().__init__(config)
        self._listeners = listeners
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Beside uvicorn's own plain listener, one that differs by its TLS only."""
        await super().startup([self._listeners.plain, *(sockets or ())])
        protocol = partial(
            self.config.http_protocol_class, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        backlog = self.config.backlog
        listening = await asyncio.get_running_loop().create_server(
            protocol, sock=self._listeners.tls, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_SECS, backlog=backlog
        )
        self.servers.append(listening)

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
async def open_services(settings: Settings, tls_port: int) -> AsyncGenerator[Services]:
    """The parts of a server on `settings.home`, opened in the order in which they need each other, closed in the other order."""
    settings.server_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    transactions, store = Transactions(open_metadata(settings), threads=settings.database_threads), _store(settings)
    reserve, exports = Reserve(settings.server_directory / RESERVE), Exports(settings.server_directory / EXPORTS)
    catalog, passwords = Catalog(transactions, store, reserve.release, exports.forget), Passwords()
    ingest, backups = Ingest(store, settings), Backups(settings, store, catalog.held)
    try:
        waking, secret = Waking(), settings.secret_directory
        vault = await open_current_vault(secret, transactions)
        roster, collection = Roster(transactions), Collection(transactions, vault, waking.changed)
        accounts, audit = Accounts(transactions), Audit(transactions)
        catalog.deleted += [roster.project_deleted, collection.project_deleted, accounts.project_deleted]
        for part in (roster, accounts, collection, exports, catalog, audit):
            await part.open()
        await _add_admin_key(roster, vault, secret / ADMIN_KEY)
        addresses = settings.addresses or _addresses(settings, tls_port)
        authority = open_authority(secret / AUTHORITY, timedelta(seconds=settings.ca_overlap_secs))
        certificates, names = _certificates(settings, authority, addresses)
        server_id = _server_id(settings.server_directory / SERVER_ID)
        shipping = Shipping(audit, transactions, catalog, ingest, server_id=server_id, ttl_days=settings.audit_ttl_days)
        management = await open_management(transactions, vault, roster, collection, waking, endpoint=addresses[0])
        catalog.deleted += [management.rollouts.project_deleted, management.commands.project_deleted]
        services = Services(
            settings=settings,
            catalog=catalog,
            store=store,
            ingest=ingest,
            quotas=Quotas(settings),
            backups=backups,
            retention=Retention(settings, catalog, store, reserve),
            vault=vault,
            roster=roster,
            accounts=accounts,
            passwords=passwords,
            sessions=Sessions(accounts, passwords, settings),
            audit=audit,
            collection=collection,
            consumers=ConsumerGroups(transactions),
            documents=Documents(transactions, vault),
            exports=exports,
            unfinished=Unfinished(),
            authority=authority,
            certificates=certificates,
            fleet=Fleet(roster, vault, authority, settings),
            management=management,
            server_id=server_id,
            addresses=addresses,
            domains=names,
            upgrade_root=open_upgrade_root(secret / UPGRADE_ROOT),
            keep_admin_key=partial(_keep_admin_key, secret / ADMIN_KEY),
        )
        async with shipping.running(), management.running():
            yield services
        await store.flush()
    finally:
        passwords.close()
        ingest.close()
        await _stop(exports.close, backups.stop, catalog.stop, store.close)
        transactions.close()


def _store(settings: Settings) -> EmbeddedStore:
    return EmbeddedStore(
        settings.server_directory,
        settings=EngineSettings(memory=settings.engine_memory_bytes),
        ended_stream_secs=settings.ended_stream_secs,
        max_lag_secs=settings.max_lag_secs,
    )


async def _stop(*parts: Callable[[], Awaitable[None]]) -> None:
    for part in parts:
        await part()


async def _add_admin_key(roster: Roster, vault: Vault, path: Path) -> None:
    key = _ensure_admin_key(roster.admin_key(), vault, path)
    if key is not None:
        await roster.add_key(key)


def _certificates(settings: Settings, authority: Authority, addresses: Sequence[str]) -> tuple[Certificates, frozenset[str]]:
    """The server's own, and the names in it that are no address of this machine alone."""
    hosts = (urlsplit(address).hostname or "" for address in addresses)
    names = [*settings.domains, *hosts, *own_names(settings.tls_host or settings.host)]
    lives = timedelta(seconds=settings.certificate_secs)
    path, bundle = settings.secret_directory / CERTIFICATE, settings.home / BUNDLE
    return Certificates(authority, path, [*names, *LOCAL_NAMES], lives, bundle=bundle), frozenset(name.lower() for name in names)


def _addresses(settings: Settings, tls_port: int) -> tuple[str, ...]:
    """Where agents find a server that names no `addresses`."""
    names = settings.domains or own_names(_tls_host(settings))[:1]
    return tuple(f"https://[{name}]:{tls_port}" if ":" in name else f"https://{name}:{tls_port}" for name in names)


def _tls_host(settings: Settings) -> str:
    return settings.tls_host or settings.host


def _server_id(path: Path) -> str:
    """What agents know this server by, whatever its address: made at the first start, 32 hex digits."""
    if not path.exists():
        write_private(path, secrets.token_hex(16) + "\n")
    return path.read_text("ascii").strip()


def _ensure_admin_key(known: Key | None, vault: Vault, path: Path) -> Key | None:
    """The key that is still to be put into the database. The file goes first: a key whose secret nobody has would be of no use.

    A lost file is written again. Raises DamagedError when the master key is not the one that the database was made with.
    """
    key, secret = new_admin_key(vault) if known is None else (known, vault.decrypt(known.id, known.secret))
    if known is None or not path.exists():
        _keep_admin_key(path, key.id, secret)
    return key if known is None else None


def _keep_admin_key(path: Path, key_id: str, secret: str) -> None:
    write_private(path, json.dumps({"key_id": key_id, "key_secret": secret}) + "\n")
    log.info("wrote the admin key", key_id=key_id, file=str(path))

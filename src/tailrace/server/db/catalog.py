"""The metadata in use: all of it in memory for readers, every change through the database and the store before anyone sees it.

Changes are made one at a time. A deleted logstore is noted in the same transaction and its table dropped afterwards, again at the
next start if the server dies in between. A changed index is noted as wanted, then built; queries use the one before until it is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy.orm import Session

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.db import sharding, statements
from tailrace.server.db.index_builds import IndexBuilds
from tailrace.server.db.records import Logstore, Project, Shard
from tailrace.server.db.transactions import Transactions
from tailrace.server.limits import check_room
from tailrace.server.store.port import Found, Indexes, ShardRange, Store, TableSpec
from tailrace.server.store.schema import table_name

log = telemetry.logger("server.catalog")


async def _nothing_else(_: int) -> None:
    """Where nothing but the table belongs to a logstore."""


class Catalog:
    """Reading never waits and never fails; changing raises ApiError with the SLS codes."""

    def __init__(
        self,
        transactions: Transactions,
        store: Store,
        make_room: Callable[[], None] = lambda: None,
        forget: Callable[[int], Awaitable[None]] = _nothing_else,
    ) -> None:
        """`make_room` is called before anything is deleted: on a full disk that needs some. `forget` is to remove what is kept of a deleted
        logstore elsewhere; should the server die meanwhile it is called again at the next start."""
        self._run = transactions.run
        self._store = store
        self._make_room = make_room
        self._forget = forget
        self._changing = asyncio.Lock()
        self.deleted: list[Callable[[str], None]] = []
        """Each is told the name of a project as soon as the database has forgotten it, before anything else can fail."""
        self.builds = IndexBuilds(store, self.index_built)
        self._projects: dict[str, Project] = {}
        self._logstores: dict[str, dict[str, Logstore]] = {}

    async def open(self) -> None:
        """Load everything, open the store's tables, and finish what a crash left undone."""
        await self._run(self._load)
        logstores = [logstore for stores in self._logstores.values() for logstore in stores.values()]
        tables = [logstore.table for logstore in logstores]
        found = await self._store.open(tables, [logstore.building for logstore in logstores if logstore.building is not None])
        for logstore in logstores:
            self.builds.start(logstore, narrow=logstore.id in found.unfinished)
        pending = await self._run(statements.pending_drops)
        await self._keep_apart(found, {table.logstore for table in tables}.union(pending))
        for logstore in pending:
            await self._drop(logstore)

    async def stop(self) -> None:
        """What is being built goes on after the next start."""
        await self.builds.stop()

    def held(self) -> AbstractAsyncContextManager[None]:
        """Nothing is changed within."""
        return self._changing

    def project(self, name: str) -> Project | None:
        return self._projects.get(name)

    def projects(self) -> list[Project]:
        """By name."""
        return [self._projects[name] for name in sorted(self._projects)]

    def logstore(self, project: str, name: str) -> Logstore | None:
        return self._logstores.get(project, {}).get(name)

    def logstores(self, project: str) -> list[Logstore]:
        """By name."""
        stores = self._logstores.get(project, {})
        return [stores[name] for name in sorted(stores)]

    async def create_project(self, name: str, description: str, options: Mapping[str, Any]) -> Project:
        async with self._changing:
            if name in self._projects:
                raise ApiError(400, "ProjectAlreadyExist", f"project `{name}` already exists")
            project = await self._run(statements.insert_project, name, description, options, _now())
            self._projects[name], self._logstores[name] = project, {}
            return project

    async def update_project(self, name: str, description: str, options: Mapping[str, Any] | None = None) -> None:
        """`options` are added to those that there are."""
        async with self._changing:
            self._projects[name] = await self._run(
                statements.update_project, self._known_project(name).id, description, options or {}, _now()
            )

    async def delete_project(self, name: str) -> None:
        """With everything inside."""
        async with self._changing:
            self._make_room()
            gone = await self._run(statements.delete_project, self._known_project(name).id)
            del self._projects[name]
            del self._logstores[name]
            for forget in self.deleted:
                forget(name)
            for logstore in gone:
                await self.builds.give_up(logstore)
                await self._drop(logstore)

    async def create_logstore(
        self,
        project: str,
        name: str,
        *,
        ttl: int,
        shard_count: int,
        options: Mapping[str, Any],
        index: Mapping[str, Any] | None = None,
        most: int = 0,
    ) -> Logstore:
        """With `index` its table is made at once as that wants it, which is faster than to change it."""
        async with self._changing:
            owner = self._known_project(project)
            if name in self._logstores[project]:
                raise ApiError(400, "LogStoreAlreadyExist", f"logstore `{name}` already exists")
            check_room(self._logstores[project], most, f"logstores in project `{project}`")
            logstore = await self._run(
                statements.insert_logstore, owner, name, ttl=ttl, shard_count=shard_count, options=options, now=_now()
            )
            if index is not None:
                logstore = await self._run(statements.set_index, logstore.id, index, _now(), at_once=True)
            try:
                await self._store.create(logstore.table)
            except TailraceError:
                await self._run(statements.delete_logstore, logstore.id)
                raise
            self._logstores[project][name] = logstore
            return logstore

    async def update_logstore(self, project: str, name: str, *, ttl: int, options: Mapping[str, Any]) -> None:
        """If the engine refuses the new retention, the old one stays."""
        async with self._changing:
            old = self._known_logstore(project, name)
            changed = await self._run(statements.update_logstore, old, ttl, options, _now())
            if changed.table != old.table:
                await self.builds.give_up(old.id)
                try:
                    await self._store.widen(changed.building or changed.table)
                except TailraceError:
                    await self._run(statements.update_logstore, old, old.ttl, old.options, old.modified)
                    self.builds.start(old)
                    raise
                self.builds.start(changed, narrow=True)
            self._logstores[project][name] = changed

    async def delete_logstore(self, project: str, name: str) -> None:
        async with self._changing:
            logstore = self._known_logstore(project, name)
            self._make_room()
            await self._run(statements.delete_logstore, logstore.id)
            del self._logstores[project][name]
            await self.builds.give_up(logstore.id)
            await self._drop(logstore.id)

    async def create_index(self, project: str, name: str, document: Mapping[str, Any]) -> None:
        """Back when queries use it, or after some seconds where that takes longer."""
        async with self._changing:
            if self._known_logstore(project, name).index is not None:
                raise ApiError(400, "IndexAlreadyExist", f"logstore `{name}` already has an index")
            logstore = await self._set_index(project, name, document)
        await self.builds.wait(logstore.id)

    async def replace_index(self, project: str, name: str, document: Mapping[str, Any] | None) -> None:
        """None removes it. Back as `create_index` is."""
        async with self._changing:
            self._known_index(project, name)
            logstore = await self._set_index(project, name, document)
        await self.builds.wait(logstore.id)

    async def rebuild_index(self, project: str, name: str) -> None:
        """All of it anew from the events that are there; queries use what there is until then."""
        async with self._changing:
            await self._set_index(project, name, self._known_index(project, name), anew=True)

    async def split_shard(self, project: str, name: str, shard: int, keys: Sequence[str]) -> list[Shard]:
        """Cut at each of the `keys`; the shard, then those that take over."""
        async with self._changing:
            return await self._change_shards(project, name, lambda shards: sharding.split(shards, shard, keys))

    async def merge_shard(self, project: str, name: str, shard: int) -> list[Shard]:
        """With its neighbour on the right; the one that takes over, then both."""
        async with self._changing:
            closed_first = await self._change_shards(project, name, lambda shards: sharding.merge(shards, shard))
            return [closed_first[-1], *closed_first[:-1]]

    def writable_shards(self, project: str, name: str) -> list[ShardRange]:
        """Raises ApiError 404 for a logstore that is gone."""
        return sharding.writable(self._known_logstore(project, name).shards)

    async def _change_shards(self, project: str, name: str, change: Callable[[Sequence[Shard]], sharding.Change]) -> list[Shard]:
        old = self._known_logstore(project, name)
        closed, ranges = change(old.shards)
        changed = await self._run(statements.change_shards, old, closed, ranges, _now())
        self._logstores[project][name] = changed
        return [shard for shard in changed.shards if shard.id in closed] + list(changed.shards[-len(ranges) :])

    async def set_project_quota(self, name: str, quota: Mapping[str, Any]) -> None:
        async with self._changing:
            self._projects[name] = await self._run(statements.set_project_quota, self._known_project(name).id, quota)

    async def set_logstore_quota(self, project: str, name: str, quota: Mapping[str, Any]) -> None:
        async with self._changing:
            self._logstores[project][name] = await self._run(statements.set_logstore_quota, self._known_logstore(project, name), quota)

    async def _set_index(self, project: str, name: str, document: Mapping[str, Any] | None, *, anew: bool = False) -> Logstore:
        """If the engine refuses the new columns, the old index stays."""
        old = self._logstores[project][name]
        await self.builds.give_up(old.id)
        changed = await self._run(statements.set_index, old.id, document, _now(), anew=anew)
        try:
            await self._store.widen(changed.building or changed.table)
        except TailraceError:
            self._logstores[project][name] = await self._run(statements.restore_index, old)
            self.builds.start(self._logstores[project][name])
            raise
        self._logstores[project][name] = changed
        self.builds.start(changed, narrow=True)
        return changed

    async def index_built(self, table: TableSpec) -> None:
        """Queries use it from now on, if it is still what is wanted."""
        async with self._changing:
            changed = await self._run(statements.index_built, table.logstore, Indexes(table.line, table.fields))
            if changed is not None:
                self._logstores[changed.project][changed.name] = changed

    async def _keep_apart(self, found: Found, known: Set[int]) -> None:
        """A database that was lost, or is an older copy, must not hand out the number of a table that is there: its logs may be others'."""
        await self._run(statements.reserve_logstore_ids, found.highest)
        if strange := sorted(found.tables - known):
            telemetry.alarm(
                "STORE_UNKNOWN_TABLE_ALARM",
                "the store holds tables of logstores that the metadata does not know; they are left alone and cannot be queried",
                tables=[table_name(logstore) for logstore in strange],
                hint="stop the server and put back the `meta.db` that belongs to this store, from a backup or a copy beside it",
            )

    async def _drop(self, logstore: int) -> None:
        await self._forget(logstore)
        try:
            await self._store.drop(logstore)
            await self._run(statements.forget_drop, logstore)
        except TailraceError as error:
            log.warning("cannot drop the table of a deleted logstore, the next start tries again", logstore=logstore, reason=error.message)

    def _known_project(self, name: str) -> Project:
        project = self._projects.get(name)
        if project is None:
            raise ApiError(404, "ProjectNotExist", f"project `{name}` does not exist")
        return project

    def _known_logstore(self, project: str, name: str) -> Logstore:
        self._known_project(project)
        logstore = self._logstores[project].get(name)
        if logstore is None:
            raise ApiError(404, "LogStoreNotExist", f"logstore `{name}` does not exist")
        return logstore

    def _known_index(self, project: str, name: str) -> Mapping[str, Any]:
        index = self._known_logstore(project, name).index
        if index is None:
            raise ApiError(404, "IndexConfigNotExist", f"logstore `{name}` has no index")
        return index

    def _load(self, session: Session) -> None:
        self._projects = {project.name: project for project in statements.projects(session)}
        self._logstores = {name: {} for name in self._projects}
        for logstore in statements.logstores(session):
            self._logstores[logstore.project][logstore.name] = logstore


def _now() -> int:
    return int(time.time())

"""Keeps the store within its bounds of bytes, by dropping the oldest events; ages are the engine's own business (`ttl`)."""

import asyncio
from collections.abc import Mapping

from tailrace import telemetry
from tailrace.errors import TailraceError
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.records import Logstore
from tailrace.server.reserve import Reserve
from tailrace.server.settings import Settings
from tailrace.server.store.port import Store

log = telemetry.logger("server.retention")
_dropped = telemetry.counter("tailrace_store_dropped_rows_total", "Events that were dropped because a bound of bytes was reached.")
_stored = telemetry.gauge("tailrace_store_bytes", "What all events and their indexes take on disk.")


class Retention:
    """One per server."""

    def __init__(self, settings: Settings, catalog: Catalog, store: Store, reserve: Reserve) -> None:
        self._settings, self._catalog, self._store, self._reserve = settings, catalog, store, reserve

    async def keep(self) -> None:
        """For as long as the server runs."""
        while True:
            try:
                await self.trim()
            except TailraceError as error:
                log.warning("cannot look after the store's size", reason=error.message[:500])
            await asyncio.sleep(self._settings.retention_check_secs)

    async def trim(self) -> None:
        """Each logstore within its `max_bytes`, all within `store_max_bytes`."""
        await asyncio.to_thread(self._reserve.keep)
        _stored.set(sum(usage.bytes for usage in (await self._store.usage()).values()))
        logstores = self._logstores()
        bounds = {number: int(one.quota["max_bytes"]) for number, one in logstores.items() if one.quota.get("max_bytes")}
        for gone in await self._store.trim(bounds, self._settings.store_max_bytes):
            _dropped.inc(gone.rows)
            logstore = logstores.get(gone.logstore)
            telemetry.alarm(
                "STORE_SPACE_ALARM",
                "the oldest events were dropped to stay within a bound of bytes",
                project=logstore.project if logstore else "",
                logstore=logstore.name if logstore else gone.logstore,
                day=gone.day,
                events=gone.rows,
                bytes=gone.bytes,
                hint="raise `max_bytes` of the logstore or `store_max_bytes` of the server, or shorten a ttl",
            )

    def _logstores(self) -> Mapping[int, Logstore]:
        return {logstore.id: logstore for project in self._catalog.projects() for logstore in self._catalog.logstores(project.name)}

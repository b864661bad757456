"""The tables of the engine: made, changed in steps that can each be done again (`changing`), filled in the background, dropped."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from tailrace import telemetry
from tailrace.errors import EngineError
from tailrace.server.store import changing, schema
from tailrace.server.store.changing import Held
from tailrace.server.store.engine import Engine, EngineGoneError
from tailrace.server.store.port import Filling, TableSpec

WAIT_SECS = 15.0
"""How long a change waits for an engine that is being restarted."""
FIRST_LOOK_SECS, LONGEST_LOOK_SECS = 0.02, 1.0
"""Between two looks at how far a mutation is."""


class Tables:
    """Of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def open(self, tables: Sequence[TableSpec], building: Sequence[TableSpec]) -> tuple[frozenset[int], frozenset[int]]:
        """See `Store.open`: nobody asks anything yet. The logstores that have a table; those whose table is not all as it should be."""
        held = await self._held()
        on_their_way = {table.logstore: table for table in building}
        unfinished: set[int] = set()
        for table in tables:
            wanted = [table, *([on_their_way[table.logstore]] if table.logstore in on_their_way else [])]
            if not await self._match(wanted, held):
                unfinished.add(table.logstore)
        return frozenset(held), frozenset(unfinished)

    async def create(self, table: TableSpec) -> None:
        await self._ready()
        await self._engine.execute(schema.create_statement(table))

    async def widen(self, table: TableSpec) -> None:
        await self._ready()
        for statement in changing.widen(table, await self._held_of(table.logstore)):
            await self._engine.execute(statement)

    async def narrow(self, table: TableSpec) -> None:
        """Also ends what is under way for indexes that are not wanted any more."""
        await self._ready()
        await self._change(table.logstore, changing.narrow([table], await self._held_of(table.logstore)))

    async def drop(self, logstore: int) -> None:
        await self._ready()
        await self._engine.execute(schema.drop_statement(logstore))

    async def fill(self, table: TableSpec, beside: TableSpec, note: Callable[[Filling], None]) -> None:
        """A mutation of the engine's, which goes on after a restart."""
        wanted = changing.fill(table, beside)
        done = not wanted
        while not done:
            await self._ready()
            with suppress(EngineGoneError):
                mutation = await self._mutation(table.logstore, wanted) or await self._start_mutation(table.logstore, wanted)
                await self._follow(table.logstore, mutation, note)
                done = True

    # --- inside -----------------------------------------------------------------------------------------------------------------
    async def _match(self, wanted: Sequence[TableSpec], held: Mapping[int, Held]) -> bool:
        """Whether all is done. Raises where what is in use, the first of `wanted`, is not there; all else can wait, an alarm says so."""
        logstore = wanted[0].logstore
        if logstore not in held:
            await self._engine.execute(schema.create_statement(wanted[0]))
        has = await self._widened(wanted[0], held.get(logstore) or await self._held_of(logstore))
        try:
            for table in wanted[1:]:
                has = await self._widened(table, has)
            await self._change(logstore, changing.narrow(wanted, has))
        except EngineGoneError:
            raise
        except EngineError as error:
            reason = error.message[:500]
            telemetry.alarm("STORE_INDEX_ALARM", "the change of an index cannot go on now", logstore=logstore, reason=reason)
            return False
        return True

    async def _widened(self, table: TableSpec, has: Held) -> Held:
        statements = changing.widen(table, has)
        await self._change(table.logstore, statements)
        return await self._held_of(table.logstore) if statements else has

    async def _change(self, logstore: int, statements: Sequence[str]) -> None:
        """Takes away what a filling that was interrupted may still use, which the engine refuses: it is begun anew if it is wanted."""
        if statements:
            await self._end_mutations(logstore)
        for statement in statements:
            await self._engine.execute(statement)

    async def _held(self, logstore: int | None = None) -> dict[int, Held]:
        return changing.held((await self._engine.execute(changing.held_statement(logstore))).rows)

    async def _held_of(self, logstore: int) -> Held:
        held = (await self._held(logstore)).get(logstore)
        if held is None:
            raise EngineError(f"logstore {logstore} has no table in the storage engine", hint="the next start makes it anew")
        return held

    async def _start_mutation(self, logstore: int, wanted: Sequence[str]) -> str:
        """Its id; "" where there is nothing to do."""
        if not await self._rows(logstore):
            return ""
        await self._engine.execute(f"ALTER TABLE {schema.table_name(logstore)} {', '.join(wanted)} SETTINGS mutations_sync = 0")
        return await self._mutation(logstore, wanted)

    async def _follow(self, logstore: int, mutation: str, note: Callable[[Filling], None]) -> None:
        look, told = FIRST_LOOK_SECS, ""
        while True:
            answer = await self._engine.execute(
                "SELECT is_done, parts_to_do_names, latest_fail_reason FROM system.mutations"
                " WHERE database = currentDatabase() AND table = {table:String} AND mutation_id = {id:String} LIMIT 1",
                {"table": schema.table_name(logstore), "id": mutation},
            )
            done, names, trouble = answer.rows[0] if answer.rows else (1, [], "")
            rows = await self._rows(logstore)
            left = 0 if done else await self._rows(logstore, names)
            note(Filling(rows, max(0, rows - left), str(trouble)[:500]))
            if done:
                return
            if trouble and trouble != told:
                told = str(trouble)
                telemetry.alarm("STORE_INDEX_ALARM", "an index cannot be made of what is there", logstore=logstore, reason=told[:500])
            await asyncio.sleep(look)
            look = min(look * 2, LONGEST_LOOK_SECS)

    async def _mutation(self, logstore: int, wanted: Sequence[str]) -> str:
        """Id of a mutation that was started with all of these commands; "" when there is none. The engine has a row for each command."""
        answer = await self._engine.execute(
            "SELECT mutation_id FROM system.mutations WHERE database = currentDatabase() AND table = {table:String}"
            " AND NOT is_killed GROUP BY mutation_id HAVING hasAll(groupArray(command), {wanted:Array(String)}) LIMIT 1",
            {"table": schema.table_name(logstore), "wanted": [f"({command})" for command in wanted]},
        )
        return str(answer.rows[0][0]) if answer.rows else ""

    async def _end_mutations(self, logstore: int) -> None:
        """Those that fill: one that takes away may always go on."""
        await self._engine.execute(
            "KILL MUTATION WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done"
            " AND command LIKE '(MATERIALIZE %' SYNC",
            {"table": schema.table_name(logstore)},
        )

    async def _rows(self, logstore: int, parts: object = None) -> int:
        """Of all parts, or of those that are named."""
        named = "" if parts is None else " AND has({parts:Array(String)}, name)"
        answer = await self._engine.execute(
            f"SELECT sum(rows) FROM system.parts WHERE database = currentDatabase() AND table = {{table:String}} AND active{named}",  # noqa: S608
            {"table": schema.table_name(logstore), **({} if parts is None else {"parts": parts})},
        )
        return int(str(answer.rows[0][0]))

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECS):
                await self._engine.ready()
        except TimeoutError as error:
            raise EngineError("the storage engine is restarting", hint="try again in a few seconds") from error

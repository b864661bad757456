"""The server's side of the engine process: start it, ask it, notice that it died, start it again.

Requests of any number of tasks are in flight at the same time. When the process dies each of them fails with EngineGoneError; whoever must
not give up (inserts) waits for `ready` and asks again.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from tailrace import telemetry
from tailrace.errors import EngineError
from tailrace.server.store import engine_settings, frames, parameters
from tailrace.server.store.engine_settings import EngineSettings
from tailrace.server.store.port import EngineQuery, FieldIndex, Limits, Rows
from tailrace.server.store.trials import TRIAL_SECS, Trials
from tailrace.server.store.turns import Turns, Use

OVERTIME, OVERTIME_SECS = 2, 10.0
"""Where the engine does not stop at its time, as in the middle of a long sort, it is told to at twice that and a few seconds."""
CANCEL_EVERY = 1.0
"""It is told again: a query that was about to begin does not hear it."""
TIMEOUT_EXCEEDED = 159
"""The engine's code for it."""
HEAVY: frozenset[frames.Pool] = frozenset({"analytics", "scan", "export"})
"""Limit classes whose queries may take long. None of them waits for another: each would stand nearly still while one is at work."""
TRIED = frozenset({"analytics", "scan"})
"""Those of them whose queries are often short, which nobody knows before."""
FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
PING_EVERY, PING_TIMEOUT = 5.0, 30.0

_log = telemetry.logger("server.store.engine")
_restarts = telemetry.counter("tailrace_engine_restarts_total", "Times the storage engine's process had to be started again.")
_answers = msgspec.msgpack.Decoder(frames.Answer)
_rows = msgspec.json.Decoder(tuple)
_SURROGATES = re.compile("[\udc80-\udcff]")


class EngineGoneError(EngineError):
    """The engine's process is being restarted; the request may or may not have been carried out."""

    def __init__(self) -> None:
        super().__init__("the storage engine is restarting", hint="try again in a few seconds")


class OvertimeError(EngineError):
    """A query is still at work long after its time."""

    def __init__(self) -> None:
        super().__init__("the query does not end", engine_code=TIMEOUT_EXCEEDED)


class Engine:
    """One engine process over one directory, kept alive until `close`."""

    def __init__(self, directory: Path, settings: EngineSettings | None = None) -> None:
        self.directory = directory
        self.settings = (settings or EngineSettings()).resolved()
        self.restarts = 0
        self.reopen_secs = 0.0
        """How long the last start took."""
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[tuple[frames.Answer, bytes]]] = {}
        self._next_id = 1
        self._ready = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._open: set[asyncio.Future[None]] = set()
        """Queries that are not answered yet."""
        self._ending: set[asyncio.Task[None]] = set()
        """Those of them that nobody waits for any more."""
        self._cores, self._heavy = os.cpu_count() or 1, 0
        """`_heavy`: heavy queries at work."""
        self._trials = Trials()
        self._turns = {name: Turns(size) for name, size in self.settings.pools.items()}

    # --- life -------------------------------------------------------------------------------------------------------------------
    async def open(self) -> None:
        """Raises EngineError when the engine cannot be opened at all."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        reader = await self._start()
        self._keeper = asyncio.create_task(self._keep(reader), name="engine-keeper")

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._stop()
        if self._ending:
            await asyncio.wait([*self._ending])

    @property
    def is_up(self) -> bool:
        return self._ready.is_set()

    @property
    def pid(self) -> int:
        """0 while there is no process."""
        return self._process.pid if self._process is not None else 0

    async def ready(self) -> None:
        """Wait until the engine answers."""
        await self._ready.wait()

    # --- requests ---------------------------------------------------------------------------------------------------------------
    async def execute(self, sql: str, values: Mapping[str, object] | None = None) -> Rows:
        """A statement of our own, such as DDL."""
        request = frames.Execute(self._new_id(), sql, parameters.encode(values or {}))
        return _decode(*await self._ask(request))

    async def insert(self, table: str, rows: Path, token: str, fields: Sequence[FieldIndex] = ()) -> None:
        """`rows`, a file that `columns.write_block` wrote with the same `fields`, as one block, once per token."""
        given = {index.column: index.type for index in fields}
        await self._ask(frames.Insert(self._new_id(), table, token, str(rows), given))

    async def query(self, query: EngineQuery) -> Rows:
        """Raises EngineError, BusyError and ApiError 403 when too many queries of its limit class wait already."""
        limits = query.limits
        async with contextlib.AsyncExitStack() as held:
            held.enter_context(self._asked())
            await held.enter_async_context(self._turns[limits.pool].turn(query.tenant, limits.at_once))
            answer, payload = await self._tried(query, held) or await self._ranked(query, held)
        made = await asyncio.to_thread(_decode, answer, payload) if len(payload) > 1 << 18 else _decode(answer, payload)
        return replace(made, partial=_used_up(answer, limits))

    async def _tried(self, query: EngineQuery, held: contextlib.AsyncExitStack) -> tuple[frames.Answer, bytes] | None:
        """As a short query beside long ones; None where it takes too long for that, and begins again as one of them, or there are none."""
        limits = query.limits
        if not self._heavy or limits.pool not in TRIED or limits.seconds <= TRIAL_SECS or not self._trials.is_worth_it(query.sql):
            return None
        whole = replace(limits, seconds=TRIAL_SECS, partial="never" if limits.partial == "never" else "rows")
        try:
            request = self._request(replace(query, limits=whole), self._cores, "short")
            return await self._within(request, limits.seconds, held)
        except OvertimeError:
            self._trials.failed(query.sql)
            raise
        except EngineError as error:
            if error.engine_code != TIMEOUT_EXCEEDED:
                raise
            self._trials.failed(query.sql)
            return None

    async def _ranked(self, query: EngineQuery, held: contextlib.AsyncExitStack) -> tuple[frames.Answer, bytes]:
        pool = query.limits.pool
        threads = held.enter_context(self._threads(pool))
        rank = "long" if pool in HEAVY else "aside" if pool == "pull" else "short"
        return await self._within(self._request(query, threads, rank), query.limits.seconds, held)

    def _request(self, query: EngineQuery, threads: int, rank: frames.Rank) -> frames.Query:
        limits = query.limits
        return frames.Query(
            self._new_id(), query.sql, parameters.encode(query.parameters), query.dialect,
            limits.pool, limits.seconds, limits.memory, limits.rows, limits.bytes, limits.read_rows,
            limits.partial, threads, query.query_id or f"query-{self._next_id}", query.time_zone, rank,
        )  # fmt: skip

    @contextlib.contextmanager
    def _threads(self, pool: frames.Pool) -> Generator[int]:
        """How many a query may have, which it keeps for its whole life: the first heavy one has all cores, the next half of them, a third
        one a third. What is short goes before all of them (`HEAVY`)."""
        if pool not in HEAVY:
            yield self._cores
            return
        self._heavy += 1
        try:
            yield max(1, self._cores // self._heavy)
        finally:
            self._heavy -= 1

    async def _within(self, request: frames.Query, seconds: float, held: contextlib.AsyncExitStack) -> tuple[frames.Answer, bytes]:
        """Cancelled in the engine when whoever asked goes away, and when the engine does not notice by itself that time is over: `seconds`
        is what the user gave it, also where a trial asks for less. What it holds is given back when the engine has really let go of it."""
        answering = self._send(request)
        try:
            async with asyncio.timeout(seconds * OVERTIME + OVERTIME_SECS):
                return _checked(*await asyncio.shield(answering))
        except asyncio.CancelledError:
            self._end(request.query_id, answering, held.pop_all())
            raise
        except TimeoutError:
            self._end(request.query_id, answering, held.pop_all())
            raise OvertimeError from None

    def _end(self, query_id: str, answering: asyncio.Future[tuple[frames.Answer, bytes]], held: contextlib.AsyncExitStack) -> None:
        async def ended() -> None:
            async with held:
                while not answering.done():
                    await self.cancel(query_id)
                    await asyncio.wait([answering], timeout=CANCEL_EVERY)

        task = asyncio.create_task(ended(), name="engine-query-ending")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def use(self) -> dict[str, Mapping[str, Use]]:
        """By limit class and tenant: the queries at work and those that wait."""
        return {name: turns.use() for name, turns in self._turns.items()}

    async def cancel(self, query_id: str) -> None:
        """End a running query; it then fails with QUERY_WAS_CANCELLED. Unknown ids are fine."""
        with contextlib.suppress(EngineError):
            await self._ask(frames.Cancel(self._new_id(), query_id))

    async def settled(self) -> None:
        """Until every query that has been asked by now is answered, those that wait for a handle too."""
        if self._open:
            await asyncio.wait([*self._open])

    @contextlib.contextmanager
    def _asked(self) -> Generator[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open.add(done)
        try:
            yield
        finally:
            self._open.discard(done)
            done.set_result(None)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    async def _ask(self, request: frames.Request) -> tuple[frames.Answer, bytes]:
        return _checked(*await self._send(request))

    def _send(self, request: frames.Request) -> asyncio.Future[tuple[frames.Answer, bytes]]:
        """The answer to come, or EngineGoneError."""
        writer = self._writer
        if writer is None or not self.is_up:
            raise EngineGoneError
        future: asyncio.Future[tuple[frames.Answer, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = future
        future.add_done_callback(lambda _: self._waiting.pop(request.id, None))
        writer.write(frames.frame(request))
        return future

    # --- the process ------------------------------------------------------------------------------------------------------------
    async def _start(self) -> asyncio.StreamReader:
        began = time.monotonic()
        ours, theirs = socket.socketpair()
        command = [
            sys.executable, "-m", "tailrace.server.store.engine_process", "--socket", str(theirs.fileno()),
            "--directory", str(self.directory), "--settings", msgspec.json.encode(self.settings).decode(),
        ]  # fmt: skip
        environment = {**os.environ, **engine_settings.ENVIRONMENT}
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True, env=environment
            )
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
        try:
            await _receive(reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self._stop()
            raise EngineError(
                f"cannot open the storage engine in `{self.directory}`", hint="see its message above; another process may own it"
            ) from error
        self.reopen_secs = time.monotonic() - began
        self._ready.set()
        return reader

    async def _stop(self) -> None:
        """Close the socket, end the process, fail what waits."""
        self._ready.clear()
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EngineGoneError())

    async def _keep(self, reader: asyncio.StreamReader) -> None:
        """Read answers for as long as there is a process; then make a new one."""
        while True:
            pinging = asyncio.create_task(self._ping())
            try:
                await self._read_answers(reader)
            finally:
                pinging.cancel()
            code = self._process.poll() if self._process is not None else None
            await self._stop()
            telemetry.alarm("STORE_ENGINE_ALARM", "the storage engine died and is being restarted", exit_code=code)
            reader = await self._restart()

    async def _read_answers(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                answer, payload = await _receive(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            future = self._waiting.get(answer.id)
            if future is not None and not future.done():
                future.set_result((answer, payload))

    async def _restart(self) -> asyncio.StreamReader:
        delay = FIRST_DELAY
        while True:
            await asyncio.sleep(delay)
            self.restarts += 1
            _restarts.inc()
            try:
                reader = await self._start()
            except EngineError as error:
                delay = min(delay * 2, LONGEST_DELAY)
                telemetry.alarm("STORE_ENGINE_ALARM", error.message, next_try_secs=delay)
                continue
            _log.info("storage engine is open again", seconds=round(self.reopen_secs, 3))
            return reader

    async def _ping(self) -> None:
        """Kill a process that no longer answers, so that it is restarted."""
        while True:
            await asyncio.sleep(PING_EVERY)
            try:
                async with asyncio.timeout(PING_TIMEOUT):
                    await self._ask(frames.Ping(self._new_id()))
            except TimeoutError:
                telemetry.alarm("STORE_ENGINE_ALARM", "the storage engine does not answer and is killed", seconds=PING_TIMEOUT)
                if self._process is not None:
                    self._process.kill()
                return
            except EngineError as error:
                _log.warning("storage engine refuses a ping", error=error.message)


async def _receive(reader: asyncio.StreamReader) -> tuple[frames.Answer, bytes]:
    header_size, payload_size = frames.PREFIX.unpack(await reader.readexactly(frames.PREFIX.size))
    answer = _answers.decode(await reader.readexactly(header_size))
    return answer, await reader.readexactly(payload_size)


def _used_up(answer: frames.Answer, limits: Limits) -> bool:
    """The engine does not say that it has stopped early. What ended by itself at the very bound counts as such, too."""
    rows = limits.partial != "never" and 0 < limits.read_rows <= answer.read_rows
    return rows or (limits.partial == "rows and time" and answer.elapsed >= limits.seconds)


def _checked(answer: frames.Answer, body: bytes) -> tuple[frames.Answer, bytes]:
    if answer.error:
        raise EngineError(answer.error, engine_code=answer.code)
    return answer, body


def _decode(answer: frames.Answer, payload: bytes) -> Rows:
    lines = payload.split(b"\n")
    if len(lines) < 3:
        return Rows([], [], [], answer.read_rows, answer.read_bytes, answer.elapsed)
    values = [_row(line) for line in lines if line]
    columns, types = [str(name) for name in values[0]], [str(name) for name in values[1]]
    return Rows(columns, types, values[2:], answer.read_rows, answer.read_bytes, answer.elapsed, len(payload))


def _row(line: bytes) -> tuple[object, ...]:
    try:
        return _rows.decode(line)
    except UnicodeDecodeError:
        # The standard library's parser takes surrogate escapes, which is how bytes that are not UTF-8 come through.
        return tuple(_with_bytes(value) for value in json.loads(line.decode("utf-8", "surrogateescape")))


def _with_bytes(value: object) -> object:
    match value:
        case str():
            return value if not _SURROGATES.search(value) else value.encode("utf-8", "surrogateescape")
        case list():
            return [_with_bytes(item) for item in value]
        case dict():
            return {_with_bytes(key): _with_bytes(item) for key, item in value.items()}
        case _:
            return value

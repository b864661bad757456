"""The process that owns the storage engine: `python -m tailrace.server.store.engine_process --socket FD --directory DIR`.

It is started by `engine.Engine` (spawned, never forked), holds the only handles on the directory and ends when its socket closes. Whatever
the engine does to its process — abort, segmentation fault, the kernel's memory killer — stays here (docs/adr/0001).
"""

import argparse
import os
import re
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from chdb import _chdb

from tailrace.server.store import frames, schema
from tailrace.server.store.engine_settings import EngineSettings, insert_settings, query_settings

ROWS_FORMAT = "JSONCompactEachRowWithNamesAndTypes"
_CODE = re.compile(r"Code: (\d+)\. ")
_CANCELLED = "Code: 394. DB::Exception: Query was cancelled before it began. (QUERY_WAS_CANCELLED)"
_decoder = msgspec.msgpack.Decoder(frames.Request)


class EngineProcess:
    """Reads requests, runs each in the pool of its class, writes answers as they come."""

    def __init__(self, connection: socket.socket, directory: Path, settings: EngineSettings) -> None:
        self._socket = connection
        self._url = settings.url(directory)
        self._write_lock = threading.Lock()
        self._root = self._handle()
        let_signals_kill()
        self._pulse = ThreadPoolExecutor(1, "pulse")
        self._control = ThreadPoolExecutor(2, "control")
        self._inserts = ThreadPoolExecutor(settings.insert_threads, "insert")
        self._pools = {name: ThreadPoolExecutor(size, name) for name, size in settings.pools.items()}
        self._local = threading.local()
        self._cancelled: dict[str, threading.Event] = {}
        """Of the queries that have not begun, by their ids: set for those that shall not."""

    def serve(self) -> None:
        """Until the server closes the socket, or dies."""
        self._answer(frames.Answer(0))
        while (header := self._receive()) is not None:
            match header:
                case frames.Insert():
                    self._inserts.submit(self._run, header.id, self._insert, header)
                case frames.Query():
                    self._cancelled[header.query_id] = threading.Event()
                    self._pools[header.pool].submit(self._run, header.id, self._query, header)
                case frames.Execute():
                    self._control.submit(self._run, header.id, self._execute, header)
                case frames.Cancel():
                    self._cancelled.get(header.query_id, threading.Event()).set()
                    self._control.submit(self._run, header.id, self._cancel, header)
                case frames.Ping():
                    self._pulse.submit(self._run, header.id, self._own_query, "SELECT 1")

    # --- requests ---------------------------------------------------------------------------------------------------------------
    def _run(self, request_id: int, work: Any, *arguments: Any) -> None:
        try:
            result = work(*arguments)
        except (RuntimeError, OSError, MemoryError) as error:
            text = str(error)
            code = _CODE.search(text)
            self._answer(frames.Answer(request_id, error=text or repr(error), code=int(code[1]) if code else 0))
            return
        if result is None:
            self._answer(frames.Answer(request_id))
            return
        answer = frames.Answer(
            request_id, read_rows=result.storage_rows_read(), read_bytes=result.storage_bytes_read(), elapsed=result.elapsed()
        )
        self._answer(answer, result.bytes())

    def _insert(self, request: frames.Insert) -> None:
        statement = schema.insert_statement(request.table, request.fields, path=request.path, settings=insert_settings(request.token))
        self._own_handle().query(statement, "Null")

    def _query(self, request: frames.Query) -> Any:
        """A handle of its own for every query: opening one costs 0.8 ms, and its limits cannot be changed once it is read-only."""
        cancelled = self._cancelled.pop(request.query_id, None)
        if cancelled is not None and cancelled.is_set():
            raise RuntimeError(_CANCELLED)
        handle = self._handle()
        try:
            for statement in query_settings(request):
                handle.query(statement, "Null")
            return handle.query(request.sql, ROWS_FORMAT, params=request.parameters)
        finally:
            handle.close()

    def _own_query(self, sql: str) -> Any:
        return self._own_handle().query(sql, ROWS_FORMAT)

    def _execute(self, request: frames.Execute) -> Any:
        return self._own_handle().query(request.sql, ROWS_FORMAT, params=request.parameters)

    def _cancel(self, request: frames.Cancel) -> Any:
        sql = "KILL QUERY WHERE Settings['log_comment'] = {id:String} AND Settings['readonly'] = '1' ASYNC"
        return self._own_handle().query(sql, ROWS_FORMAT, params={"id": request.query_id})

    # --- handles ----------------------------------------------------------------------------------------------------------------
    def _handle(self) -> Any:
        return _chdb.connect(self._url)  # pyright: ignore[reportAttributeAccessIssue] - native, without stubs

    def _own_handle(self) -> Any:
        """This thread's handle: a handle runs one statement at a time."""
        if not hasattr(self._local, "handle"):
            self._local.handle = self._handle()
        return self._local.handle

    # --- frames -----------------------------------------------------------------------------------------------------------------
    def _receive(self) -> frames.Request | None:
        prefix = self._read(frames.PREFIX.size)
        if prefix is None:
            return None
        header = self._read(frames.PREFIX.unpack(prefix)[0])
        return None if header is None else _decoder.decode(header)

    def _read(self, size: int) -> bytearray | None:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self._socket.recv_into(view)
            if count == 0:
                return None
            view = view[count:]
        return data

    def _answer(self, answer: frames.Answer, payload: bytes = b"") -> None:
        with self._write_lock:
            self._socket.sendall(frames.frame(answer, len(payload)))
            if payload:
                self._socket.sendall(payload)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--socket", type=int, required=True)
    arguments.add_argument("--directory", type=Path, required=True)
    arguments.add_argument("--settings", required=True)
    options = arguments.parse_args()
    prefer_for_the_memory_killer()
    connection = socket.socket(fileno=options.socket)
    settings = msgspec.json.decode(options.settings, type=EngineSettings)
    try:
        EngineProcess(connection, options.directory, settings).serve()
    except RuntimeError as error:
        sys.stderr.write(f"cannot open the storage engine in {options.directory}: {error}\n")
        sys.stderr.flush()
        os._exit(1)
    except OSError:
        pass  # the server is gone
    # Whatever still runs is of no use to anybody, and a new engine waits for the directory: leave without unwinding.
    os._exit(0)


def let_signals_kill() -> None:
    """The engine catches its own crashes to print a stack, which takes more than a minute with this library: die at once, be restarted."""
    for fatal in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP):
        signal.signal(fatal, signal.SIG_DFL)


def prefer_for_the_memory_killer() -> None:
    """When memory runs out the kernel should take the engine, which comes back, and not the server, which acknowledges."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    except OSError:
        return


if __name__ == "__main__":
    main()

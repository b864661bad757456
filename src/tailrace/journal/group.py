"""One journal for the tasks of an event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailrace.errors import BusyError, StateError, TailraceError
from tailrace.journal.log import Entry, Journal


@dataclass(slots=True)
class _Ticket:
    build: Callable[[], Sequence[Entry]]
    undo: Callable[[], None]
    applied: Callable[[list[int]], None]
    done: "asyncio.Future[list[int]]"


class GroupCommit:
    """A journal shared by the tasks of one event loop: one thread writes, and one fdatasync serves all who wait.

    A commit that arrives while an fdatasync runs goes with the next one; nothing waits for company.
    """

    def __init__(self, journal: Journal, *, group_bytes: int = 4 << 20) -> None:
        self.journal = journal
        self._group_bytes = group_bytes
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Ticket] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(
        self,
        build: Callable[[], Sequence[Entry]],
        *,
        undo: Callable[[], None] = lambda: None,
        applied: Callable[[list[int]], None] = lambda _: None,
    ) -> "asyncio.Future[list[int]]":
        """Append what `build` returns; the future holds the ids once they are durable, or BusyError or StateError.

        `build` runs on the writer thread in journal order, so it may number what it writes; `undo` takes that back when the write failed.
        `applied` runs on the loop in journal order, before any future of the group is done.
        """
        ticket = _Ticket(build, undo, applied, self._loop.create_future())
        with self._wake:
            if self._closing:
                ticket.done.set_exception(StateError(f"journal `{self.journal.directory}` is closed"))
            else:
                self._queue.append(ticket)
                self._wake.notify()
        return ticket.done

    async def cut(self, before: int) -> None:
        """`Journal.cut` on the writer thread."""

        def build() -> list[Entry]:
            self.journal.cut(before)
            return []

        await self.submit(build)

    async def close(self) -> None:
        """Write what is queued, then close the journal."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # lets the last group's `_finish` run
        self.journal.close()

    # --- the writer thread --------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    return
            written, failed = self._write_group()
            self._loop.call_soon_threadsafe(self._finish, written, failed)

    def _write_group(self) -> tuple[list[tuple[_Ticket, list[int]]], list[tuple[_Ticket, TailraceError]]]:
        written: list[tuple[_Ticket, list[int]]] = []
        failed: list[tuple[_Ticket, TailraceError]] = []
        size = 0
        try:
            while self._queue and size < self._group_bytes:
                ticket = self._queue.popleft()
                written.append((ticket, []))
                entries = ticket.build()
                size += sum(len(payload) for _, payload in entries)
                try:
                    written[-1][1].extend(self.journal.append(entries))
                except BusyError as error:
                    written.pop()
                    ticket.undo()
                    failed.append((ticket, error))
            self.journal.sync()
        except StateError as error:
            # Nothing since the last sync is kept: the whole group has failed, newest first.
            for ticket, _ in reversed(written):
                ticket.undo()
                failed.append((ticket, error))
            written = []
        return written, failed

    def _finish(self, written: list[tuple[_Ticket, list[int]]], failed: list[tuple[_Ticket, TailraceError]]) -> None:
        for ticket, ids in written:
            ticket.applied(ids)
        for ticket, ids in written:
            if not ticket.done.done():
                ticket.done.set_result(ids)
        for ticket, error in failed:
            if not ticket.done.done():
                ticket.done.set_exception(error)

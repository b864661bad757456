"""Wakes heartbeats that are held when something changed in one of their agents' projects (DESIGN §4.5, ADR 36)."""

import asyncio
import secrets
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

PORTION: Final = 20
"""Of those whom one change concerns are woken in one turn of the event loop: what each is told takes up to a millisecond of it, and there
may be ten thousand. Everything else that the loop has to do goes between two portions."""


def subjects_of(agent: str, projects: Iterable[str]) -> list[str]:
    """What an agent has to hear of: changes of its projects, and of itself, which no project has the name of."""
    return [*projects, f"@{agent}"]


class Waking:
    """A count of changes per subject, a project or an agent, and who waits for the next one. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._changes: dict[str, int] = {}
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._due: dict[asyncio.Future[None], None] = {}
        """Who is still to be woken, in the order in which it became due."""
        self._turn: asyncio.Handle | None = None

    def changed(self, project: str) -> None:
        self._change(project)

    def agent_changed(self, agent: str) -> None:
        """Something that is one agent's own."""
        self._change(*subjects_of(agent, ()))

    def _change(self, subject: str) -> None:
        self._changes[subject] = self._changes.get(subject, 0) + 1
        self._due.update(dict.fromkeys(self._waiting.get(subject, ())))
        if self._due and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        for changed in list(islice(self._due, PORTION)):
            del self._due[changed]
            _wake(changed)
        # It comes after the tasks of those that were just woken, and after one more look at the network.
        self._turn = asyncio.get_running_loop().call_soon(self._wake_some) if self._due else None

    def state(self, subjects: Collection[str]) -> str:
        """Differs after every change of one of them, and after a restart of the server."""
        return f"{self._run}-{sum(self._changes.get(subject, 0) for subject in subjects)}-{len(subjects)}"

    async def wait(self, subjects: Sequence[str], since: str, secs: float) -> str:
        """The state, as soon as it is no longer `since`, after `secs` at the latest."""
        loop = asyncio.get_running_loop()
        changed: asyncio.Future[None] = loop.create_future()
        for subject in subjects:
            self._waiting.setdefault(subject, set()).add(changed)
        timer = loop.call_later(secs, _wake, changed)
        try:
            if self.state(subjects) == since:
                await changed
        finally:
            timer.cancel()
            self._due.pop(changed, None)
            for subject in subjects:
                self._leave(subject, changed)
        return self.state(subjects)

    def _leave(self, subject: str, changed: asyncio.Future[None]) -> None:
        waiting = self._waiting[subject]
        waiting.discard(changed)
        if not waiting:
            del self._waiting[subject]


def _wake(changed: asyncio.Future[None]) -> None:
    if not changed.done():
        changed.set_result(None)

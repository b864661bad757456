"""Wakes heartbeats that are held when something changed in one of their agents' projects (DESIGN §4.5, ADR 36)."""

import asyncio
import secrets
from collections.abc import Collection, Iterable, Sequence


def subjects_of(agent: str, projects: Iterable[str]) -> list[str]:
    """What an agent has to hear of: changes of its projects, and of itself, which no project has the name of."""
    return [*projects, f"@{agent}"]


class Waking:
    """A count of changes per subject, a project or an agent, and who waits for the next one. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._changes: dict[str, int] = {}
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def changed(self, project: str) -> None:
        self._change(project)

    def agent_changed(self, agent: str) -> None:
        """Something that is one agent's own."""
        self._change(*subjects_of(agent, ()))

    def _change(self, subject: str) -> None:
        self._changes[subject] = self._changes.get(subject, 0) + 1
        for changed in self._waiting.get(subject, ()):
            _wake(changed)

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

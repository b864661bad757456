"""Tells agents that wait when something changed in one of their projects (DESIGN §4.5): they then send a heartbeat at once."""

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
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def changed(self, project: str) -> None:
        self._change(project)

    def agent_changed(self, agent: str) -> None:
        """Something that is one agent's own."""
        self._change(*subjects_of(agent, ()))

    def _change(self, subject: str) -> None:
        self._changes[subject] = self._changes.get(subject, 0) + 1
        for event in self._waiting.get(subject, ()):
            event.set()

    def state(self, subjects: Collection[str]) -> str:
        """Differs after every change of one of them, and after a restart of the server."""
        return f"{self._run}-{sum(self._changes.get(subject, 0) for subject in subjects)}-{len(subjects)}"

    async def wait(self, subjects: Sequence[str], since: str, secs: float) -> str:
        """The state, as soon as it is no longer `since`, after `secs` at the latest."""
        event = asyncio.Event()
        for subject in subjects:
            self._waiting.setdefault(subject, set()).add(event)
        try:
            if self.state(subjects) == since:
                await asyncio.wait_for(event.wait(), secs)
        except TimeoutError:
            pass
        finally:
            for subject in subjects:
                self._leave(subject, event)
        return self.state(subjects)

    def _leave(self, subject: str, event: asyncio.Event) -> None:
        waiting = self._waiting[subject]
        waiting.discard(event)
        if not waiting:
            del self._waiting[subject]

"""Tells agents that wait when something changed in one of their projects (DESIGN §4.5): they then send a heartbeat at once."""

import asyncio
import secrets
from collections.abc import Collection, Sequence


class Waking:
    """A count of changes per project, and who waits for the next one. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._changes: dict[str, int] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def changed(self, project: str) -> None:
        self._changes[project] = self._changes.get(project, 0) + 1
        for event in self._waiting.get(project, ()):
            event.set()

    def state(self, projects: Collection[str]) -> str:
        """Differs after every change in one of the projects, and after a restart of the server."""
        return f"{self._run}-{sum(self._changes.get(project, 0) for project in projects)}-{len(projects)}"

    async def wait(self, projects: Sequence[str], since: str, secs: float) -> str:
        """The state, as soon as it is no longer `since`, after `secs` at the latest."""
        event = asyncio.Event()
        for project in projects:
            self._waiting.setdefault(project, set()).add(event)
        try:
            if self.state(projects) == since:
                await asyncio.wait_for(event.wait(), secs)
        except TimeoutError:
            pass
        finally:
            for project in projects:
                self._waiting[project].discard(event)
        return self.state(projects)

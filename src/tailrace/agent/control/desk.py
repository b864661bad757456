"""Where the agent answers people: the questions of the local socket and what answers each of them."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.control.socket import Answer, serving
from tailrace.agent.identity.keeper import KeyKeeper
from tailrace.agent.jobs.onetime import Runs
from tailrace.agent.status.exporter import exporting
from tailrace.agent.status.overview import Overview, Row, alarm_rows
from tailrace.errors import StateError
from tailrace.wire.proxy import in_force

MAX_FILES: Final = 100_000


class Desk:
    """Stays while sessions come and go."""

    def __init__(self, home: Path, metrics_listen: str = "") -> None:
        self._metrics_listen = metrics_listen
        self.unwell: Callable[[], str] = str
        """What of the worker stands still, or nothing."""
        self.overview = Overview()
        self.keeper: KeyKeeper | None = None
        self.overview.servers = lambda: self.keeper.rows() if self.keeper is not None else []
        self._run = home / "run"
        self._answers: dict[str, Answer] = {
            "summary": lambda _: [self.overview.summary()],
            "files": self._files,
            "pipelines": lambda _: self.overview.pipelines(),
            "targets": lambda _: self.overview.target_rows(),
            "alarms": lambda _: alarm_rows(),
            "servers": lambda _: self.overview.servers(),
            "enrol": self._enrol,
            "proxies": lambda _: [in_force().shown()],
            "metrics": lambda _: [{"text": telemetry.render().decode()}],
        }

    @asynccontextmanager
    async def open(self, runs: Runs, dead_letters: Answer) -> AsyncGenerator[None]:
        """Within it, on the event loop, questions are answered; those about imports by `runs`."""
        answers: dict[str, Answer] = {**self._answers, "import": runs.ask, "dead-letters": dead_letters, "imports": lambda _: runs.rows()}
        async with serving(self._run, answers), exporting(self._metrics_listen, self.unwell):
            yield

    def _files(self, question: Mapping[str, Any]) -> Iterable[Row]:
        limit = min(MAX_FILES, max(1, int(question.get("limit", 1000))))
        return self.overview.files(str(question.get("pattern", "")), limit)

    def _enrol(self, question: Mapping[str, Any]) -> Iterable[Row]:
        """Join a server on behalf of `tailrace agent enroll`: this process alone writes the agent's identity while it runs."""
        if self.keeper is None:
            raise StateError("the agent is still starting", hint="ask again in a moment")
        words = (str(question.get(name, "")) for name in ("server", "token"))
        joined = self.keeper.enrol(*words, new_id=bool(question.get("new_id")))
        return [{"project": joined.project, "logstores": list(joined.logstores), "server": joined.server}]

"""Where the agent answers people: the questions of the local socket and what answers each of them."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.local import Answer, serving
from tailrace.agent.onetime import Runs
from tailrace.agent.overview import Overview, Row, alarm_rows

MAX_FILES: Final = 100_000


class Desk:
    """Stays while sessions come and go."""

    def __init__(self, home: Path) -> None:
        self.overview = Overview()
        self._run = home / "run"
        self._answers: dict[str, Answer] = {
            "summary": lambda _: [self.overview.summary()],
            "files": self._files,
            "pipelines": lambda _: self.overview.pipelines(),
            "targets": lambda _: self.overview.target_rows(),
            "alarms": lambda _: alarm_rows(),
            "metrics": lambda _: [{"text": telemetry.render().decode()}],
        }

    def open(self, runs: Runs) -> AbstractAsyncContextManager[None]:
        """Within it, on the event loop, questions are answered; those about imports by `runs`."""
        return serving(self._run, {**self._answers, "import": runs.ask, "imports": lambda _: runs.rows()})

    def _files(self, question: Mapping[str, Any]) -> Iterable[Row]:
        limit = min(MAX_FILES, max(1, int(question.get("limit", 1000))))
        return self.overview.files(str(question.get("pattern", "")), limit)

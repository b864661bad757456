"""Runs one processor over a few events and shows everything that came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.pipeline.explain import findings

Fields = list[tuple[str, str]]


@dataclass
class Outcome:
    """Events out as (key, value) lists, and what the context was told."""

    pipeline: str = "p"
    events: list[Fields] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    discards: list[tuple[int, str]] = field(default_factory=list)
    plugins: set[str] = field(default_factory=set)
    alarms: list[str] = field(default_factory=list)

    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "PARSE_LOG_FAIL_ALARM") -> None:
        self.plugins.add(plugin)
        self.alarms.append(alarm)
        self.failures.append((count, reason, sample.decode()))

    def discarded(self, plugin: str, count: int, reason: str) -> None:
        self.plugins.add(plugin)
        self.discards.append((count, reason))


Run = Callable[..., Outcome]


@pytest.fixture
def run() -> Run:
    def run_processor(type_name: str, options: dict[str, Any], *events: dict[str, str] | str) -> Outcome:
        entry = registry.get("processor", type_name)
        plugin = entry.cls(entry.config_model.model_validate(options))
        outcome = Outcome()
        plugin.start(outcome)
        rows = [{"content": event} if isinstance(event, str) else event for event in events]
        batch = EventBatch.from_events([(7, [(k.encode(), v.encode()) for k, v in row.items()]) for row in rows])
        plugin.process(batch)
        outcome.events = [[(k.decode(), v.decode()) for k, v in fields] for _, fields in batch.rows()]
        outcome.times = batch.times
        assert outcome.plugins <= {type_name}
        return outcome

    return run_processor


Refusals = Callable[[str, dict[str, Any]], list[str]]


@pytest.fixture
def refusals() -> Refusals:
    """The mistakes of a config as `Key: message (hint)`."""

    def find(type_name: str, options: dict[str, Any]) -> list[str]:
        model = registry.get("processor", type_name).config_model
        with pytest.raises(ValidationError) as caught:
            model.model_validate(options)
        return [
            f"{'.'.join(map(str, path))}: {message}" + (f" ({hint})" if hint else "")
            for path, message, hint in findings(caught.value, model)
        ]

    return find

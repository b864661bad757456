"""Plugins that exist only in these tests, with every kind of option a model can have."""

from typing import Any

import pytest

from tailrace.pipeline import registry
from tailrace.pipeline.config import OptionGroup, PluginConfig, Problem, Secret, option
from tailrace.pipeline.registry import PluginEntry


class Window(OptionGroup):
    first: int = option(0, doc="First.", ge=0)
    last: int = option(9, doc="Last.", le=100)

    def problems(self):
        if self.first > self.last:
            yield Problem("First", f"{self.first} lies after `Last`, which is {self.last}", "swap them")


class SourceConfig(PluginConfig):
    paths: list[str] = option(doc="Where to read.", min_length=1)
    size_kb: int = option(1024, key="SizeKB", doc="How much.", unit="KiB", ge=1, le=4096)
    start_pattern: str = option("", doc="Where a record starts.", regex=True)
    labels: dict[str, str] = option(factory=dict, doc="Labels.")
    window: Window = option(factory=Window, doc="Which part.")
    coping_mode: bool = option(False, doc="Copy.", aliases=("CopyingMode",))
    queue: int = option(1, doc="Queue.", ignored="there is no queue")


class SinkConfig(PluginConfig):
    endpoint: str = option("http://127.0.0.1", doc="Where to.")
    access_key: Secret = option(factory=Secret, doc="The key.")


class Source:
    """A test input."""

    Config = SourceConfig

    def __init__(self, config: SourceConfig) -> None:
        self.config = config

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Paths": ["/a"]}


class Sink(Source):
    Config = SinkConfig

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}


@pytest.fixture(autouse=True)
def trial_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    source = PluginEntry("input", "input_test", Source, SourceConfig, "beta", ("input_probe",), "A test input.")
    sink = PluginEntry("flusher", "flusher_test", Sink, SinkConfig, "deprecated", (), "A test flusher.")
    for entry in (source, sink):
        for name in (entry.type, *entry.aliases):
            monkeypatch.setitem(registry._entries, (entry.kind, name), entry)

"""What a pipeline is: the canonical form of one collection config, checked.

A `PipelineConfig` is made by `tailrace.pipeline.loading`, never by hand, so that whoever holds one holds a valid one.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from tailrace.pipeline import registry
from tailrace.pipeline.config import OptionGroup, PluginConfig, option
from tailrace.pipeline.registry import Kind, PluginEntry

_BATCHED = "batches are bounded in bytes and time by the flusher here"


class GlobalConfig(OptionGroup):
    """The section `global`: what holds for the whole pipeline."""

    not_yet = frozenset(
        {
            "TopicType",
            "TopicFormat",
            "Priority",
            "EnableTimestampNanosecond",
            "UsingOldContentTag",
            "PipelineMetaTagKey",
            "AgentEnvMetaTagKey",
            "InputIntervalMs",
            "InputMaxFirstCollectDelayMs",
            "ExcutionTimeout",
            "ForceRerunWhenUpdate",
        }
    )

    structure_type: str = option(
        "v2", doc="Shape of events inside the agent.", examples=["v1", "v2"], ignored="there is one shape of events here, the column batch"
    )
    max_log_age_secs: int = option(
        300,
        doc="An event whose own time lies further than this before the moment when it could first be read is discarded and counted; 0 "
        "keeps all. What waited because of the agent, and history on purpose, is never too old.",
        unit="seconds",
        ge=0,
        le=3_153_600_000,
    )
    flush_interval_ms: int = option(3000, doc="How often batches are handed to flushers.", unit="ms", ge=1, ignored=_BATCHED)
    aggregat_interval_ms: int = option(
        3000, doc="How often aggregators emit.", unit="ms", ge=1, aliases=("AggregateIntervalMs",), ignored=_BATCHED
    )
    default_log_queue_size: int = option(1000, doc="Length of the queue of events.", unit="events", ge=1, ignored=_BATCHED)
    default_log_group_queue_size: int = option(4, doc="Length of the queue of log groups.", unit="log groups", ge=1, ignored=_BATCHED)


@dataclass(frozen=True, slots=True)
class ConfiguredPlugin:
    """One entry of `inputs`, `processors`, `aggregators` or `flushers`."""

    kind: Kind
    type: str
    """The canonical type name, also when the file uses an alias."""
    config: PluginConfig

    @property
    def entry(self) -> PluginEntry:
        return registry.get(self.kind, self.type)

    def build(self) -> Any:
        """A new instance of the plugin, not started."""
        return self.entry.cls(self.config)

    def document(self) -> dict[str, Any]:
        return {"Type": self.type, **self.config.document()}


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """One collection config. `source` is the file or other origin it was read from, for messages."""

    name: str
    inputs: tuple[ConfiguredPlugin, ...]
    processors: tuple[ConfiguredPlugin, ...]
    aggregators: tuple[ConfiguredPlugin, ...]
    flushers: tuple[ConfiguredPlugin, ...]
    global_options: GlobalConfig = field(default_factory=GlobalConfig)
    enable: bool = True
    source: str = ""
    as_written: dict[str, Any] | None = field(default=None, repr=False)
    """The document before references were resolved; set by `resolve`, so that secrets reach neither the version nor the canonical text."""

    @property
    def plugins(self) -> tuple[ConfiguredPlugin, ...]:
        """All plugins, in the order of the sections."""
        return self.inputs + self.processors + self.aggregators + self.flushers

    def document(self) -> dict[str, Any]:
        """The canonical form as plain data: only keys that were given, in canonical spelling, `${…}` as written."""
        if self.as_written is not None:
            return self.as_written
        document: dict[str, Any] = {"configName": self.name}
        if not self.enable:
            document["enable"] = False
        options = self.global_options.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if options:
            document["global"] = options
        sections = {"inputs": self.inputs, "processors": self.processors, "aggregators": self.aggregators, "flushers": self.flushers}
        document.update({name: [plugin.document() for plugin in plugins] for name, plugins in sections.items() if plugins})
        return document

    def canonical(self) -> str:
        """Canonical JSON with the name in it, keys sorted, lists as written. `loading.from_canonical` reads it back."""
        return _canonical(self.document())

    @property
    def version(self) -> str:
        """SHA-256, in hex, of the canonical JSON without the name: a renamed pipeline keeps its version."""
        document = {key: value for key, value in self.document().items() if key != "configName"}
        return hashlib.sha256(_canonical(document).encode()).hexdigest()


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

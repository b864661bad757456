"""What a pipeline is: the canonical form of one collection config, checked.

A `PipelineConfig` is made by `tailrace.pipeline.loading`, never by hand, so that whoever holds one holds a valid one.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from tailrace.pipeline import registry
from tailrace.pipeline.classic import Classic
from tailrace.pipeline.config import OptionGroup, PluginConfig, Problem, option
from tailrace.pipeline.explain import near
from tailrace.pipeline.registry import Kind, PluginEntry

_BATCHED = "batches are bounded in bytes and time by the flusher here"
_NO_POLLING = "no input here is called at intervals; those that poll have an interval of their own"

META_TAGS: Final[dict[str, tuple[str, bool]]] = {
    "HOST_NAME": ("__hostname__", True),
    "AGENT_TAG": ("__user_defined_id__", True),
    "HOST_IP": ("__host_ip__", False),
    "HOST_ID": ("__host_id__", False),
}
"""What tells of the machine: public name → its tag, and whether that is there without being asked for."""

TopicType: TypeAlias = Literal["none", "default", "filepath", "machine_group_topic", "custom"]


class GlobalConfig(OptionGroup):
    """The section `global`: what holds for the whole pipeline."""

    topic_type: TopicType = option(
        "none",
        doc="Where the topic comes from: `none`; `default`, the path of the file; `filepath`, what the pattern `TopicFormat` finds in the "
        "path; `machine_group_topic`, the topic of the machine group; `custom`, the text `TopicFormat`.",
    )
    topic_format: str = option(
        "",
        doc="With `filepath` a pattern that must match the whole path: one group without a name is the topic, several groups or groups "
        "with names become tags. With `custom` or `machine_group_topic` the topic itself; `customized://` before it is taken off.",
        examples=["/data/logs/(.*)/app/.*", "customized://payments"],
    )
    pipeline_meta_tag_key: dict[str, str] = option(
        factory=dict,
        doc="Names of the tags that tell of the machine: `HOST_NAME` (`__hostname__`), `AGENT_TAG` (`__user_defined_id__`), and, only when "
        "asked for, `HOST_IP` (`__host_ip__`) and `HOST_ID` (`__host_id__`). `__default__` is that name, an empty text leaves the tag out.",
        examples=[{"HOST_NAME": "host", "HOST_IP": "__default__"}],
    )
    agent_env_meta_tag_key: dict[str, str] | None = option(
        None,
        doc="Which variables of the agent's environment become tags, and under which names. Only those that `ALIYUN_LOG_ENV_TAGS` lists "
        "(separated by `|`) can; without this key all of them do, under their own names.",
        examples=[{"POD_ZONE": "zone"}],
    )
    enable_timestamp_nanosecond: bool = option(
        False, doc="Whether the part of an event's time below a second is sent, too (`__time_ns_part__`)."
    )
    using_old_content_tag: bool = option(
        False, doc="Whether tags are fields of each event, named `__tag__:NAME`, instead of standing once with its log group."
    )
    priority: int = option(
        0,
        doc="Whose events are sent first where the agent's bandwidth, or the rate of a target that pipelines share, does not do for all: "
        "1 before 2, 2 before 3; 0 is none and counts as 3. Each class has three times the share of the next one, so that none starves.",
        ge=0,
        le=3,
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
    input_interval_ms: int = option(1000, doc="How often an input is asked for events.", unit="ms", ge=1, ignored=_NO_POLLING)
    input_max_first_collect_delay_ms: int = option(
        10_000, doc="Longest delay of an input's first run.", unit="ms", ge=0, ignored=_NO_POLLING
    )
    excution_timeout: int = option(
        0,
        doc="How long a run of a one-time pipeline (`input_static_file_onetime`) may take; then it is ended with an alarm. 0 is no limit.",
        unit="seconds",
        ge=0,
        le=604_800,
        aliases=("ExecutionTimeout",),
    )
    force_rerun_when_update: bool = option(
        False, doc="Whether a one-time pipeline runs once more when anything of it changes; else only when its inputs do."
    )
    earliest_time: int = option(
        0, doc="Events whose time lies before this are discarded and counted; 0 keeps all.", unit="seconds since 1970", ge=0
    )

    def problems(self) -> Iterator[Problem]:
        for name in self.pipeline_meta_tag_key:
            if name not in META_TAGS:
                yield Problem(f"PipelineMetaTagKey.{name}", "nothing of that name is known here", near(name, META_TAGS, "names"))
        if self.topic_type == "custom" and not self.topic_format:
            yield Problem("TopicFormat", "is missing", "`TopicType: custom` needs the topic")
        if self.topic_type in ("none", "default") and self.topic_format:
            yield Problem("TopicFormat", f"has no meaning with `TopicType: {self.topic_type}`", "remove it, or choose another `TopicType`")
        if self.topic_type == "filepath" and self.topic_format:
            yield from _topic_problems(self.topic_format)


def _topic_problems(text: str) -> Iterator[Problem]:
    from tailrace.batch import Pattern, PatternError  # noqa: PLC0415 - models without patterns need no engine

    try:
        pattern = Pattern(text)
    except PatternError as error:
        yield Problem("TopicFormat", f"{error}, in `{text}`", "docs/reference/patterns.md lists what a pattern may hold")
        return
    if not pattern.groups:
        yield Problem("TopicFormat", f"`{text}` has no group", "put the part of the path that is the topic into `(…)`")


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
    classic: Classic | None = field(default=None, repr=False)
    """The classic config that it was translated from."""
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

"""Add what the cloud says of the machine: its instance id, region, zone, tags and so on, as fields or inside a field of JSON.

On an ECS instance its metadata service is asked, at most every 30 s, and events wait for it only once, for 3 s at most. On any other
machine nothing is added. Events that are sent again after a crash get what they got the first time.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from tailrace import telemetry
from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.explain import near
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.cloud_meta.members import with_members
from tailrace.processors.cloud_meta.service import MADE_UP, PATHS, TAGS, Facts, Service

NAMES: Final = (*PATHS, TAGS)
SERVICE: Final = Service()
"""Of all pipelines."""


class CloudMetaConfig(PluginConfig):
    metadata: list[str] = option(
        doc=f"What is added, each under its own name: {', '.join(f'`{name}`' for name in NAMES)}. Of the last each tag of the instance "
        "makes a field of its own, with `_` and the tag's key behind the name.",
        min_length=1,
        examples=[["__cloud_instance_id__", "__cloud_zone__"]],
    )
    rename_metadata: dict[str, str] = option(
        factory=dict, doc="Name → the name under which it is added instead.", examples=[{"__cloud_zone__": "zone"}]
    )
    platform: Literal["auto", "alibaba_cloud_ecs", "mock"] = option(
        "auto",
        doc="Whom to ask: `auto` and `alibaba_cloud_ecs` ask the metadata service of ECS; `mock` asks nobody and makes values up, for "
        "trying out a config.",
    )
    json_path: str = option(
        "",
        key="JSONPath",
        doc="A field of JSON and the names on the way to an object in it, joined by `.`: what is added goes into that object. The field, "
        "and objects on the way, are made where they are missing. Empty adds fields to the event.",
        examples=["content.machine"],
    )
    read_once: bool = option(False, doc="Ask once, when the pipeline starts to work, and keep to that.")

    def problems(self) -> Iterator[Problem]:
        for key, names in (("Metadata", self.metadata), ("RenameMetadata", self.rename_metadata)):
            for name in names:
                if name not in NAMES:
                    yield Problem(key, f"`{name}` is not known", near(name, NAMES, "names"))
        if self.json_path and not all(self.json_path.split(".")):
            yield Problem("JSONPath", f"`{self.json_path}` has an empty name", "write it as `field` or `field.name.name`")


@processor("processor_cloud_meta")
class CloudMeta(BatchProcessor[CloudMetaConfig]):
    Config = CloudMetaConfig

    def __init__(self, config: CloudMetaConfig) -> None:
        super().__init__(config)
        field, *self.path = config.json_path.strip().split(".")
        self.field = field.encode()
        self.known: Facts | None = None
        self.told = ""

    def process(self, batch: EventBatch) -> None:
        self._put(batch, self._added())

    def decide(self, batch: EventBatch) -> bytes:
        added = self._added()
        self._put(batch, added)
        return json.dumps(added, ensure_ascii=False, separators=(",", ":")).encode()

    def repeat(self, batch: EventBatch, decision: bytes) -> None:
        self._put(batch, json.loads(decision))

    def _added(self) -> dict[str, str]:
        """Names and values as the events get them."""
        facts = self._facts()
        names = self.config.rename_metadata
        added = {names.get(name, name): facts[name] for name in self.config.metadata if name in facts}
        if TAGS in self.config.metadata:
            prefix = f"{TAGS}_"
            tags = {name.removeprefix(prefix): value for name, value in facts.items() if name.startswith(prefix)}
            added |= {f"{names.get(TAGS, TAGS)}_{key}": value for key, value in tags.items()}
        return added

    def _facts(self) -> Facts:
        if self.config.platform == "mock":
            return MADE_UP
        if self.known is not None:
            return self.known
        facts = SERVICE.facts(fresh=not self.config.read_once)
        if self.config.read_once and facts:
            self.known = facts
        if self.config.platform != "auto":
            self._tell("" if facts else SERVICE.trouble)
        return facts

    def _tell(self, trouble: str) -> None:
        """That there is no such cloud here, once."""
        if trouble and trouble != self.told:
            message = "the metadata service of ECS does not answer; nothing is added"
            telemetry.alarm("CLOUD_META_ALARM", message, pipeline=self.context.pipeline, reason=trouble)
        self.told = trouble

    def _put(self, batch: EventBatch, added: Mapping[str, str]) -> None:
        if not added:
            return
        if self.field:
            self._put_into_json(batch, added)
            return
        for name, value in added.items():
            batch.add(name.encode(), value.encode())

    def _put_into_json(self, batch: EventBatch, added: Mapping[str, str]) -> None:
        column = batch.column(self.field)
        made = [self._with(value or b"{}", added) for value in column]
        batch.set_column(self.field, [old if new is None else new for old, new in zip(column, made, strict=True)])
        self.report_values(_failed(column, made), f"at `{self.config.json_path}` there is no JSON object")

    def _with(self, value: bytes, added: Mapping[str, str]) -> bytes | None:
        text = with_members(value.decode("utf-8", "surrogateescape"), self.path, added)
        return None if text is None else text.encode("utf-8", "surrogateescape")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Metadata": ["__cloud_instance_id__", "__cloud_zone__"]}

    @classmethod
    def example(cls) -> Example:
        config = {
            "Platform": "mock",
            "Metadata": ["__cloud_instance_id__", "__cloud_instance_tags__"],
            "RenameMetadata": {"__cloud_instance_id__": "id", "__cloud_instance_tags__": "tag"},
            "JSONPath": "content.machine",
        }
        return Example([config], '{"level": "INFO"}\n{"machine": {"disk": 1.50}}\nno JSON\n')


def _failed(column: Sequence[bytes | None], made: Sequence[bytes | None]) -> list[bytes]:
    return [old or b"" for old, new in zip(column, made, strict=True) if new is None]

"""Give fields other names. A field that already has the new name is overwritten."""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.explain import counted
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class RenameConfig(PluginConfig):
    source_keys: list[str] = option(doc="The fields to rename.", min_length=1, examples=[["aaa1", "aaa2"]])
    dest_keys: list[str] = option(doc="Their new names, in the same order.", min_length=1, examples=[["bbb1", "bbb2"]])
    no_key_error: bool = option(False, doc="Count events that lack one of the fields as failed; they stay as they are.")

    def problems(self) -> Iterator[Problem]:
        sources, names = len(self.source_keys), len(self.dest_keys)
        if sources != names:
            yield Problem(
                "DestKeys", f"{counted(names, 'name')} for {counted(sources, 'field')} of `SourceKeys`", "give one name per field"
            )


@processor("processor_rename")
class Rename(BatchProcessor[RenameConfig]):
    Config = RenameConfig

    def __init__(self, config: RenameConfig) -> None:
        super().__init__(config)
        self.pairs = [(old.encode(), new.encode()) for old, new in zip(config.source_keys, config.dest_keys, strict=True)]

    def process(self, batch: EventBatch) -> None:
        for old, new in self.pairs:
            missing = len(batch) - batch.rename(old, new)
            if missing and self.config.no_key_error:
                self.context.failed(self.type_name, missing, f"has no field `{old.decode()}`")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKeys": ["content"], "DestKeys": ["message"]}

    @classmethod
    def example(cls) -> Example:
        return Example(
            [{"Type": "processor_parse_json_native"}, {"SourceKeys": ["lvl"], "DestKeys": ["level"]}],
            '{"lvl": "info", "id": 1}\n{"id": 2}\n',
        )

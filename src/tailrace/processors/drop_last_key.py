"""Remove a raw field from the events in which it was parsed: those that have one of the fields that parsing makes."""

from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.presence import any_present


class DropLastKeyConfig(PluginConfig):
    include: list[str] = option(doc="The fields of which one at least shows that parsing succeeded.", min_length=1, examples=[["level"]])
    drop_key: str = option(doc="The field that is removed then.", min_length=1, examples=["content"])


@processor("processor_drop_last_key")
class DropLastKey(BatchProcessor[DropLastKeyConfig]):
    Config = DropLastKeyConfig

    def __init__(self, config: DropLastKeyConfig) -> None:
        super().__init__(config)
        self.include = [key.encode() for key in config.include]
        self.drop_key = config.drop_key.encode()

    def process(self, batch: EventBatch) -> None:
        parsed = any_present(batch, self.include)
        if all(parsed):
            batch.drop([self.drop_key])
        elif any(parsed):
            column = batch.column(self.drop_key)
            batch.set_column(self.drop_key, [None if done else value for done, value in zip(parsed, column, strict=True)])

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Include": ["level"], "DropKey": "content"}

    @classmethod
    def example(cls) -> Example:
        parse = {
            "Type": "processor_parse_regex_native",
            "Regex": r"(\S+): (.*)",
            "Keys": ["level", "message"],
            "KeepingSourceWhenParseSucceed": True,
            "KeepingSourceWhenParseFail": True,
        }
        return Example([parse, cls.sample()], "INFO: started\nno level here\n")

"""Turn a field that holds one JSON object into fields, those of nested objects too: their names are joined by a connector.

As in the ecosystem, a name begins with the connector unless `IgnoreFirstConnector` is on: `{"a": {"b": 1}}` gives `_a_b`. Empty objects and
arrays are values. Of equal names the last wins.
"""

from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig


class ExpandJsonConfig(SourceConfig):
    expand_depth: int = option(0, doc="Nested objects this deep stay JSON text, 1 being the top level; 0 expands all.", unit="levels", ge=0)
    expand_connector: str = option("_", doc="What stands between the names of the levels; may be empty.")
    prefix: str = option("", doc="What every name begins with.", examples=["app"])
    use_source_key_as_prefix: bool = option(False, doc="Put the field's own name in front of every name, behind `Prefix`.")
    ignore_first_connector: bool = option(False, doc="Leave out the connector in front of the top-level names.")
    expand_array: bool = option(False, doc="Expand arrays too: `name[0]`, `name[1]`. Arrays directly inside an array stay JSON text.")
    keep_source: bool = option(True, doc="Keep the field when it was parsed.")
    keep_source_if_parse_error: bool = option(True, doc="Keep the field when it is not a JSON object; `KeepSource` keeps it too.")
    no_key_error: bool = option(True, doc="Count events without the field as failed; they stay as they are.")


@processor("processor_json")
class ExpandJson(BatchProcessor[ExpandJsonConfig]):
    Config = ExpandJsonConfig

    def __init__(self, config: ExpandJsonConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        source = config.source_key if config.use_source_key_as_prefix else ""
        connector = "" if config.ignore_first_connector else config.expand_connector
        self.root = f"{config.prefix}{source}{connector}".encode()
        self.connector = config.expand_connector.encode()

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        failures = batch.expand_json(
            self.source,
            root=self.root,
            connector=self.connector,
            depth=config.expand_depth,
            arrays=config.expand_array,
            keep_on_success=config.keep_source,
            keep_on_fail=config.keep_source or config.keep_source_if_parse_error,
        )
        self.report(failures, f"`{config.source_key}` is not a JSON object")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        config = {"ExpandConnector": ".", "IgnoreFirstConnector": True, "ExpandArray": True, "KeepSource": False}
        nested = '{"level": "info", "user": {"id": 7, "roles": ["dev", "ops"]}, "took": 1.50}'
        return Example([config], f'{nested}\n["no", "object"]\n')

"""Append a text to a field, or make the field: `{{__ip__}}`, `{{__host__}}` and `{{$NAME}}` in it are filled in by the agent."""

import os
import re
import socket
from collections.abc import Iterator
from typing import Any, Final

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.contract import ProcessorContext
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

_VARIABLE: Final = re.compile(r"\{\{([^{}]+)\}\}")
IP: Final = "__ip__"
HOST: Final = "__host__"
LABELS_APART: Final = b"|"
NAME_APART: Final = b"#$#"


class AppenderConfig(PluginConfig):
    key: str = option(doc="The field that the text is appended to.", min_length=1, examples=["__labels__"])
    value: str = option(
        doc="The text. `{{__ip__}}` is the agent's address, `{{__host__}}` its host name, `{{$NAME}}` its environment variable NAME, empty "
        "when it is not set; `config_variables` in `HOME/agent.yaml` says which may be used.",
        min_length=1,
        examples=["|host#$#{{__host__}}|ip#$#{{__ip__}}|pod#$#{{$POD_NAME}}"],
    )
    sort_labels: bool = option(
        False, doc="Sort the labels of the field, `name#$#value` joined by `|`, by name afterwards; what is no label is left out."
    )

    def problems(self) -> Iterator[Problem]:
        for name in _VARIABLE.findall(self.value):
            if name not in (IP, HOST) and not name.startswith("$"):
                yield Problem("Value", f"`{{{{{name}}}}}` is unknown", "known are `{{__ip__}}`, `{{__host__}}` and `{{$NAME}}`")

    def variables(self) -> list[str]:
        return [name[1:] for name in _VARIABLE.findall(self.value) if name.startswith("$")]


@processor("processor_appender")
class Appender(BatchProcessor[AppenderConfig]):
    Config = AppenderConfig

    def __init__(self, config: AppenderConfig) -> None:
        super().__init__(config)
        self.key = config.key.encode()

    def start(self, context: ProcessorContext) -> None:
        super().start(context)
        self.host = socket.gethostname()

    def process(self, batch: EventBatch) -> None:
        text = _VARIABLE.sub(lambda match: self._filled_in(match[1], batch), self.config.value).encode("utf-8", "surrogateescape")
        values = [(value or b"") + text for value in batch.column(self.key)]
        batch.set_column(self.key, list(map(sorted_labels, values)) if self.config.sort_labels else values)

    def _filled_in(self, name: str, batch: EventBatch) -> str:
        if name == IP:
            return batch.source.decode("utf-8", "surrogateescape")
        return self.host if name == HOST else os.environ.get(name[1:], "")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Key": "__labels__", "Value": "host#$#{{__host__}}"}

    @classmethod
    def example(cls) -> Example:
        config = {"Key": "__labels__", "Value": "|stage#$#prod|app#$#shop{{$NO_SUCH_VARIABLE}}", "SortLabels": True}
        return Example([{"Type": "processor_parse_json_native"}, config], '{"up": "1", "__labels__": "job#$#node"}\n{"up": "0"}\n')


def sorted_labels(value: bytes) -> bytes:
    """The labels of `value` by name; a value without labels as it is."""
    pairs = [label.split(NAME_APART, 1) for label in value.split(LABELS_APART)]
    labels = sorted(pair for pair in pairs if len(pair) == 2)
    return LABELS_APART.join(map(NAME_APART.join, labels)) if labels else value

"""Translate the values of a field by a dictionary, which stands in the config or in a CSV file on the agent's machine.

A value that the dictionary does not have changes nothing. The file has two columns, without a header; it is read when the pipeline starts.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.contract import ProcessorContext
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class DictMapConfig(PluginConfig):
    source_key: str = option(doc="The field whose values are looked up.", min_length=1)
    dest_key: str = option("", doc="The field that gets the translation; empty writes the field itself anew.")
    map_dict: dict[str, str] = option(factory=dict, doc="Value → translation.", examples=[{"127.0.0.1": "LocalHost"}])
    dict_file_path: str = option(
        "", doc="Path of the CSV file, instead of `MapDict`.", file="read", examples=["/etc/tailrace/files/hosts.csv"]
    )
    handle_missing: bool = option(False, doc="Give events without the field the text of `Missing`.")
    missing: str = option("Unknown", doc="What `HandleMissing` puts.")
    mode: Literal["overwrite", "fill"] = option(
        "overwrite", doc="What becomes of a `DestKey` that the event has already: `overwrite` puts the translation, `fill` leaves it."
    )
    max_dict_size: int = option(1000, doc="Most entries that the dictionary may have.", unit="entries", ge=1)

    def problems(self) -> Iterator[Problem]:
        if not (self.map_dict or self.dict_file_path):
            yield Problem("MapDict", "is missing", "give `MapDict` or `DictFilePath`")
        elif self.map_dict and self.dict_file_path:
            yield Problem("DictFilePath", "cannot stand beside `MapDict`", "keep one of them")
        if len(self.map_dict) > self.max_dict_size:
            yield Problem("MapDict", f"has {len(self.map_dict)} entries, `MaxDictSize` is {self.max_dict_size}")


@processor("processor_dict_map")
class DictMap(BatchProcessor[DictMapConfig]):
    Config = DictMapConfig

    def __init__(self, config: DictMapConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.target = config.dest_key.encode() or self.source
        self.missing = config.missing.encode() if config.handle_missing else None

    def start(self, context: ProcessorContext) -> None:
        super().start(context)
        config = self.config
        entries = read_entries(Path(config.dict_file_path), config.max_dict_size) if config.dict_file_path else config.map_dict
        self.entries = {value.encode(): translation.encode() for value, translation in entries.items()}

    def process(self, batch: EventBatch) -> None:
        column = batch.column(self.source)
        translated = [self.missing if value is None else self.entries.get(value) for value in column]
        old = column if self.target == self.source else batch.column(self.target)
        fills = self.config.mode == "fill" and self.target != self.source
        batch.set_column(
            self.target,
            [before if new is None or (fills and before is not None) else new for new, before in zip(translated, old, strict=True)],
        )

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "ip", "MapDict": {"127.0.0.1": "LocalHost"}}

    @classmethod
    def example(cls) -> Example:
        config = {"SourceKey": "code", "DestKey": "meaning", "MapDict": {"0": "fine", "1": "failed"}, "HandleMissing": True}
        return Example([{"Type": "processor_parse_json_native"}, config], '{"code": "1"}\n{"code": "7"}\n{"id": "3"}\n')


def read_entries(path: Path, limit: int) -> dict[str, str]:
    """The dictionary of a CSV file. Raises ConfigError: it cannot be read, a row has not two columns, a value has two translations."""
    entries: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if len(row) != 2:
                    raise ConfigError(f"row {number} of `{path}` has {len(row)} columns", hint="a dictionary has two: value, translation")
                if entries.setdefault(row[0], row[1]) != row[1]:
                    raise ConfigError(f"row {number} of `{path}` translates a value a second time, as something else")
                if len(entries) > limit:
                    raise ConfigError(f"`{path}` has more than {limit} entries", hint="raise `MaxDictSize`")
    except OSError as error:
        raise ConfigError(f"cannot read the dictionary `{path}`: {(error.strerror or str(error)).lower()}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"the dictionary `{path}` is not CSV in UTF-8: {error}") from error
    if not entries:
        raise ConfigError(f"the dictionary `{path}` is empty")
    return entries

"""Cut parts out of a field: what stands between two fixed texts, the anchors, becomes a field, or several where it is JSON.

Only the field's first `Start`, and the first `Stop` after it, count. An anchor that is not found gives nothing; the other anchors still do.
An event in which none is found keeps the field.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from tailrace.batch import EventBatch
from tailrace.pipeline.config import OptionGroup, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, separator_bytes

Column: TypeAlias = Sequence[bytes | None]


class Anchor(OptionGroup):
    """One part to cut out."""

    start: str = option("", doc="The part begins behind this text; empty is the beginning of the field.", examples=["time:"])
    stop: str = option("", doc="The part ends before this text; empty is the end of the field.", examples=["\\t"])
    field_name: str = option(doc="The part's field; for JSON what the names of its fields begin with.", min_length=1, examples=["time"])
    field_type: Literal["string", "json"] = option("string", doc="What the part is: `json` is a JSON object, whose members become fields.")
    expond_json: bool = option(
        False,
        doc="With `FieldType: json`: the members of nested objects become fields too.",
        aliases=("ExpondJSON", "ExpandJson", "ExpandJSON"),
    )
    expond_connecter: str = option(
        "_",
        doc="What stands between `FieldName` and the names of the members.",
        aliases=("ExpandConnecter", "ExpandConnector", "ExpondConnector"),
    )
    max_expond_depth: int = option(
        0,
        doc="Nested objects this deep stay JSON text, 1 being the top level; 0 expands all.",
        unit="levels",
        ge=0,
        aliases=("MaxExpandDepth",),
    )
    ignore_json_error: bool = option(
        False, doc="Do not count events as failed whose part is not a JSON object; the part stays under `FieldName`.", key="IgnoreJSONError"
    )

    def depth(self) -> int:
        """Of `EventBatch.expand_json`."""
        return self.max_expond_depth if self.expond_json else 1


class AnchorConfig(SourceConfig):
    anchors: list[Anchor] = option(doc="The parts to cut out.", min_length=1)
    keep_source: bool = option(False, doc="Keep the field also where an anchor was found.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    no_anchor_error: bool = option(False, doc="Count events as failed in which a `Start` or `Stop` is not found.")

    def problems(self) -> Iterator[Problem]:
        for index, anchor in enumerate(self.anchors):
            if anchor.field_type == "string" and anchor.expond_json:
                yield Problem(f"Anchors.{index}.ExpondJson", "has no effect on a string", "add `FieldType: json`")


@processor("processor_anchor")
class Anchors(BatchProcessor[AnchorConfig]):
    Config = AnchorConfig
    alarm = missing_alarm = "ANCHOR_FIND_ALARM"

    def __init__(self, config: AnchorConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()

    def process(self, batch: EventBatch) -> None:
        values = batch.column(self.source)
        if self.config.no_key_error:
            self.report_missing(values, self.config.source_key)
        parts = [_between_all(values, anchor) for anchor in self.config.anchors]
        if not self.config.keep_source:
            found = [any(part is not None for part in row) for row in zip(*parts, strict=True)]
            batch.set_column(self.source, [None if is_found else value for value, is_found in zip(values, found, strict=True)])
        for anchor, column in zip(self.config.anchors, parts, strict=True):
            if self.config.no_anchor_error:
                lacking = [value for value, part in zip(values, column, strict=True) if part is None and value is not None]
                self.report_values(lacking, f"`{self.config.source_key}` lacks an anchor of `{anchor.field_name}`")
            self._put(batch, column, anchor)

    def _put(self, batch: EventBatch, parts: Column, anchor: Anchor) -> None:
        name, connector = anchor.field_name.encode(), anchor.expond_connecter.encode()
        batch.set_column(name, [old if part is None else part for part, old in zip(parts, batch.column(name), strict=True)])
        if anchor.field_type == "json":
            failures = batch.expand_json(name, root=name + connector, connector=connector, depth=anchor.depth())
            if not anchor.ignore_json_error:
                self.report(failures, f"`{anchor.field_name}` is not a JSON object", alarm="ANCHOR_JSON_ALARM")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Anchors": [{"Start": "time:", "Stop": " ", "FieldName": "time"}]}

    @classmethod
    def example(cls) -> Example:
        time = {"Start": "time:", "Stop": " ", "FieldName": "time"}
        body = {"Start": "body:", "FieldName": "body", "FieldType": "json", "ExpondJson": True, "ExpondConnecter": "."}
        lines = 'time:12:00:01 body:{"user": {"id": 7}, "ok": true}\ntime:12:00:02 body:none\n'
        return Example([{"Anchors": [time, body], "NoAnchorError": True}], lines)


def _between_all(values: Column, anchor: Anchor) -> Column:
    start, stop = separator_bytes(anchor.start), separator_bytes(anchor.stop)
    return [None if value is None else _between(value, start, stop) for value in values]


def _between(value: bytes, start: bytes, stop: bytes) -> bytes | None:
    """None where an anchor is missing."""
    begin = value.find(start)
    if begin < 0:
        return None
    begin += len(start)
    end = value.find(stop, begin) if stop else len(value)
    return None if end < 0 else value[begin:end]

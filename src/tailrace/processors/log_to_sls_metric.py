"""Turn events into points of time series as a metric store takes them: `__name__`, `__value__`, `__labels__` and `__time_nano__`.

One event gives one point for each entry of `MetricValues`. Labels are `key#$#value`, sorted by key and joined by `|`. An event that lacks a
field, or whose values cannot be points, gives none: it is dropped, and counted.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, TypeAlias

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NAME: Final = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NUMBER: Final = re.compile(rb"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)
_TIME: Final = re.compile(rb"[0-9]{10}(?:[0-9]{3}){0,3}")
_LABELS: Final = b"__labels__"

Row: TypeAlias = Sequence[bytes | None]


class LogToSlsMetricConfig(PluginConfig):
    metric_time_key: str = option(
        "",
        doc="The field with the point's Unix time, in seconds, ms, µs or ns by its 10, 13, 16 or 19 digits; empty takes the event's time.",
    )
    metric_label_keys: list[str] = option(
        factory=list, doc="The fields that become labels. A field `__labels__` is added to them.", examples=[["host", "method"]]
    )
    metric_values: dict[str, str] = option(
        doc="Field that holds a point's name → field that holds its value.", min_length=1, examples=[{"metric": "took"}]
    )
    custom_metric_labels: dict[str, str] = option(factory=dict, doc="Further labels, with fixed values.", examples=[{"stage": "prod"}])
    ignore_error: bool = option(False, doc="Count events that give no point as discarded instead of failed.")

    def problems(self) -> Iterator[Problem]:
        if not self.metric_label_keys and not self.custom_metric_labels:
            yield Problem("MetricLabelKeys", "is missing", "a point needs a label: name a field, or add `CustomMetricLabels`")
        for option_key, labels in (("MetricLabelKeys", self.metric_label_keys), ("CustomMetricLabels", self.custom_metric_labels)):
            for label in labels:
                if not _LABEL.fullmatch(label):
                    yield Problem(option_key, f"`{label}` is no name of a label", "use letters, digits and `_`, no digit first")
        for label, value in self.custom_metric_labels.items():
            if not _is_label_value(value.encode()):
                yield Problem("CustomMetricLabels", f"the value of `{label}` holds `|` or `#$#`")
        seen = {_LABELS.decode()}
        named = [*self.metric_label_keys, *self.custom_metric_labels, *self.metric_values, *self.metric_values.values()]
        for name in [*named, *filter(None, [self.metric_time_key])]:
            if name in seen:
                yield Problem("MetricValues", f"`{name}` is named twice", "a field can be only one of label, name, value and time")
            seen.add(name)


@processor("processor_log_to_sls_metric")
class LogToSlsMetric(BatchProcessor[LogToSlsMetricConfig]):
    Config = LogToSlsMetricConfig

    def __init__(self, config: LogToSlsMetricConfig) -> None:
        super().__init__(config)
        self.label_keys = [key.encode() for key in config.metric_label_keys]
        self.custom = {key.encode(): value.encode() for key, value in config.custom_metric_labels.items()}
        self.values = [(name.encode(), value.encode()) for name, value in config.metric_values.items()]

    def process(self, batch: EventBatch) -> None:
        labels = [self._labels(row, joined) for row, joined in zip(_rows(batch, self.label_keys), batch.column(_LABELS), strict=True)]
        times = self._times(batch)
        points = [(_rows(batch, [name]), _rows(batch, [value])) for name, value in self.values]
        pairs = [[(name[0], value[0]) for name, value in row] for row in zip(*(zip(*pair, strict=True) for pair in points), strict=True)]
        kept = list(map(_is_complete, labels, times, pairs))
        self._count(batch, kept)
        made = [(labels[row], times[row], name, value) for row, keep in enumerate(kept) if keep for name, value in pairs[row]]
        batch.repeat([len(self.values) if keep else 0 for keep in kept])
        batch.drop(batch.keys)
        for key, column in zip((_LABELS, b"__time_nano__", b"__name__", b"__value__"), zip(*made, strict=True), strict=False):
            batch.set_column(key, column)

    def _labels(self, values: Row, joined: bytes | None) -> bytes | None:
        """None where a label is missing, wrong, or given twice."""
        labels: dict[bytes, bytes] = dict(self.custom)
        given: list[tuple[bytes, bytes | None]] = list(zip(self.label_keys, values, strict=True))
        for label in joined.split(b"|") if joined else ():
            key, mark, value = label.partition(b"#$#")
            given.append((key, value if mark else None))
        for key, value in given:
            if value is None or key in labels or not _is_label_value(value) or not _LABEL.fullmatch(key.decode("latin-1")):
                return None
            labels[key] = value
        return _joined(labels)

    def _times(self, batch: EventBatch) -> list[bytes | None]:
        if not self.config.metric_time_key:
            return [b"%d" % time for time in batch.times]
        column = batch.column(self.config.metric_time_key.encode())
        return [value.ljust(19, b"0") if value is not None and _TIME.fullmatch(value) else None for value in column]

    def _count(self, batch: EventBatch, kept: Sequence[bool]) -> None:
        count, reason = kept.count(False), "gives no point: a field is missing, or a name, value, label or time is not what it should be"
        if count and self.config.ignore_error:
            self.context.discarded(self.type_name, count, reason)
        elif count:
            sample = batch.rows()[kept.index(False)][1]
            self.context.failed(self.type_name, count, reason, b" ".join(b"%s=%s" % field for field in sample)[:1024])

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"MetricLabelKeys": ["host"], "MetricValues": {"metric": "value"}}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_delimiter_native", "Separator": ",", "Keys": ["time", "host", "metric", "took"]}
        config = {
            "MetricTimeKey": "time",
            "MetricLabelKeys": ["host"],
            "MetricValues": {"metric": "took"},
            "CustomMetricLabels": {"stage": "prod"},
        }
        return Example([parse, config], "1780286400,web-1,request_seconds,0.25\n1780286401123,web-2,request_seconds,slow\n")


def _rows(batch: EventBatch, keys: Sequence[bytes]) -> Sequence[Row]:
    """The values of these fields, row by row."""
    return list(zip(*map(batch.column, keys), strict=True)) if keys else list(repeat((), len(batch)))


def _is_complete(labels: bytes | None, time: bytes | None, points: Sequence[tuple[bytes | None, bytes | None]]) -> bool:
    names_and_values = all(name and value and _NAME.fullmatch(name) and _NUMBER.fullmatch(value) for name, value in points)
    return labels is not None and time is not None and names_and_values


def _is_label_value(value: bytes) -> bool:
    return b"|" not in value and b"#$#" not in value


def _joined(labels: Mapping[bytes, bytes]) -> bytes:
    return b"|".join(b"%s#$#%s" % (key, labels[key]) for key in sorted(labels))

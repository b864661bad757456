"""What aggregators share: bringing rows together, cutting groups to size, and counting events that lack a key.

Groups come in an order that the batch alone decides, so that a range that is sent again gives the same ones.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Final, Generic, TypeVar

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.contract import Group, ProcessorContext

MAX_EVENTS: Final = 1024
"""Events of one log group, unless a config says otherwise (the format's own bound)."""
HELD_BACK: Final = "every range is sent at once; nothing is held back until so many groups are there"

ConfigT = TypeVar("ConfigT", bound=PluginConfig)
Value = TypeVar("Value", bound=Hashable)


class BatchAggregator(Generic[ConfigT]):
    """Subclasses add `group(batch)`. An instance serves one lane, so it needs no lock."""

    type_name: ClassVar[str]
    """Set by the decorator that registers the class."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def start(self, context: ProcessorContext) -> None:
        self.context = context

    def columns(self, batch: EventBatch, keys: Sequence[str], *, report_missing: bool) -> list[list[bytes]]:
        """The columns of some fields, empty where an event lacks one; such events can be counted as failed, and go on all the same."""
        columns = [batch.column(key.encode()) for key in keys]
        for key, column in zip(keys, columns, strict=True):
            missing = column.count(None)
            if missing and report_missing:
                self.context.failed(self.type_name, missing, f"has no field `{key}`", alarm="AGGREGATOR_ADD_ALARM")
        return [[value or b"" for value in column] for column in columns]


class PackingConfig(PluginConfig):
    """The keys of aggregators that group by content."""

    topic: str = option("", doc="Topic of the log groups; empty leaves the topic that the events have.")
    err_if_key_not_found: bool = option(
        False, doc="Count events without one of the fields as failed; they are grouped as if it were empty, either way."
    )
    enable_pack_id: bool = option(True, key="EnablePackID", doc="Put the tag `__pack_id__` on the log groups; context queries need it.")


def brought_together(batch: EventBatch, values: Sequence[Value]) -> list[tuple[Value, Group]]:
    """Rows of equal values side by side, in their order; each value with its rows, in the order in which the values first appear."""
    places: dict[Value, list[int]] = {}
    for row, value in enumerate(values):
        places.setdefault(value, []).append(row)
    if len(places) > 1:
        batch.reorder([row for rows in places.values() for row in rows])
    found: list[tuple[Value, Group]] = []
    first = 0
    for value, rows in places.items():
        found.append((value, Group(first, len(rows))))
        first += len(rows)
    return found


def cut(group: Group, most: int) -> Iterator[Group]:
    """The group in pieces of `most` events, the last of what is left."""
    for first in range(group.first, group.first + group.count, most):
        yield replace(group, first=first, count=min(most, group.first + group.count - first))

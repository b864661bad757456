"""Add or remove fields of the events that fulfil a condition; optionally drop the others, which are counted as discarded.

The cases of `Switch` are tried in their order, and the first one that an event fulfils is the only one for it. A field that an event does
not have fulfils nothing.
"""

from collections.abc import Iterator
from typing import Any, Literal

from tailrace.batch import EventBatch, Pattern, PatternError
from tailrace.pipeline.config import OptionGroup, PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class Case(OptionGroup):
    logical_operator: Literal["and", "or"] = option("and", doc="Whether all fields must fulfil their conditions, or one of them.")
    relation_operator: Literal["equals", "regexp", "contains", "startwith"] = option(
        "equals", doc="How a field is compared; `regexp` looks for its pattern anywhere in the field."
    )
    field_conditions: dict[str, str] = option(doc="Field → what it is compared with.", min_length=1, examples=[{"level": "ERROR"}])

    def patterns(self) -> Iterator[tuple[str, str]]:
        if self.relation_operator == "regexp":
            yield from ((f"FieldConditions.{field}", text) for field, text in self.field_conditions.items())

    def problems(self) -> Iterator[Problem]:
        for key, text in self.patterns():
            if not has_reference(text):
                try:
                    Pattern(text)
                except PatternError as error:
                    yield Problem(key, f"{error}, in `{text}`", "docs/reference/patterns.md lists what a pattern may hold")


class Action(OptionGroup):
    type: Literal["processor_add_fields", "processor_drop"] = option(key="type", doc="What is done.", aliases=("Type",))
    fields: dict[str, str] = option(factory=dict, doc="Of `processor_add_fields`: field → value.")
    ignore_if_exist: bool = option(False, doc="Of `processor_add_fields`: leave a field alone that the event already has.")
    drop_keys: list[str] = option(factory=list, doc="Of `processor_drop`: the fields to remove.")

    def problems(self) -> Iterator[Problem]:
        adds = self.type == "processor_add_fields"
        needed, others = ("Fields", {"drop_keys": "DropKeys"})
        if not adds:
            needed, others = ("DropKeys", {"fields": "Fields", "ignore_if_exist": "IgnoreIfExist"})
        if not (self.fields if adds else self.drop_keys):
            yield Problem(needed, "is missing", f"`{self.type}` needs it")
        yield from (Problem(key, f"has no meaning for `{self.type}`") for name, key in others.items() if name in self.model_fields_set)


class SwitchCase(OptionGroup):
    case: Case = option(doc="The condition.")
    actions: list[Action] = option(factory=list, doc="What is done with the events that fulfil it, in this order.")


class FieldsWithConditionConfig(PluginConfig):
    switch: list[SwitchCase] = option(doc="The cases.", min_length=1)
    drop_if_not_match_condition: bool = option(False, doc="Drop the events that fulfil none of the cases.")


@processor("processor_fields_with_condition", aliases=("processor_fields_with_conditions",))
class FieldsWithCondition(BatchProcessor[FieldsWithConditionConfig]):
    Config = FieldsWithConditionConfig

    def __init__(self, config: FieldsWithConditionConfig) -> None:
        super().__init__(config)
        self.tests = [[_Test(one.case.relation_operator, *item) for item in one.case.field_conditions.items()] for one in config.switch]

    def process(self, batch: EventBatch) -> None:
        undecided = [True] * len(batch)
        chosen: list[list[bool]] = []
        for one, tests in zip(self.config.switch, self.tests, strict=True):
            combine = all if one.case.logical_operator == "and" else any
            held = [combine(row) for row in zip(*(test.holds(batch) for test in tests), strict=True)]
            chosen.append([here and free for here, free in zip(held, undecided, strict=True)])
            undecided = [free and not here for here, free in zip(held, undecided, strict=True)]
        # All conditions are asked before the first action: a case sees the event as it came.
        for one, rows in zip(self.config.switch, chosen, strict=True):
            if any(rows):
                for action in one.actions:
                    act(batch, action, rows)
        if self.config.drop_if_not_match_condition:
            self.keep_rows(batch, [not free for free in undecided], "fulfils no case")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Switch": [{"Case": {"FieldConditions": {"level": "ERROR"}}}], "DropIfNotMatchCondition": True}

    @classmethod
    def example(cls) -> Example:
        web = {"RelationOperator": "startwith", "FieldConditions": {"path": "/var/log/nginx"}}
        add = {"type": "processor_add_fields", "Fields": {"service": "web"}}
        batch_job = {"LogicalOperator": "or", "RelationOperator": "regexp", "FieldConditions": {"path": "cron|batch"}}
        config = {
            "Switch": [
                {"Case": web, "Actions": [add, {"type": "processor_drop", "DropKeys": ["path"]}]},
                {"Case": batch_job, "Actions": [{"type": "processor_add_fields", "Fields": {"service": "jobs"}}]},
            ],
            "DropIfNotMatchCondition": True,
        }
        lines = ['{"path": "/var/log/nginx/a.log"}', '{"path": "/srv/batch/7.log"}', '{"path": "/home/ann/x"}']
        return Example([{"Type": "processor_parse_json_native"}, config], "\n".join(lines) + "\n")


class _Test:
    """One field against one expression."""

    def __init__(self, relation: str, field: str, expression: str) -> None:
        self.relation = relation
        self.key, self.wanted = field.encode(), expression.encode()
        self.pattern = Pattern(expression) if relation == "regexp" else None

    def holds(self, batch: EventBatch) -> list[bool]:
        if self.pattern is not None:
            return batch.matching(self.key, self.pattern, anywhere=True)
        return [value is not None and self._fulfilled(value) for value in batch.column(self.key)]

    def _fulfilled(self, value: bytes) -> bool:
        if self.relation == "contains":
            return self.wanted in value
        return value.startswith(self.wanted) if self.relation == "startwith" else value == self.wanted


def act(batch: EventBatch, action: Action, rows: list[bool]) -> None:
    """Do it to the rows that `rows` names."""
    for field in action.drop_keys:
        key = field.encode()
        batch.set_column(key, [None if here else value for value, here in zip(batch.column(key), rows, strict=True)])
    for field, text in action.fields.items():
        key, new = field.encode(), text.encode()
        column = batch.column(key)
        takes = [here and (value is None or not action.ignore_if_exist) for value, here in zip(column, rows, strict=True)]
        batch.set_column(key, [new if take else value for value, take in zip(column, takes, strict=True)])

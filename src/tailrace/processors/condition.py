"""A condition on events: patterns on fields, joined by and, or, not (`ConditionExp`).

A field that an event does not have matches nothing. So `not` of a pattern holds for events without the field, too.
"""

from collections.abc import Iterator
from typing import Literal

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import OptionGroup, Problem, option


class ConditionExp(OptionGroup):
    """A leaf has `key` and `exp`, a branch has `operator` and `operands`."""

    operator: Literal["and", "or", "not"] | None = option(None, key="operator", doc="How `operands` are joined; `not` takes one of them.")
    operands: list["ConditionExp"] = option(factory=list, key="operands", doc="Conditions, of the same form as this one.")
    key: str = option("", key="key", doc="The field that a leaf looks at.")
    type: Literal["regex"] = option("regex", key="type", doc="How a leaf compares.")
    exp: str = option("", key="exp", doc="The pattern that the whole field must match.", regex=True, examples=["WARN|ERROR"])

    def problems(self) -> Iterator[Problem]:
        if self.operator is None:
            yield from self._leaf_problems()
            return
        yield from (Problem(key, "has no meaning beside `operator`") for key in ("key", "type", "exp") if key in self.model_fields_set)
        if not self.operands:
            yield Problem("operands", "is missing", f"`{self.operator}` joins a list of conditions")
        elif self.operator == "not" and len(self.operands) > 1:
            yield Problem("operands", f"holds {len(self.operands)} conditions; `not` takes one", "join them by `and` or `or`")

    def _leaf_problems(self) -> Iterator[Problem]:
        if self.operands:
            yield Problem("operator", "is missing", "it joins `operands`: `and`, `or` or `not`")
            return
        if not self.key:
            yield Problem("key", "is missing", "a condition has `key` and `exp`, or `operator` and `operands`")
        if "exp" not in self.model_fields_set:
            yield Problem("exp", "is missing", "the pattern that the field must match")


class Condition:
    """A `ConditionExp` made ready."""

    def __init__(self, expression: ConditionExp) -> None:
        self.operator = expression.operator
        self.operands = [Condition(operand) for operand in expression.operands]
        self.key = expression.key.encode()
        self.pattern = Pattern(expression.exp)

    def holds(self, batch: EventBatch) -> list[bool]:
        """Per row whether the condition holds."""
        if self.operator is None:
            return batch.matching(self.key, self.pattern)
        columns = [operand.holds(batch) for operand in self.operands]
        if self.operator == "not":
            return [not held for held in columns[0]]
        combine = all if self.operator == "and" else any
        return [combine(row) for row in zip(*columns, strict=True)]

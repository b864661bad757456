"""What one SQL function is, and a chapter of them: the form in which the modules of `chapters` list what a query may call.

A function is listed when it gives Presto's answer here: each has an example whose answer is Presto's, and a test that runs it.
"""

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp


class Type(enum.Enum):
    """SQL types as far as rewriting and the text of an answer need them. UNKNOWN is left to the engine."""

    BIGINT = "bigint"
    DOUBLE = "double"
    VARCHAR = "varchar"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    JSON = "json"
    """JSON text; what is inside comes out with json_extract or CAST."""
    ARRAY = "array"
    UNKNOWN = "unknown"


class Like(enum.Enum):
    """The type is that of an argument (counted from 0)."""

    FIRST = 0
    SECOND = 1
    THIRD = 2


class Common(enum.Enum):
    """The type that all arguments have in common, or all from a place on (counted from 0): the answer is one of them."""

    OF_ALL = 0
    FROM_SECOND = 1


@dataclass(frozen=True)
class Function:
    """`call` is how it is written: `round(x[, digits])`; brackets hold what may be left out, `…` means any number more."""

    call: str
    does: str
    returns: Type | Like | Common
    example: str
    answer: str
    """Of the example over the logs of tests/integration/query/test_functions.py, as SLS writes values; both are "" where it needs more."""
    becomes: Sequence[str] = ()
    """What it is to the engine, by number of arguments: the template whose highest argument (`_1`, `_2`, …) is the last one given."""
    rewrite: Callable[[exp.Anonymous], None] | None = None
    """Where a template is not enough: changes the call in place."""
    times: tuple[int, ...] = ()
    """Places of arguments that are times: there a number is seconds since 1970."""

    @cached_property
    def name(self) -> str:
        return self.call.partition("(")[0]

    @cached_property
    def arguments(self) -> tuple[int, float]:
        """How many it takes, at least and at most."""
        listed = self.call[len(self.name) + 1 : -1]
        needed = re.sub(r"\[[^\]]*\]", "", listed)
        return _count(needed), float("inf") if "…" in listed else _count(re.sub(r"[\[\]]", "", listed))


@dataclass(frozen=True)
class Chapter:
    """Functions of one subject, in the order of the manual. `about` is what all of them share."""

    title: str
    about: str
    functions: tuple[Function, ...]


def _count(listed: str) -> int:
    """Of what stands between commas; a lambda's own parameters are none."""
    without_lambdas = re.sub(r"\([^)]*\) ->", "", listed)
    return len([name for name in without_lambdas.split(",") if name.strip(" …")])

"""What a search says, free of how it was written and of how the engine is asked.

Every leaf keeps `position`, the character (from 1) at which it began, so that a mistake found later (a word where the index holds
numbers) can still be shown to the user at its place.
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias


class Wild(enum.Enum):
    """A wildcard inside a word."""

    ANY = "*"
    ONE = "?"


Pieces: TypeAlias = tuple["str | Wild", ...]
"""A word cut at its wildcards: `a?c*` is `("a", Wild.ONE, "c", Wild.ANY)`."""


@dataclass(frozen=True, slots=True)
class Everything:
    """`*`, or nothing at all."""


@dataclass(frozen=True, slots=True)
class Term:
    """All tokens of `text`, in any order, in `field`, or anywhere when `field` is None."""

    field: str | None
    text: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Phrase:
    """`#"…"`: `text` as it stands, in one value."""

    field: str | None
    text: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word with wildcards, compared with whole tokens."""

    field: str | None
    pieces: Pieces
    position: int = 0


@dataclass(frozen=True, slots=True)
class Exists:
    """`key:*`: the event has the field; a number field also has to hold a number."""

    field: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two bounds; None is no bound. `key = 5` is the closed range from 5 to 5."""

    field: str
    low: int | float | None
    high: int | float | None
    low_inclusive: bool = True
    high_inclusive: bool = True
    position: int = 0


@dataclass(frozen=True, slots=True)
class And:
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    item: "Node"


Leaf: TypeAlias = Term | Phrase | Pattern | Exists | Range
Node: TypeAlias = Everything | Leaf | And | Or | Not

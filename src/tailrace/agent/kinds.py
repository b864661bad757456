"""Small files of a home against the dataclasses that they are read into: what has decayed is found when it is read, not when it is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LATEST: Final = 1e11
"""Unix seconds that can be shown: some thousand years ahead."""

Known = TypeVar("Known", bound="DataclassInstance")


def checked(known: Known) -> Known:
    """The same, when its texts, numbers and lists of texts are some. TypeError, which shows no value: some are secrets."""
    for one in fields(known):
        fits = FITS.get(one.type)
        if fits is not None and not fits(getattr(known, one.name)):
            raise TypeError(f"`{one.name}` is of another kind")
    return known


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_instant(value: object) -> bool:
    """Or a duration: fractions of seconds, none of them below 0."""
    return isinstance(value, int | float) and 0 <= value < LATEST


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in cast("Sequence[object]", value))


FITS: Final[Mapping[Any, Callable[[object], bool]]] = {
    str: _is_text,
    bool: _is_truth,
    int: _is_count,
    float: _is_instant,
    Sequence[str]: _are_texts,
    list[str]: _are_texts,
}

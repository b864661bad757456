"""Time formats (docs/reference/time-formats.md): a strptime format becomes one pattern, and what each of its groups means.

Numbers and names are matched possessively: the value is read from left to right without going back, as strptime does it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

NUMBERS = {
    "Y": (4, 0, 9999),
    "y": (2, 0, 99),
    "C": (2, 0, 99),
    "m": (2, 1, 12),
    "d": (2, 1, 31),
    "j": (3, 1, 366),
    "u": (1, 1, 7),
    "w": (1, 0, 6),
    "U": (2, 0, 53),
    "W": (2, 0, 53),
    "V": (2, 1, 53),
    "H": (2, 0, 23),
    "I": (2, 1, 12),
    "M": (2, 0, 59),
    "S": (2, 0, 60),
}
"""Most digits, and the range."""
SAME = {"e": "d", "h": "b", "B": "b", "A": "a"}
COMPOUND = {
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "r": "%I:%M:%S %p",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "c": "%a %b %e %H:%M:%S %Y",
    "n": " ",
    "t": " ",
}
WHITE = " \t\n\v\f\r"
BLANK = rb"[ \t\n\v\f\r]*+"


def _names(names: Sequence[str]) -> bytes:
    """Full or three letters, the longer first, in any case."""
    return "((?i:{}))".format("|".join(f"{name}|{name[:3]}" for name in names)).join(("(?>", ")")).encode()


FORMS = {
    "a": _names(WEEKDAYS),
    "b": _names(MONTHS),
    "f": rb"([0-9]{1,9}+)",
    "s": rb" *+([0-9]++)",
    "p": rb"([AaPp][Mm])",
    "z": rb" *+([Zz]|[+-][0-9]{2}(?>(?::?[0-9]{2})?))",
} | {letter: rb" *+([0-9]{1,%d}+)" % digits for letter, (digits, _, _) in NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class TimeFormat:
    pattern: re.Pattern[bytes]
    """Matches the beginning of a value."""
    letters: str
    """The directive of each group; `f` also stands for a fraction behind the seconds."""


@cache
def compile_format(text: str) -> TimeFormat:
    """Raises ValueError for a directive that does not exist."""
    tokens = _tokens(text)
    letters: list[str] = []
    written: list[bytes] = []
    for index, (directive, literal) in enumerate(tokens):
        if not directive:
            written.append(BLANK if literal == " " else re.escape(literal.encode()))
            continue
        letters.append(directive)
        written.append(FORMS[directive])
        if directive == "S":
            letters.append("f")
            written.append(_fraction_unless(tokens[index + 1][1] if index + 1 < len(tokens) else ""))
    return TimeFormat(re.compile(b"".join(written)), "".join(letters))


def _fraction_unless(following: str) -> bytes:
    """A fraction behind the seconds, but not where the format itself goes on with its mark."""
    marks = {".": b",", ",": b"."}.get(following, b".,")
    return rb"(?>(?:[%s]([0-9]++))?)" % marks


def _tokens(text: str) -> list[tuple[str, str]]:
    """(directive, "") or ("", character); any white space is one space."""
    found: list[tuple[str, str]] = []
    characters = iter(text)
    for character in characters:
        if character != "%":
            found.append(("", " " if character in WHITE else character))
            continue
        letter = next(characters, "")
        letter = SAME.get(letter, letter)
        if letter in COMPOUND:
            found += _tokens(COMPOUND[letter])
        elif letter in FORMS:
            found.append((letter, ""))
        elif letter == "%":
            found.append(("", "%"))
        else:
            raise ValueError(f"the time format `{text}` has the unknown directive `%{letter}`")
    return found

"""How events are shown in a terminal: the time first, then what was logged; what was added on the way only on demand."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

RESERVED = ("__time__", "__source__", "__topic__")
MAX_COLUMNS = 6
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def local_time(seconds: str) -> str:
    """Local time of an event, to the second."""
    return datetime.fromtimestamp(int(seconds)).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def own_fields(row: Mapping[str, str]) -> dict[str, str]:
    """What the event itself says: no reserved fields and tags, unless it says nothing else."""
    own = {key: value for key, value in row.items() if not key.startswith("__")}
    return own or {key: value for key, value in row.items() if key not in RESERVED}


def one_line(row: Mapping[str, str]) -> str:
    """An event as text: its only field bare, several as `key=value`."""
    own = own_fields(row)
    if len(own) == 1:
        return next(iter(own.values()))
    return " ".join(f"{key}={value}" for key, value in own.items())


def table_of(rows: Sequence[Mapping[str, str]]) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table: a column per field while they are few, else one with the whole event."""
    columns = list(dict.fromkeys(key for row in rows for key in own_fields(row)))
    if len(columns) > MAX_COLUMNS:
        return ["time", "event"], [{"time": local_time(row["__time__"]), "event": one_line(row)} for row in rows]
    return ["time", *columns], [{"time": local_time(row["__time__"]), **own_fields(row)} for row in rows]


def without_formulas(row: Mapping[str, str]) -> dict[str, str]:
    """For CSV: a spreadsheet must not run what somebody logged. Such a value gets a `'` in front; numbers stay."""
    return {key: f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value for key, value in row.items()}

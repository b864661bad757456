"""What commands print: data to stdout as a table, JSON lines or CSV; everything else to stderr; and the exit codes."""

import csv
import enum
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TextIO, TypeAlias

from tailrace.errors import ConfigError, ConfigErrors, TailraceError, UnreachableError, UsageError

Output: TypeAlias = Literal["table", "json", "csv"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PIPE_WIDTH: Final = 1_000_000


class Exit(enum.IntEnum):
    """What a command's exit code says."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    PARTIAL = 4
    INTERRUPTED = 130


def exit_code(error: TailraceError) -> Exit:
    """The exit code of a command that ended with `error`."""
    if isinstance(error, ConfigError | UsageError):
        return Exit.USAGE
    return Exit.UNREACHABLE if isinstance(error, UnreachableError) else Exit.FAILED


def print_error(error: TailraceError) -> None:
    """`error: …` and `hint: …` on stderr; one pair per mistake."""
    for single in error.errors if isinstance(error, ConfigErrors) else (error,):
        sys.stderr.write(f"error: {plain(single.message, keep_lines=True)}\n")
        if single.hint:
            sys.stderr.write(f"hint: {plain(single.hint, keep_lines=True)}\n")


def note(message: str) -> None:
    """Progress and remarks, on stderr, so that they never mix with data."""
    sys.stderr.write(f"{plain(message, keep_lines=True)}\n")


def say(message: str = "") -> None:
    """A line of a command's result that is not a table."""
    sys.stdout.write(f"{plain(message, keep_lines=True)}\n")


def counted(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plain(value: object, *, keep_lines: bool = False) -> str:
    """`value` as text that cannot steer a terminal: control and direction-changing characters are shown as escapes."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else "" if value is None else str(value)
    return _CONTROL.sub(lambda match: match[0] if keep_lines and match[0] in "\n\t" else _escape(match[0]), text)


def print_table(
    rows: Iterable[Mapping[str, Any]], *, columns: Sequence[str], output: Output = "table", stream: TextIO | None = None
) -> None:
    """One line per row, to stdout unless `stream` is given.

    table: `columns` only, control characters escaped, as wide as it needs when stdout is not a terminal.
    json: one object per line with all keys of the row, `bytes` as UTF-8 with `\\xNN` for what is not.
    csv: a header and `columns` only.
    """
    out = stream or sys.stdout
    if output == "json":
        for row in rows:
            out.write(json.dumps({key: _jsonable(value) for key, value in row.items()}, ensure_ascii=False) + "\n")
    elif output == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    else:
        _table(rows, columns, out)


def print_json(value: object) -> None:
    """One JSON document, indented, to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_jsonable) + "\n")


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], out: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = out.isatty()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold" if terminal else "")
    for column in columns:
        table.add_column(Text(plain(column)), overflow="fold", no_wrap=not terminal)
    for row in rows:
        table.add_row(*(Text(plain(_in_words(row.get(column)), keep_lines=terminal)) for column in columns))
    console = Console(file=out, highlight=False) if terminal else Console(file=out, highlight=False, width=_PIPE_WIDTH, color_system=None)
    if terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    out.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _in_words(value: object) -> object:
    """For a person; what a program reads has `true` and `false`."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_jsonable)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else "" if value is None else str(value)


def _jsonable(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def moment(seconds: int) -> str:
    """Unix seconds in this machine's time zone."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")

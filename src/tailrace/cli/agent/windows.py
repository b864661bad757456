"""`tailrace agent status all|active|logstore|logfile|history`: the local status of Logtail's manual, from the windows in the home.

Fields, messages and exit codes are the manual's. Index 1 is the current window, 60 the one 59 windows back.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tailrace.cli.output import say
from tailrace.errors import DamagedError

if TYPE_CHECKING:
    from tailrace.agent.status.windows import Window, WindowStore

FINE, FAILED, BAD_COMMAND = 0, 1, 10
MOST: Final = 60

COMMON: Final = (
    "status",
    "config",
    "read_bytes",
    "parse_success_lines",
    "parse_fail_lines",
    "last_read_time",
    "read_count",
    "avg_delay_bytes",
)
LOGSTORE_FIELDS: Final = (
    *COMMON, "max_unsend_time", "min_unsend_time", "max_send_success_time", "send_queue_size", "send_network_error_count",
    "send_network_quota_count", "send_network_discard_count", "send_success_count", "send_block_flag", "sender_valid_flag",
)  # fmt: skip
LOGFILE_FIELDS: Final = (*COMMON, "file_path", "file_dev", "file_inode", "file_size_bytes", "read_offset_bytes")
HISTORY: Final = (
    ("begin_time", "time_begin_readable"), ("status", "status"), ("read", "read_bytes"), ("parse_success", "parse_success_lines"),
    ("parse_fail", "parse_fail_lines"), ("last_read_time", "last_read_time"), ("read_count", "read_count"),
    ("avg_delay", "avg_delay_bytes"),
)  # fmt: skip
HISTORY_FILE: Final = (
    ("device", "file_dev"),
    ("inode", "file_inode"),
    ("file_size", "file_size_bytes"),
    ("read_offset", "read_offset_bytes"),
)
HISTORY_LOGSTORE: Final = (
    ("send_queue", "send_queue_size"),
    ("net_error", "send_network_error_count"),
    ("quota_error", "send_network_quota_count"),
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """One call."""

    what: str
    words: list[str]
    as_json: bool = False
    logstore: bool = False
    logfile: bool = False


class _BadCommandError(Exception):
    """Exit code 10."""


class _BadIntervalError(Exception):
    """Exit code 1."""


def answer(home: Path, call: Words) -> int:
    """Print the answer; the manual's exit code."""
    from tailrace.agent.status.windows import stores

    minutes, tens = stores(home)
    commands: dict[str, Callable[[], None]] = {
        "all": lambda: _all(minutes, call.words),
        "active": lambda: _active(tens, call),
        "logstore": lambda: _one(tens, call, LOGSTORE_FIELDS, count=3),
        "logfile": lambda: _one(tens, call, LOGFILE_FIELDS, count=4),
        "history": lambda: _history(tens, call.words),
    }
    try:
        commands[call.what]()
    except _BadCommandError:
        return _fail("invalid param, use -h for help.", BAD_COMMAND)
    except _BadIntervalError as error:
        return _fail(f"invalid query interval, error: {error}", FAILED)
    except DamagedError as error:
        return _fail(f"invalid profile, error: {error.message}", FAILED)
    except OSError as error:
        return _fail(f"query fail, error: {error.strerror or error}", FAILED)
    return FINE


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"{message}\n")
    return code


# --- the commands -------------------------------------------------------------------------------------------------------------------
def _all(store: "WindowStore", words: Sequence[str]) -> None:
    if len(words) > 1:
        raise _BadCommandError
    window = store.back(_index(words[0] if words else "1"), time.time())
    say(window.status if window else "")


def _active(store: "WindowStore", call: Words) -> None:
    wanted = 3 if call.logfile else 1
    if len(call.words) != wanted or (call.logstore and call.logfile):
        raise _BadCommandError
    window = store.back(_index(call.words[0]), time.time())
    if window is None:
        return
    if call.logfile:
        read = [row for row in window.files.values() if _is_of(row, *call.words[1:]) and row["read_bytes"]]
        lines = {str(row["file_path"]) for row in read}
    else:
        lines = {f"{row['project']} : {row['logstore']}" for row in window.logstores.values() if row["read_bytes"]}
    for line in sorted(lines):
        say(line)


def _one(store: "WindowStore", call: Words, fields: Sequence[str], *, count: int) -> None:
    if len(call.words) != count:
        raise _BadCommandError
    window = store.back(_index(call.words[0]), time.time())
    rows = [_profile(window, row, fields) for row in _rows(window, call.words[1:])] if window else []
    if call.as_json:
        shown = rows[0] if len(rows) == 1 else rows or None
        say(json.dumps(shown, ensure_ascii=False, indent=4))
    for row in () if call.as_json else rows:
        width = max(len(name) for name in row)
        for name, value in row.items():
            say(f"{'file_offset_bytes' if name == 'read_offset_bytes' else name:<{width}} : {value}")
        say()
    if not rows and not call.as_json:
        say()


def _history(store: "WindowStore", words: Sequence[str]) -> None:
    if len(words) not in (4, 5):
        raise _BadCommandError
    begin, end = _index(words[0]), _index(words[1])
    if begin > end:
        raise _BadIntervalError(f"begin {begin} is greater than end {end}")
    columns = (*HISTORY, *(HISTORY_FILE if len(words) == 5 else HISTORY_LOGSTORE))
    fields = LOGFILE_FIELDS if len(words) == 5 else LOGSTORE_FIELDS
    say("  ".join(f"{title:>14}" for title, _ in columns))
    now = time.time()
    for index in range(begin, end + 1):
        window = store.back(index, now)
        if window is None:
            continue
        for row in _rows(window, words[2:]):
            profile = _profile(window, row, fields)
            say("  ".join(f"{profile[name]!s:>14}" for _, name in columns))


# --- rows ---------------------------------------------------------------------------------------------------------------------------
def _index(word: str) -> int:
    if not word.isdigit():
        raise _BadCommandError
    if not 1 <= int(word) <= MOST:
        raise _BadIntervalError(f"index {word} is not in 1..{MOST}")
    return int(word)


def _rows(window: "Window", words: Sequence[str]) -> Iterator[Row]:
    project, logstore, *path = words
    rows = window.files if path else window.logstores
    yield from (row for row in rows.values() if _is_of(row, project, logstore) and (not path or row["file_path"] == path[0]))


def _is_of(row: Row, project: str, logstore: str) -> bool:
    return (row["project"], row["logstore"]) == (project, logstore)


def _profile(window: "Window", row: Row, fields: Sequence[str]) -> dict[str, Any]:
    samples = row.get("delay_samples", 0)
    values = {**row, "status": _status(row), "avg_delay_bytes": row.get("delay_sum", 0) // samples if samples else 0}
    head = {
        "time_begin_readable": _readable(window.begin),
        "time_end_readable": _readable(window.end),
        "time_begin": window.begin,
        "time_end": window.end,
        "project": row["project"],
        "logstore": row["logstore"],
    }
    return {**head, **{name: values.get(name, 0) for name in fields}}


def _status(row: Row) -> str:
    if row.get("sender_valid_flag") is False:
        return "sender_invalid"
    if row.get("send_block_flag"):
        return "send_block"
    if row.get("parse_fail_lines", 0) > row.get("parse_success_lines", 0):
        return "parse_fail"
    return "process_block" if row.get("delay_sum", 0) > row.get("read_bytes", 0) else "ok"


def _readable(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%y-%m-%d %H:%M:%S}"

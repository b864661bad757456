"""`tailrace agent status`: what the agent says of itself, or said last."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME, read_json
from tailrace.cli.mistakes import listed
from tailrace.cli.output import Exit, Output, counted, note, print_table, say
from tailrace.errors import StateError, UnreachableError, UsageError

Row = Mapping[str, Any]

COLUMNS: Final[dict[str, Sequence[str]]] = {
    "files": ("path", "pipeline", "size", "read", "committed", "lag", "rate", "state", "last_error"),
    "pipelines": ("pipeline", "target", "state", "in_events", "out_events", "failed", "discarded", "outdated", "retried", "why", "trouble"),
    "targets": (
        "target",
        "state",
        "waiting_ranges",
        "waiting_bytes",
        "limit_bytes",
        "spooled_bytes",
        "oldest_waits_secs",
        "sent_at",
        "trouble",
    ),
    "servers": ("server", "address", "state", "projects", "key_expires_at", "answered_at", "trouble"),
    "alarms": ("id", "alarm", "severity", "state", "count", "first_at", "last_at", "pipeline", "message", "sample"),
    "imports": ("name", "pipeline", "state", "files", "done", "bytes", "progress", "last_error"),
}
WINDOWS: Final = ("all", "active", "logstore", "logfile", "history")
INSTANTS: Final = ("at", "sent_at", "read_at", "began_at", "key_expires_at", "answered_at", "first_at", "last_at", "resolved_at")


def status(
    what: Annotated[
        str,
        Parameter(
            help="files, pipelines, targets, servers, alarms, imports, metrics; "
            "or, of Logtail's manual: all, active, logstore, logfile, history."
        ),
    ] = "",
    /,
    *words: Annotated[str, Parameter(help="The index, project, logstore and path that follow a word of the manual, as in the examples.")],
    home: Annotated[Path, Parameter(help="Home of the agent.")] = AGENT_HOME,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    pattern: Annotated[str, Parameter(help="Only files whose path matches, with `*`, `?` and `[...]`.")] = "",
    limit: Annotated[int, Parameter(help="At most so many files, those furthest behind first.")] = 1000,
    format: Annotated[Literal["line", "json"], Parameter(help="As `--output`, for `logstore` and `logfile`.")] = "line",  # noqa: A002 - the manual's flag
    logstore: Annotated[bool, Parameter(help="With `active`: logstores.", negative="")] = False,
    logfile: Annotated[bool, Parameter(help="With `active`: files.", negative="")] = False,
) -> int:
    """Show what the agent does, while it runs or as it was last.

    tailrace agent status                             the whole in a few lines
    tailrace agent status files --pattern '*.log'     each file: size, read, committed, lag, rate, last error
    tailrace agent status pipelines --output json     in, out, failed, discarded and why, retried
    tailrace agent status alarms                      what is wrong, since when, how often; and what is over
    tailrace agent status metrics                     Prometheus text
    tailrace agent status all 1                       state in the minute 1..60 back
    tailrace agent status active --logstore 1         logstores that got logs in the 10 minutes 1..60 back
    tailrace agent status active --logfile 1 PROJECT LOGSTORE
    tailrace agent status logstore [--format json] 1 PROJECT LOGSTORE
    tailrace agent status logfile [--format json] 1 PROJECT LOGSTORE PATH
    tailrace agent status history 1 6 PROJECT LOGSTORE [PATH]

    The last five are those of Logtail's manual, with its exit codes: 0 fine, 10 wrong words, 1 failed.
    """
    home = home.expanduser().absolute()
    if what in WINDOWS:
        from tailrace.cli.agent.windows import Words, answer

        return answer(home, Words(what, list(words), as_json=format == "json", logstore=logstore, logfile=logfile))
    if words or what not in ("", "metrics", *COLUMNS):
        known = listed([*COLUMNS, "metrics", *WINDOWS])
        raise UsageError(f"the agent has no status `{' '.join([what, *words])}`", hint=f"ask for one of: {known}")
    rows = _rows(home, what or "summary", {"pattern": pattern, "limit": limit})
    show = {"": _summary, "metrics": _metrics}.get(what)
    if show is not None and output == "table":
        show(rows)
    else:
        columns = COLUMNS.get(what) or list(rows[0] if rows else ())
        print_table(rows if output == "json" else [_readable(row) for row in rows], columns=columns, output=output)
    if not rows:
        note(EMPTY.get(what, "nothing to show"))
    return Exit.FINE


HOW_TO_START: Final = "start it: `tailrace agent start` where it is installed, else `tailrace agent run`; `--home` names another home"
EMPTY: Final = {
    "files": "no file is read: `tailrace agent doctor --file PATH` says why one is not",
    "alarms": "no alarms since the agent started",
    "servers": "no server was joined with a token: `tailrace agent enroll` does that",
    "imports": "nothing was imported: `tailrace agent import PATH` does that",
}


def _rows(home: Path, what: str, question: Mapping[str, Any]) -> list[Row]:
    from tailrace.agent.control.socket import ask
    from tailrace.agent.jobs.jobs import Jobs

    try:
        return list(ask(home / "run", {"ask": what, **question}))
    except UnreachableError as unreachable:
        if isinstance(unreachable.__cause__, PermissionError):
            raise StateError(f"this user may not ask the agent of `{home}`", hint="ask as the agent's user, or as root") from unreachable
        if what == "imports":
            return list(Jobs(home).rows())
        last = read_json(home / "run" / "status.json")
        if what not in last:
            raise StateError(
                f"no agent runs on `{home}`, and none has said there how it was",
                hint=HOW_TO_START,
            ) from unreachable
        note(f"the agent does not run; this is its state of {_instant(last['at'])}, {_ago(last['at'])} ago")
        return list(last[what])


def _summary(rows: Sequence[Row]) -> None:
    for row in rows:
        say(f"agent {row['version']}, pid {row['pid']}: {row['state']}, since {_instant(row['began_at'])}")
        here = f"{counted(row['pipelines'], 'pipeline')}, {counted(row['targets'], 'target')}"
        done = f"{counted(row['in_events'], 'event')} in, {row['out_events']:,} acknowledged"
        say(f"{here}; {done}, {counted(row['waiting_bytes'], 'byte')} waiting")
        if limited := row.get("limited_by"):
            say(f"limited by {' and '.join(limited)}: it keeps to the limits of its settings (`tailrace agent settings`)")
        for trouble in row["troubles"]:
            say(f"! {trouble}")


def _metrics(rows: Sequence[Row]) -> None:
    say("".join(str(row["text"]) for row in rows).rstrip("\n"))


def _readable(row: Row) -> Row:
    shown: dict[str, Callable[[Any], object]] = dict.fromkeys(INSTANTS, _instant)
    return {name: shown[name](value) if name in shown else _text(value) for name, value in row.items()}


def _text(value: object) -> object:
    return ", ".join(f"{name}={inner}" for name, inner in value.items()) if isinstance(value, dict) else value


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds") if seconds else ""


def _ago(seconds: float) -> str:
    age = max(0, int(time.time() - seconds))
    unit, size = next((one for one in (("d", 86_400), ("h", 3600), ("min", 60)) if age >= 2 * one[1]), ("s", 1))
    return f"{age // size} {unit}"

"""`tailrace tail`: follow new logs."""

import contextlib
import json
import sys
import time
from typing import Literal

from cyclopts import App

from tailrace.cli.client import Client
from tailrace.cli.connection import ConnectionFlags, connect
from tailrace.cli.events import local_time, one_line
from tailrace.cli.output import Exit, note, plain
from tailrace.errors import UnreachableError

app = App(name="tail", help="Follow new logs.")

POLL_SECS = 0.5


@app.default
def tail(
    query: str = "*",
    /,
    *,
    output: Literal["text", "json"] = "text",
    connection: ConnectionFlags = ConnectionFlags(),  # noqa: B008 - frozen
) -> int:
    """Follow new logs as they arrive, until Ctrl-C: tailrace tail 'level:ERROR'

    Parameters
    ----------
    query
        Only what this search finds; SQL cannot be followed.
    output
        `text` (time and event) or `json` (one object per line, with all fields).
    """
    target = connect(connection)
    with Client(target) as client:
        _, cursor = client.tail(query, "")
        note(f"following `{target.project}/{target.logstore}`; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            _follow(client, query, cursor, output)
    return Exit.FINE


def _follow(client: Client, query: str, cursor: str, output: str) -> None:
    """Without end. A server that goes away is asked again until it is back; nothing is lost meanwhile."""
    away = False
    while True:
        try:
            rows, after = client.tail(query, cursor)
        except UnreachableError as error:
            if not away:
                note(f"{error.message}; trying again")
            away = True
            time.sleep(POLL_SECS * 4)
            continue
        away = False
        for row in rows:
            sys.stdout.write(_line(row, output))
        sys.stdout.flush()
        if after == cursor or not rows:
            time.sleep(POLL_SECS)
        cursor = after


def _line(row: dict[str, str], output: str) -> str:
    if output == "json":
        return json.dumps(row, ensure_ascii=False) + "\n"
    return f"{local_time(row['__time__'])}  {plain(one_line(row))}\n"

"""`tailrace agent command`: let agents do something once, from the server, and see what became of it on each."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_project
from tailrace.cli.output import Exit, Output, moment, note, print_table, say
from tailrace.cli.period import moment as instant
from tailrace.cli.period import seconds_of
from tailrace.errors import UsageError

app = App(name="command", help="Let agents do something once, and see what became of it.")

OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
AGENTS = Annotated[list[str] | None, Parameter(name="--agent", help="Ids of agents.", negative="", consume_multiple=True)]
GROUP = Annotated[str, Parameter(help="The members that this machine group has now.", show_default=False)]
EXPIRES = Annotated[str, Parameter(help="How long agents that are away may still take it: `30m`, `24h`, `7d`.")]
ID = Annotated[str, Parameter(help="The command's id.")]
COLUMNS: Final = ("id", "kind", "states", "author", "created", "expires")
OUTCOMES: Final = ("agent_id", "state", "message", "changed", "result")
WAIT_SECS: Final = 60.0
LOOK_SECS: Final = 0.5
LOOK_AGENTS: Final = 1000
"""Of so many agents states are asked for that often, of more less often."""


@app.command
def restart(*, agent: AGENTS = None, group: GROUP = "", expires: EXPIRES = "1h", connection: ConnectionFlags = NO_FLAGS) -> int:
    """Start agents anew, in good order: nothing is lost, and settings of their machines are read again."""
    return _give({"kind": "restart"}, agent, group, expires, connection)


@app.command(name="log-level")
def log_level(
    level: Annotated[Literal["debug", "info", "warning", "error"], Parameter(help="Least level that is logged.")],
    /,
    *,
    agent: AGENTS = None,
    group: GROUP = "",
    for_: Annotated[str, Parameter(name="--for", help="How long.")] = "10m",
    expires: EXPIRES = "1h",
    connection: ConnectionFlags = NO_FLAGS,
) -> int:
    """Let agents log more, or less, for a while."""
    return _give({"kind": "log-level", "level": level, "secs": seconds_of(for_)}, agent, group, expires, connection, waits=False)


@app.command
def diagnostics(*, agent: AGENTS = None, group: GROUP = "", expires: EXPIRES = "1h", connection: ConnectionFlags = NO_FLAGS) -> int:
    """Fetch a bundle of agents' status, settings, configs and logs, without secrets; `result` saves it."""
    return _give({"kind": "diagnostics"}, agent, group, expires, connection)


@app.command
def sample(
    path: Annotated[str, Parameter(help="A file on the agents' machines that they may read.")],
    /,
    *,
    agent: AGENTS = None,
    group: GROUP = "",
    lines: Annotated[int, Parameter(help="How many.")] = 20,
    start: Annotated[bool, Parameter(help="From the start of the file instead of its end.", negative="")] = False,
    expires: EXPIRES = "10m",
    connection: ConnectionFlags = NO_FLAGS,
) -> int:
    """Fetch lines of a file as they are, to see what a pipeline has to parse; `result` shows them."""
    detail = {"kind": "sample", "path": path, "lines": lines, "of": "start" if start else "end"}
    return _give(detail, agent, group, expires, connection)


@app.command(name="import")
def import_(
    config: Annotated[str, Parameter(help="The config whose processors and flushers are used.")],
    paths: Annotated[list[str], Parameter(help="Files, directories or quoted patterns there.", negative="", consume_multiple=True)],
    /,
    *,
    agent: AGENTS = None,
    group: GROUP = "",
    since: Annotated[str, Parameter(help="Only events from then on: `2026-11-01 12:00`, or `3d`.", show_default=False)] = "",
    again: Annotated[bool, Parameter(help="Also files that the config has collected already.", negative="")] = False,
    expires: EXPIRES = "24h",
    connection: ConnectionFlags = NO_FLAGS,
) -> int:
    """Let agents read history once, from the beginning of each file, whatever the age of its events."""
    from_ = instant(since, time.time(), "--since") if since else 0
    detail = {"kind": "import", "config": config, "paths": paths, "since": from_, "again": again}
    return _give(detail, agent, group, expires, connection, waits=False)


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the commands of a project, the latest first."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = client.own("GET", _path(target))
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    if not rows:
        note(f"project `{target.project}` has had no command yet")


@app.command
def show(id_: ID, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> int:
    """Show what became of a command on each agent. Ends with 4 when it has failed on some."""
    target = connect_to_project(connection)
    with Client(target) as client:
        row = client.own("GET", f"{_path(target)}/{id_}")
    return _outcomes(row, output)


@app.command
def result(
    id_: ID,
    agent: Annotated[str, Parameter(help="The agent's id.")],
    /,
    *,
    save: Annotated[Path | None, Parameter(help="File to write to; a sample is shown without it.", show_default=False)] = None,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Fetch what an agent laid down: the lines of a sample, or the ZIP file of diagnostics."""
    target = connect_to_project(connection)
    with Client(target) as client:
        data = client.fetch(f"{_path(target)}/{id_}/results/{agent}")
    if save is not None:
        save.write_bytes(data)
        say(f"saved {save}: {len(data):,} bytes")
    elif data.startswith(b"{"):
        for line in json.loads(data)["lines"]:
            say(line)
    elif sys.stdout.isatty():
        raise UsageError("the result is a ZIP file", hint="name a file for it: `--save FILE`")
    else:
        sys.stdout.buffer.write(data)


@app.command
def cancel(id_: ID, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Take a command back from the agents that do not have it yet."""
    target = connect_to_project(connection)
    with Client(target) as client:
        row = client.own("POST", f"{_path(target)}/{id_}/cancel")
    say(f"cancelled {id_} for {row['states'].get('cancelled', 0)} agents")


def _give(
    detail: dict[str, Any], agents: list[str] | None, group: str, expires: str, connection: ConnectionFlags, *, waits: bool = True
) -> int:
    """`waits`: until it is over on all agents that are there, for a minute at most."""
    if not agents and not group:
        raise UsageError("it is not said which agents are to do it", hint="`--agent ID…` or `--group NAME`: `tailrace agent list`")
    body = {"command": detail, "agents": agents or [], "group": group, "expires_secs": seconds_of(expires)}
    target = connect_to_project(connection)
    with Client(target) as client:
        row = client.own("POST", _path(target), body)
        say(f"command {row['id']}: {row['kind']} for {len(row['agents'])} agents")
        if waits:
            row = _awaited(client, f"{_path(target)}/{row['id']}", row)
    if _open(row):
        note(f"`tailrace agent command show {row['id']}` tells how it goes")
    failed = [one for one in row["agents"] if one["state"] == "failed"]
    return _outcomes(row if waits else {**row, "agents": failed}, "table") if waits or failed else Exit.FINE


def _awaited(client: Client, path: str, row: dict[str, Any]) -> dict[str, Any]:
    """With its agents, when it is over on all of them, or a minute has gone by."""
    pause = LOOK_SECS * max(1.0, len(row["agents"]) / LOOK_AGENTS)
    until, states = time.monotonic() + WAIT_SECS, row
    while _open(states) and time.monotonic() < until:
        time.sleep(pause)
        states = client.own("GET", path, query={"agents": "false"})
    return row if states is row else client.own("GET", path)


def _open(row: dict[str, Any]) -> int:
    return row["states"].get("waiting", 0) + row["states"].get("running", 0)


def _outcomes(row: dict[str, Any], output: Output) -> int:
    agents = row["agents"]
    sizes = [f"{one['result_bytes']:,} bytes" if one["result_bytes"] else "" for one in agents]
    shown = [{**one, "changed": moment(one["changed"]), "result": size} for one, size in zip(agents, sizes, strict=True)]
    print_table(agents if output == "json" else shown, columns=OUTCOMES, output=output)
    return Exit.PARTIAL if row["states"].get("failed") or row["states"].get("expired") else Exit.FINE


def _path(target: Connection) -> str:
    return f"/projects/{quote(target.project)}/commands"


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    states = ", ".join(f"{count} {state}" for state, count in row["states"].items())
    return {**row, "states": states, "created": moment(row["created"]), "expires": moment(row["expires"])}

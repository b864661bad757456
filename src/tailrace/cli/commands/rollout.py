"""`tailrace rollout`: a new version of a config goes out to the agents in stages."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, moment, note, print_table, say
from tailrace.errors import UsageError

app = App(name="rollout", help="Let a new version of a config out in stages.")

OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
ID = Annotated[int, Parameter(help="The rollout's number.")]
COLUMNS: Final = ("id", "config", "version", "state", "stage", "agents", "changed", "reason")


@app.command
def start(
    path: Annotated[Path, Parameter(help="The config's new version, in the form that it has; the file is named after it.")],
    /,
    *,
    stages: Annotated[
        list[str] | None,
        Parameter(help="Numbers of agents and shares, such as `1 5% 25%`; then all.", negative="", consume_multiple=True),
    ] = None,
    soak: Annotated[int, Parameter(help="Seconds that a stage has to run well before the next one.")] = 60,
    max_failures: Annotated[int, Parameter(help="How many agents may be unable to run it.")] = 0,
    max_lag_mb: Annotated[int, Parameter(help="By how much an agent may fall behind with it; 0: no bound.")] = 0,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Save a new version of a config, and let the agents of the first stage run it. It stops by itself when they cannot."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read `{path}`: {error}") from error
    body = {"config": path.stem, "text": text, "soak_secs": soak, "max_failures": max_failures, "max_lag_mb": max_lag_mb}
    target = connect_to_project(connection)
    with Client(target) as client:
        begun = client.own("POST", _path(target), {**body, **({"stages": stages} if stages else {})})
    if begun["state"] == "superseded":
        say(f"{path.stem} is at this version already")
    else:
        say(
            f"rollout {begun['id']}: version {begun['version']} of {path.stem} goes to {begun['agents']} of {begun['members']} agents first"
        )
        note(f"`tailrace rollout show {begun['id']}` tells how it goes")


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the rollouts of a project, the latest first."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = client.own("GET", _path(target))
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    if not rows:
        note(f"project `{target.project}` has had no rollout yet; `tailrace rollout start FILE` begins one")


@app.command
def show(id_: ID, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show one rollout, and what became of it on each agent that has it."""
    target = connect_to_project(connection)
    with Client(target) as client:
        row = client.own("GET", f"{_path(target)}/{id_}")
    if output != "table":
        print_table([row], columns=COLUMNS, output=output)
        return
    print_table([_readable(row)], columns=COLUMNS, output=output)
    say("")
    print_table(row["progress"], columns=("agent_id", "outcome", "message"), output=output)


@app.command
def pause(id_: ID, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let no further agent have it for now."""
    _move(id_, "pause", connection)


@app.command
def resume(id_: ID, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Go on with one that was paused or has stopped; what failed so far is put up with."""
    _move(id_, "resume", connection)


@app.command
def rollback(id_: ID, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Give all agents the version before."""
    _move(id_, "rollback", connection)


def _move(id_: int, verb: str, connection: ConnectionFlags) -> None:
    target = connect_to_project(connection)
    with Client(target) as client:
        row = client.own("POST", f"{_path(target)}/{id_}/{verb}")
    say(f"rollout {id_} of {row['config']} is {row['state']}")


def _path(target: Connection) -> str:
    return f"/projects/{quote(target.project)}/rollouts"


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "stage": f"{row['stage']} of {len(row['stages'])} ({row['stages'][row['stage'] - 1]})",
        "agents": f"{row['agents']} of {row['members']}",
        "changed": moment(row["changed"]),
    }

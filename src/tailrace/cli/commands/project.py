"""`tailrace project`: the projects of a server."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.confirmation import YES, is_confirmed
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import Output, note, print_table, say

app = App(name="project", help="The projects of a server.")

COLUMNS: Final = ("project", "description", "made", "changed")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
NAME = Annotated[str, Parameter(help="The project.")]


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the projects that the key may see."""
    with Client(replace(connect_to_server(connection), project="")) as client:
        rows: list[dict[str, Any]] = client.listed("/", "projects")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    if not rows:
        note("there is no project that this key may see; `tailrace project create NAME` makes one")


@app.command
def create(
    name: NAME, /, *, description: Annotated[str, Parameter(help="What it is for.")] = "", connection: ConnectionFlags = NO_FLAGS
) -> None:
    """Make a project. One that is there already is left as it is."""
    document = {"projectName": name, "description": description}
    with Client(replace(connect_to_server(connection), project=name)) as client:
        made = client.create("/", document, exists="ProjectAlreadyExist")
    say(f"made the project {name}" if made else f"the project {name} is there already")


@app.command
def delete(
    name: NAME,
    /,
    *,
    yes: YES = False,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Delete a project with all its logs, configs and machine groups. Type its name to go on."""
    if not is_confirmed(f"delete the project {name} and everything in it?", name, yes=yes):
        return
    with Client(replace(connect_to_server(connection), project=name)) as client:
        client.sls("DELETE", "/")
    say(f"deleted the project {name}")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    made, changed = (
        datetime.fromtimestamp(int(row[name])).astimezone().isoformat(sep=" ", timespec="seconds")
        for name in ("createTime", "lastModifyTime")
    )
    return {"project": row["projectName"], "description": row["description"], "made": made, "changed": changed}

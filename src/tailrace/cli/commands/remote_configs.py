"""`tailrace config list|history|rollback|delete`: configs that a server keeps and agents run."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, moment, note, print_table, say
from tailrace.errors import ApiError

OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
NAME = Annotated[str, Parameter(help="The config.")]
COLUMNS: Final = ("name", "form", "version", "modified", "logstores", "groups")


def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the configs that a project has on the server."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = client.own("GET", f"/projects/{quote(target.project)}/configs")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    if not rows:
        note(f"project `{target.project}` has no config yet; `tailrace config push FILE` saves one")


def history(name: NAME, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the versions of a config, the newest first."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = client.own("GET", f"{_path(target, name)}/versions")
    readable = rows if output == "json" else [{**row, "saved": moment(row["saved"])} for row in rows]
    print_table(readable, columns=("version", "saved", "author"), output=output)


def rollback(
    name: NAME, version: Annotated[int, Parameter(help="The version to go back to.")], /, *, connection: ConnectionFlags = NO_FLAGS
) -> None:
    """Make an earlier version of a config the next one."""
    target = connect_to_project(connection)
    with Client(target) as client:
        saved = client.own("POST", f"{_path(target, name)}/rollback", {"version": version})
    say(f"{name}: version {saved['version']} is what version {version} was")


def delete(name: NAME, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Delete a config with all its versions. Agents stop running it."""
    with Client(connect_to_project(connection)) as client:
        try:
            client.sls("DELETE", f"/configs/{quote(name)}")
        except ApiError as error:
            if error.error_code != "ConfigNotExist":
                raise
            client.sls("DELETE", f"/pipelineconfigs/{quote(name)}")
    say(f"deleted {name}")


def _path(target: Connection, name: str) -> str:
    return f"/projects/{quote(target.project)}/configs/{quote(name)}"


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "modified": moment(row["modified"]),
        "logstores": ", ".join(row["logstores"]),
        "groups": ", ".join(row["groups"]) or "none: `tailrace group apply`",
    }

"""`tailrace logstore`: the logstores of a project."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.confirmation import YES, is_confirmed
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, note, print_table, say
from tailrace.errors import ApiError

app = App(name="logstore", help="The logstores of a project.")

COLUMNS: Final = ("logstoreName", "ttl", "shardCount", "mode")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
NAME = Annotated[str, Parameter(help="The logstore.")]


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the logstores of a project."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = [_row(client, name) for name in client.listed("/logstores", "logstores")]
    print_table(rows, columns=COLUMNS, output=output)
    if not rows:
        note(f"project `{target.project}` has no logstore yet; `tailrace logstore create NAME` makes one")


@app.command
def create(
    name: NAME,
    /,
    *,
    ttl: Annotated[int, Parameter(help="Days that logs are kept; 3650 is for ever.")] = 30,
    shards: Annotated[int, Parameter(help="Shards that share the writes.")] = 2,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Make a logstore. One that is there already is left as it is."""
    with Client(connect_to_project(connection)) as client:
        made = client.create("/logstores", {"logstoreName": name, "ttl": ttl, "shardCount": shards}, exists="LogStoreAlreadyExist")
    say(f"made the logstore {name}" if made else f"the logstore {name} is there already")


@app.command
def update(
    name: NAME,
    /,
    *,
    ttl: Annotated[int, Parameter(help="Days that logs are kept; 3650 is for ever.")],
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Change how long logs are kept."""
    with Client(connect_to_project(connection)) as client:
        client.sls("PUT", f"/logstores/{quote(name)}", {"logstoreName": name, "ttl": ttl})
    say(f"{name} keeps logs for {ttl} days")


@app.command
def delete(
    name: NAME,
    /,
    *,
    yes: YES = False,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Delete a logstore with all its logs. Type its name to go on."""
    if not is_confirmed(f"delete the logstore {name} and all its logs?", name, yes=yes):
        return
    with Client(connect_to_project(connection)) as client:
        client.sls("DELETE", f"/logstores/{quote(name)}")
    say(f"deleted the logstore {name}")


def _row(client: Client, name: str) -> dict[str, Any]:
    try:
        return client.sls("GET", f"/logstores/{quote(name)}")
    except ApiError as error:
        if error.error_code != "LogStoreNotExist":  # deleted while we look
            raise
        return {"logstoreName": name}

"""`tailrace consumer`: the consumer groups of a logstore, by which programs share its shards."""

from collections.abc import Iterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.confirmation import YES, is_confirmed
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_logstore
from tailrace.cli.output import Output, moment, note, print_table, say

app = App(name="consumer", help="The consumer groups of a logstore, by which programs share its shards.")

COLUMNS: Final = ("group", "shard", "consumer", "checkpoint", "updated")
MICROS: Final = 1_000_000
LOGSTORE = Annotated[str, Parameter(help="The logstore.")]
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]


@app.command(name="list")
def list_(logstore: LOGSTORE, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show who reads which shard, and how far each has said that it is."""
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        groups = [group["name"] for group in client.sls("GET", _path(target))]
        rows = [row for name in groups for row in _rows(client, target, name)]
    print_table(rows, columns=COLUMNS, output=output)
    if not groups:
        note(f"logstore `{target.logstore}` has no consumer group; the program that consumes makes one")


@app.command
def delete(
    logstore: LOGSTORE,
    group: Annotated[str, Parameter(help="The consumer group.")],
    /,
    *,
    yes: YES = False,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Forget a group and how far it is. Type its name to go on."""
    if not is_confirmed(f"delete the consumer group {group}? its programs begin anew", group, yes=yes):
        return
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        client.sls("DELETE", f"{_path(target)}/{quote(group)}")
    say(f"deleted the consumer group {group}")


def _rows(client: Client, target: Connection, name: str) -> Iterator[dict[str, Any]]:
    """One per shard; one without a shard for a group of which nobody has said anything yet."""
    told = client.sls("GET", f"{_path(target)}/{quote(name)}")
    for one in told or [{}]:
        updated = one.get("updateTime")
        yield {
            "group": name,
            "shard": one.get("shard"),
            "consumer": one.get("consumer"),
            "checkpoint": one.get("checkpoint"),
            "updated": moment(updated // MICROS) if updated else None,
        }


def _path(target: Connection) -> str:
    return f"/logstores/{quote(target.logstore)}/consumergroups"

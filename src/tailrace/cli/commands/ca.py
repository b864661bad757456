"""`tailrace ca`: the root certificates of a server, and a new one."""

from datetime import datetime
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import Output, note, print_table, say

app = App(name="ca", help="Show and replace the root certificates of a server.")

COLUMNS: Final = ("number", "state", "made", "expires", "fingerprint")


@app.command
def show(
    *,
    pem: Annotated[bool, Parameter(help="The certificates themselves, for `--ca` and other clients.", negative="")] = False,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Show the roots that have not expired, the oldest first. Agents trust all but the retired ones."""
    with Client(connect_to_server(connection)) as client:
        rows = client.own("GET", "/ca")
    if pem:
        say("".join(row["certificate"] for row in rows if row["state"] != "retired").rstrip())
    else:
        print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)


@app.command
def rotate(
    *,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Make a new root. Agents learn of it at once, it signs after `ca_overlap_secs`, and after as long again the old one is retired."""
    with Client(connect_to_server(connection)) as client:
        rows = client.own("POST", "/ca/rotate")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    note("agents follow by themselves; a client that has the roots in a file needs the new ones: `tailrace ca show --pem`")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    moments = {name: datetime.fromtimestamp(row[name]).astimezone().isoformat(sep=" ", timespec="seconds") for name in ("made", "expires")}
    return {**row, **moments}

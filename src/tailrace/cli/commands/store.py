"""`tailrace store`: what the server keeps."""

from typing import Annotated, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, note, print_table

app = App(name="store", help="What the server keeps.")
app.command("tailrace.cli.commands.store_check:check", name="check")

USAGE: Final = ("logstore", "events", "bytes", "index_bytes", "oldest_day", "ttl_days", "max_bytes")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]


@app.command
def usage(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show what each logstore of a project takes on disk."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = client.own("GET", f"/projects/{quote(target.project)}/storage")
    if rows or output == "csv":
        print_table(rows, columns=USAGE, output=output)
    if not rows:
        note(f"project `{target.project}` has no logstore yet")

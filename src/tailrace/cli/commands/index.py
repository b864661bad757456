"""`tailrace index`: how far the index of a logstore is, and building it anew."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import LOGSTORE, NO_FLAGS, Connection, ConnectionFlags, connect_to_logstore
from tailrace.cli.output import Output, note, print_table

app = App(name="index", help="The index of a logstore.")

for _name in ("show", "set", "delete"):
    app.command(f"tailrace.cli.commands.index_document:{_name if _name != 'set' else 'set_'}", name=_name)

COLUMNS: Final = ("logstore", "state", "keys", "full_text", "events", "done", "trouble")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]


@app.command
def status(logstore: LOGSTORE = "", /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show what queries use, and how far what was saved last is."""
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        row = client.own("GET", _path(target))
    _print(target, row, output)


@app.command
def rebuild(logstore: LOGSTORE = "", /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Build the index anew from the events that are there, in the background. Queries use what there is until then."""
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        row = client.own("POST", f"{_path(target)}/rebuild")
    _print(target, row, output)
    note("`tailrace index status` tells how far it is")


def _path(target: Connection) -> str:
    return f"/projects/{quote(target.project)}/logstores/{quote(target.logstore)}/index"


def _print(target: Connection, row: dict[str, Any], output: Output) -> None:
    print_table([{"logstore": target.logstore, **row}], columns=COLUMNS, output=output)

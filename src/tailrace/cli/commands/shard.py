"""`tailrace shard`: the shards of a logstore."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_logstore
from tailrace.cli.output import Output, moment, print_table

app = App(name="shard", help="The shards of a logstore.")

COLUMNS: Final = ("shard", "status", "begin", "end", "created")
LOGSTORE = Annotated[str, Parameter(help="The logstore.")]
SHARD = Annotated[int, Parameter(help="Its number.")]
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]


@app.command(name="list")
def list_(logstore: LOGSTORE, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the shards, and which hash keys each takes: from `begin` on, `end` is not part of it."""
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        _print(client.sls("GET", _path(target)), output)


@app.command
def split(
    logstore: LOGSTORE,
    shard: SHARD,
    /,
    *,
    into: Annotated[int, Parameter(help="So many even parts.")] = 2,
    at: Annotated[str, Parameter(help="Hash key (32 hex digits) where the second of two parts begins, in place of even ones.")] = "",
    output: OUTPUT = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Let new shards take what one takes now. It is read only from then on, and goes when its logs do."""
    target = connect_to_logstore(logstore, connection)
    where = {"key": at} if at else {"shardCount": str(into)}
    with Client(target) as client:
        _print(client.sls("POST", f"{_path(target)}/{shard}", query={"action": "split", **where}), output)


@app.command
def merge(logstore: LOGSTORE, shard: SHARD, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let one new shard take what this one and the next one take now. Both are read only from then on."""
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        _print(client.sls("POST", f"{_path(target)}/{shard}", query={"action": "merge"}), output)


def _path(target: Connection) -> str:
    return f"/logstores/{quote(target.logstore)}/shards"


def _print(shards: list[dict[str, Any]], output: Output) -> None:
    rows = [
        {
            "shard": one["shardID"],
            "status": one["status"],
            "begin": one["inclusiveBeginKey"],
            "end": one["exclusiveEndKey"],
            "created": moment(one["createTime"]),
        }
        for one in shards
    ]
    print_table(rows, columns=COLUMNS, output=output)

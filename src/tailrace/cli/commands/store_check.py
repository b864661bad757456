"""`tailrace store check`: whether all is there that a project's logstores have taken."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, counted, moment, note, print_table
from tailrace.errors import StateError

COLUMNS: Final = ("logstore", "where", "first", "last", "cause", "after", "before")
HINT: Final = "look for alarms of the journal and the engine in the server's log, and restore a backup beside the server to get them back"
SET_ASIDE: Final = "blocks that could never be inserted lie in `server/quarantine` of the server's home: what is missing may be in them"


def check(
    *,
    output: Annotated[Output, Parameter(help="`table`, `json` (one gap a line) or `csv`.")] = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """List gaps in the row numbers of shards and in the sequences of agents' streams, of the project or one logstore.

    `missing` was acknowledged and is not there: the command fails. `unclear` lies near to something missing; `pending` is on its way;
    `empty` are sequences under which nothing was stored, such as where a filter took all events; `retention` may have gone.
    """
    target = connect_to_project(connection)
    found: dict[str, Mapping[str, Any]] = {}
    with Client(target) as client:
        names = [connection.logstore] if connection.logstore else [row["logstore"] for row in client.own("GET", _path(target.project))]
        for name in names:
            found[name] = client.own("GET", f"/projects/{quote(target.project)}/logstores/{quote(name)}/check")
    rows = [row for name, one in found.items() for row in _rows(name, one)]
    if rows or output == "csv":
        print_table(rows, columns=COLUMNS, output=output)
    for name in (name for name, one in found.items() if one["cut"]):
        note(f"logstore `{name}` has more gaps than are listed")
    missing = sum(one["missing_events"] for one in found.values())
    if missing:
        aside = any(one["set_aside_blocks"] for one in found.values())
        message = f"project `{target.project}` lacks {counted(missing, 'acknowledged event')}"
        raise StateError(message, hint=SET_ASIDE if aside else HINT)
    note(f"{counted(sum(one['events'] for one in found.values()), 'event')} in {counted(len(found), 'logstore')}: none is missing")


def _path(project: str) -> str:
    return f"/projects/{quote(project)}/storage"


def _rows(logstore: str, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for hole in found["shards"]:
        yield _row(logstore, f"shard {hole['shard']}", hole)
    for gap in found["streams"]:
        yield _row(logstore, f"{gap['agent']}/{gap['epoch']}/{gap['stream']}", gap)


def _row(logstore: str, where: str, gap: Mapping[str, Any]) -> dict[str, Any]:
    between = {name: moment(int(gap[name])) if gap[name] else "" for name in ("after", "before")}
    return {"logstore": logstore, "where": where, "first": gap["first"], "last": gap["last"], "cause": gap["cause"], **between}

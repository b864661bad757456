"""`tailrace import-ilogtail`: go on where a Logtail stood, with its configs, positions, ids and limits."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_server
from tailrace.cli.home import AGENT_HOME, DEFAULT, become_owner
from tailrace.cli.output import Exit, Output, note, print_table
from tailrace.errors import ApiError, UsageError

if TYPE_CHECKING:
    from tailrace.agent.logtail.takeover import Plan, Row, Takeover

app = App(name="import-ilogtail", help="Go on where a Logtail stood.")

COLUMNS: Final = ("what", "name", "outcome")
NEEDED: Final = ("config", "positions", "position")
"""What is not taken of these makes the exit code 4."""
TTL_DAYS: Final = 30
SHARDS: Final = 2


@app.default
def import_ilogtail(
    directory: Annotated[Path, Parameter(help="Directory of the Logtail, usually `/usr/local/ilogtail`.")],
    /,
    *,
    check_point: Annotated[
        Path | None,
        Parameter(help="File with its positions; else the one that it uses itself.", show_default=False),
    ] = None,
    send_to: Annotated[
        str, Parameter(help="Where the logs go, `https://host:9481`; else the server that the agent has joined.", show_default=False)
    ] = "",
    push: Annotated[bool, Parameter(help="Save the configs on the server, in place of files in the home.", negative="")] = False,
    group: Annotated[str, Parameter(help="With `--push`: apply them to this machine group, made if need be.", show_default=False)] = "",
    dry_run: Annotated[bool, Parameter(help="Say what would be done, and do nothing.", negative="")] = False,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> int:
    """Take over configs, positions, user-defined ids and start-up parameters of a Logtail: each file goes on where it stood.

    Stop Logtail and the agent first. What could not be taken over is listed, with the reason. With `--project` all configs go into
    that one. Doing it again changes nothing.
    """
    from tailrace.agent.logtail.remains import read_remains
    from tailrace.agent.logtail.takeover import Takeover, plan

    home = (AGENT_HOME if connection.home == DEFAULT else connection.home).expanduser().absolute()
    remains = read_remains(directory.expanduser().absolute(), check_point)
    target = connect_to_server(replace(connection, home=home)) if push else None
    become_owner(home)
    with Takeover(home, remains, write=not dry_run) as takeover:
        made = plan(remains, lambda project: send_to or takeover.endpoint_of(project), project=connection.project)
        rows: list[Row] = list(made.rows)
        if target is not None:
            _must_be_joined(made, takeover, connection.project)
            rows += [] if dry_run else _pushed(made, target, remains.ids, project=connection.project, group=group)
        else:
            rows += takeover.pipelines(made)
        rows += [*takeover.positions(made), *takeover.ids(), *takeover.settings()]
    print_table([asdict(row) for row in rows], columns=COLUMNS, output=output)
    if not remains.marked_at:
        note("no positions were found: files that stand there are collected from when they change; `--check-point` names the file")
    note("nothing was changed" if dry_run else "start the agent: it goes on where Logtail stood")
    return Exit.PARTIAL if any(row.what in NEEDED and not row.is_taken for row in rows) else Exit.FINE


def _must_be_joined(made: "Plan", takeover: "Takeover", project: str) -> None:
    """Without a server's name for it, a stream would not be found again."""
    for one, _ in made.configs:
        wanted = project or one.project
        if not takeover.endpoint_of(wanted):
            hint = "`tailrace agent enroll` joins it; `--project` names another project for all configs"
            raise UsageError(f"this agent has not joined a server for project `{wanted}`", hint=hint)


def _pushed(made: "Plan", target: Connection, ids: Sequence[str], *, project: str, group: str) -> list["Row"]:
    """Save each config on the server; one that is refused leaves the plan."""
    from tailrace.agent.logtail.takeover import Row

    rows: list[Row] = []
    for one, pipeline in list(made.configs):
        place = replace(target, project=project or one.project)
        document = one.document(endpoint="", project=project)
        try:
            with Client(place) as client:
                rows += [Row("config", one.full_name, f"taken: {what}") for what in _save(client, one.name, document, ids, group)]
        except ApiError as error:
            made.configs.remove((one, pipeline))
            rows.append(Row("config", one.full_name, f"not taken: {error.message}"))
    return rows


def _save(client: Client, name: str, document: dict[str, Any], ids: Sequence[str], group: str) -> Iterator[str]:
    logstore = document["outputDetail"]["logstoreName"]
    if logstore:
        wanted = {"logstoreName": logstore, "ttl": TTL_DAYS, "shardCount": SHARDS}
        if client.create("/logstores", wanted, exists="LogStoreAlreadyExist"):
            yield f"made the logstore `{logstore}`, which keeps logs for {TTL_DAYS} days"
    saved = client.create("/configs", document, exists="ConfigAlreadyExist")
    yield f"saved as `{name}`" if saved else f"there is a config `{name}` already, which stays as it is"
    if group:
        members = {
            "groupName": group,
            "groupType": "",
            "machineIdentifyType": "userdefined",
            "machineList": list(ids),
            "groupAttribute": {},
        }
        if client.create("/machinegroups", members, exists="MachineGroupAlreadyExist"):
            yield f"made the machine group `{group}` of the user-defined ids"
        client.sls("PUT", f"/machinegroups/{quote(group)}/configs/{quote(name)}")
        yield f"applied to the machine group `{group}`"

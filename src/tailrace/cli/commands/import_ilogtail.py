"""`tailrace import-ilogtail`: go on where a Logtail stood, with its configs, positions, ids and limits."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, Connection, ConnectionFlags, connect_to_server
from tailrace.cli.home import AGENT_HOME, DEFAULT, become_owner
from tailrace.cli.output import Exit, Output, note, print_table
from tailrace.errors import ApiError, StateError, UsageError

if TYPE_CHECKING:
    from tailrace.agent.logtail.takeover import Plan, Row, Takeover
    from tailrace.pipeline.labels import Machine

app = App(name="import-ilogtail", help="Go on where a Logtail stood.")

COLUMNS: Final = ("what", "name", "outcome")
NEEDED: Final = ("config", "positions", "position", "data", "history")
"""What is not taken of these makes the exit code 4."""
TIMES: Final = ("createTime", "lastModifyTime")
"""What a server adds to a config."""
TTL_DAYS: Final = 30
SHARDS: Final = 2


@dataclass(frozen=True, slots=True)
class _Group:
    """A machine group that the configs are applied to; none without `name`. `ids`: those of Logtail. `machine`: this one."""

    name: str
    ids: Sequence[str]
    machine: "Machine"


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
            wanted = _Group(group, remains.ids, takeover.machine())
            rows += [] if dry_run else _pushed(made, target, wanted, project=connection.project)
        else:
            rows += takeover.pipelines(made)
        rows += [*takeover.positions(made), *takeover.left(), *takeover.ids(), *takeover.settings()]
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


def _pushed(made: "Plan", target: Connection, group: _Group, *, project: str) -> list["Row"]:
    """Save each config on the server; one that is not there afterwards leaves the plan."""
    from tailrace.agent.logtail.takeover import Row

    rows: list[Row] = []
    for one, pipeline in list(made.configs):
        document = one.document(endpoint="", project=project)
        is_saved = False
        try:
            with Client(replace(target, project=project or one.project)) as client:
                for what in _prepared(client, document["outputDetail"]["logstoreName"], group):
                    rows.append(Row("config", one.full_name, f"taken: {what}"))  # noqa: PERF401 - those before an error count
                rows.append(Row("config", one.full_name, f"taken: {_saved(client, one.name, document)}"))
                is_saved = True
                if group.name:
                    client.sls("PUT", f"/machinegroups/{quote(group.name)}/configs/{quote(one.name)}")
                    rows.append(Row("config", one.full_name, f"taken: applied to the machine group `{group.name}`"))
        except (ApiError, StateError) as error:
            why = f"it is saved, but not applied to `{group.name}`: {error.message}" if is_saved else error.message
            rows.append(Row("config", one.full_name, f"not taken: {why}{f' ({error.hint})' if error.hint else ''}"))
            if not is_saved:
                made.configs.remove((one, pipeline))
    return rows


def _prepared(client: Client, logstore: str, group: _Group) -> Iterator[str]:
    """The group, of which this agent has to be, and the logstore: before a config is saved that would need them. StateError, ApiError."""
    if group.name and (what := _grouped(client, group)):
        yield what
    wanted = {"logstoreName": logstore, "ttl": TTL_DAYS, "shardCount": SHARDS}
    if logstore and client.create("/logstores", wanted, exists="LogStoreAlreadyExist"):
        yield f"made the logstore `{logstore}`, which keeps logs for {TTL_DAYS} days"


def _grouped(client: Client, group: _Group) -> str:
    """Logtail knew the machine by its ids, or by its address where it had none."""
    kind, labels = ("userdefined", group.ids) if group.ids else ("ip", [group.machine.address])
    members = {"groupName": group.name, "groupType": "", "machineIdentifyType": kind, "machineList": list(labels), "groupAttribute": {}}
    if client.create("/machinegroups", members, exists="MachineGroupAlreadyExist"):
        return f"made the machine group `{group.name}` of {'the user-defined ids' if group.ids else f'the address {labels[0]}'}"
    known = client.sls("GET", f"/machinegroups/{quote(group.name)}")
    is_by_address = known["machineIdentifyType"] == "ip"
    ours = [group.machine.address] if is_by_address else group.machine.user_defined_ids
    if set(ours).isdisjoint(known["machineList"]):
        carried = ", ".join(f"`{one}`" for one in ours) or "none"
        noun = "address" if is_by_address else "user-defined ids"
        hint = f"`tailrace group set {group.name} …` says who belongs to it, then do this again"
        raise StateError(f"this machine is not in the machine group `{group.name}`, which has not its {noun}: {carried}", hint=hint)
    return ""


def _saved(client: Client, name: str, document: dict[str, Any]) -> str:
    """StateError where another config has the name."""
    if client.create("/configs", document, exists="ConfigAlreadyExist"):
        return f"saved as `{name}`"
    known = client.sls("GET", f"/configs/{quote(name)}")
    if {key: value for key, value in known.items() if key not in TIMES} != document:
        hint = "delete or rename that one, or change it until it says the same"
        raise StateError(f"the server has a config `{name}` that says something else", hint=hint)
    return f"it is on the server already, as `{name}`"

"""`tailrace group`: machine groups, who is in them, and which configs are applied to them."""

import time
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, note, print_table, say
from tailrace.errors import ApiError, UsageError

app = App(name="group", help="Machine groups: which agents collect what.")

MEMBERS: Final = ("agent_id", "host_name", "address", "ids", "version", "heartbeat", "configs")
UNRESOLVED: Final = ("machine", "agent_id", "reason")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
NAME = Annotated[str, Parameter(help="The machine group.")]


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the machine groups of a project."""
    target = connect_to_project(connection)
    with Client(target) as client:
        rows = [_row(client, name) for name in client.listed("/machinegroups", "machinegroups")]
    print_table(rows, columns=("group", "by", "machines", "topic", "configs"), output=output)
    if not rows:
        note(f"project `{target.project}` has no machine group yet; `tailrace group set NAME --id ID` makes one")


@app.command
def show(name: NAME, /, *, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the agents of a group and what they run; and what the group names and is not in it, with the reason."""
    target = connect_to_project(connection)
    with Client(target) as client:
        answer = client.own("GET", f"/projects/{quote(target.project)}/groups/{quote(name)}/members")
    members, unresolved = answer["members"], answer["unresolved"]
    if output != "table":
        rows = [*({"state": "member", **one} for one in members), *({"state": "unresolved", **one} for one in unresolved)]
        print_table(rows, columns=list(dict.fromkeys(key for row in rows for key in row)), output=output)
        return
    if members:
        print_table([_member(one) for one in members], columns=MEMBERS, output=output)
    else:
        note("no agent is in this group")
    if unresolved:
        say("")
        print_table(unresolved, columns=UNRESOLVED, output=output)


@app.command(name="set")
def set_(
    name: NAME,
    /,
    *,
    ip: Annotated[list[str] | None, Parameter(help="Addresses of its machines.", negative="", consume_multiple=True)] = None,
    id_: Annotated[
        list[str] | None,
        Parameter(name="--id", help="User-defined ids: agents carry them in `HOME/user_defined_id`.", negative="", consume_multiple=True),
    ] = None,
    topic: Annotated[
        str | None,
        Parameter(help="Topic of what its agents collect, where a config asks for it; empty takes it away.", show_default=False),
    ] = None,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Make a machine group, or change who belongs to it."""
    if bool(ip) == bool(id_):
        raise UsageError("a group knows its machines by `--ip` or by `--id`", hint="give one of them, with one value or several")
    body = {
        "groupName": name,
        "groupType": "",
        "machineIdentifyType": "ip" if ip else "userdefined",
        "machineList": ip or id_,
        "groupAttribute": {"groupTopic": topic} if topic else {},
    }
    with Client(connect_to_project(connection)) as client:
        if not client.create("/machinegroups", body, exists="MachineGroupAlreadyExist"):
            known = client.sls("GET", f"/machinegroups/{quote(name)}")
            attribute = known["groupAttribute"] if topic is None else {**known["groupAttribute"], "groupTopic": topic}
            kept = {"groupType": known["groupType"], "groupAttribute": {key: text for key, text in attribute.items() if text}}
            client.sls("PUT", f"/machinegroups/{quote(name)}", {**body, **kept})
    say(f"saved the machine group {name}")


@app.command
def delete(name: NAME, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Delete a machine group. Its agents stop what was applied to it, and to no other group of theirs."""
    with Client(connect_to_project(connection)) as client:
        client.sls("DELETE", f"/machinegroups/{quote(name)}")
    say(f"deleted the machine group {name}")


@app.command
def apply(name: NAME, config: Annotated[str, Parameter(help="The config.")], /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let the agents of a group run a config. Doing it again changes nothing."""
    with Client(connect_to_project(connection)) as client:
        client.sls("PUT", f"/machinegroups/{quote(name)}/configs/{quote(config)}")
    say(f"applied {config} to {name}; `tailrace group show {name}` tells what its agents make of it")


@app.command
def remove(name: NAME, config: Annotated[str, Parameter(help="The config.")], /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Take a config from a group: its agents stop running it."""
    with Client(connect_to_project(connection)) as client:
        client.sls("DELETE", f"/machinegroups/{quote(name)}/configs/{quote(config)}")
    say(f"removed {config} from {name}")


@app.command
def settings(
    name: NAME,
    /,
    *,
    set_: Annotated[
        list[str] | None, Parameter(name="--set", help="`KEY=VALUE`, as in `agent.yaml`; may be repeated.", negative="")
    ] = None,
    unset: Annotated[list[str] | None, Parameter(help="Settings that the group gives no more.", negative="", consume_multiple=True)] = None,
    output: OUTPUT = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Show the settings that the agents of a group get, or change them. What a machine says itself wins (`tailrace agent settings`)."""
    target = connect_to_project(connection)
    path = f"/projects/{quote(target.project)}/groups/{quote(name)}/settings"
    with Client(target) as client:
        known = client.own("GET", path)
        if set_ or unset:
            values = {key: value for key, value in known["settings"].items() if key not in (unset or [])} | dict(map(_setting, set_ or []))
            known = client.own("PUT", path, {"settings": values})
            note(f"saved; `tailrace agent list --group {name} --output json` tells what the agents make of it")
    rows = [{"key": key, "value": value} for key, value in known["settings"].items()]
    print_table(rows, columns=("key", "value"), output=output)
    if not rows:
        note(f"the machine group {name} gives no settings")


def _setting(text: str) -> tuple[str, Any]:
    """Values as YAML has them: `0.4`, `true`, `debug`."""
    from tailrace.pipeline.documents import read

    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"`--set {text}` has no `=`", hint="write `--set KEY=VALUE`")
    return key, read(value, key).value


def _row(client: Client, name: str) -> dict[str, Any]:
    try:
        group = client.sls("GET", f"/machinegroups/{quote(name)}")
        configs = client.sls("GET", f"/machinegroups/{quote(name)}/configs")["configs"]
    except ApiError as error:
        if error.error_code != "MachineGroupNotExist":  # deleted while we look
            raise
        return {"group": name}
    return {
        "group": name,
        "by": "ip" if group["machineIdentifyType"] == "ip" else "id",
        "machines": ", ".join(group["machineList"]),
        "topic": group["groupAttribute"].get("groupTopic", ""),
        "configs": ", ".join(configs),
    }


def _member(one: dict[str, Any]) -> dict[str, Any]:
    configs = "; ".join(f"{name}: {outcome}" for name, outcome in one["configs"].items())
    heartbeat = f"{max(0, int(time.time()) - one['last_beat'])} s ago"
    return {**one, "ids": ", ".join(one["user_defined_ids"]), "heartbeat": heartbeat, "configs": configs}

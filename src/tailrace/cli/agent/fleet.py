"""`tailrace agent list`, `why`, `revoke`, `reinstate` and `purge`: the agents that a server knows."""

import time
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from cyclopts import Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_project, connect_to_server
from tailrace.cli.output import Output, moment, note, print_table, say

COLUMNS: Final = ("agent_id", "host_name", "status", "since", "reason", "groups", "configs", "version", "heartbeat")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
PAGE: Final = 1000
Status = Literal["retired", "silent", "lagging", "failed to apply", "applying", "degraded", "healthy", "new"]


def list_(
    *,
    status: Annotated[Status | None, Parameter(help="Only those that are so.", show_default=False)] = None,
    group: Annotated[str, Parameter(help="Only members of this machine group.", show_default=False)] = "",
    host: Annotated[str, Parameter(help="Only these host names; may have `*` and `?`.", show_default=False)] = "",
    ip: Annotated[str, Parameter(help="Only those with this address.", show_default=False)] = "",
    id_: Annotated[str, Parameter(name="--id", help="Only those with this user-defined id.", show_default=False)] = "",
    version: Annotated[str, Parameter(name="--release", help="Only those of this release of the agent.", show_default=False)] = "",
    config: Annotated[str, Parameter(help="Only those that have been given this config.", show_default=False)] = "",
    output: OUTPUT = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Show the agents of a project: how each is, since when and why, what it belongs to and what it runs."""
    target = connect_to_project(connection)
    filters = {"group": group, "host": host, "ip": ip, "user_defined_id": id_, "version": version, "config": config, "status": status or ""}
    asked = {name: value for name, value in filters.items() if value}
    rows: list[dict[str, Any]] = []
    with Client(target) as client:
        while True:
            query = {**asked, "offset": str(len(rows)), "size": str(PAGE)}
            answer = client.own("GET", f"/projects/{quote(target.project)}/agents", query=query)
            rows += answer["agents"]
            if not answer["agents"] or len(rows) >= answer["total"]:
                break
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    if output == "table":
        counts = ", ".join(f"{count} {name}" for name, count in answer["statuses"].items())
        note(counts or f"no agent has joined project `{target.project}`; `tailrace agent token create` makes a token for one")


def why(
    machine: Annotated[str, Parameter(help="An address, a user-defined id, a host name, or an agent's id.")],
    /,
    *,
    group: Annotated[str, Parameter(help="Why is it not in this machine group?", show_default=False)] = "",
    config: Annotated[str, Parameter(help="Why does it not run this config?", show_default=False)] = "",
    output: OUTPUT = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> int:
    """Say why a machine is not in a group, or does not collect. Ends with 1 when something is in its way."""
    target = connect_to_project(connection)
    query = {name: value for name, value in {"machine": machine, "group": group, "config": config}.items() if value}
    with Client(target) as client:
        findings = client.own("GET", f"/projects/{quote(target.project)}/why", query=query)
    rows = findings if output == "json" else [{**one, "ok": "ok" if one["ok"] else "NO"} for one in findings]
    print_table(rows, columns=("ok", "what", "hint"), output=output)
    return 0 if all(one["ok"] for one in findings) else 1


def purge(
    agents: Annotated[list[str], Parameter(help="Their ids.", negative="", consume_multiple=True)],
    /,
    *,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Forget agents that are silent for good. One that comes back has to join again, and is the same agent then."""
    with Client(connect_to_server(connection)) as client:
        for agent in agents:
            client.own("DELETE", f"/agents/{agent}")
            say(f"forgot {agent}")


def revoke(
    agent: Annotated[str, Parameter(help="Its id.")],
    /,
    *,
    only: Annotated[str, Parameter(name="--only", help="Take this project from it and leave it the others.", show_default=False)] = "",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Shut an agent out: the server takes nothing from it any more."""
    with Client(connect_to_server(connection)) as client:
        if only:
            client.own("DELETE", f"/agents/{agent}/projects/{only}")
        else:
            client.own("POST", f"/agents/{agent}/revoke")
    say(f"took project {only} from {agent}" if only else f"revoked {agent}")


def reinstate(agent: Annotated[str, Parameter(help="Its id.")], /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let a revoked agent in again."""
    with Client(connect_to_server(connection)) as client:
        client.own("POST", f"/agents/{agent}/reinstate")
    say(f"reinstated {agent}")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "since": moment(row["since"]),
        "groups": ", ".join(row["groups"]),
        "configs": "; ".join(f"{one['name'].partition('@')[2]}: {one['outcome']}" for one in row["configs"]),
        "heartbeat": f"{max(0, int(time.time()) - row['last_beat'])} s ago" if row["last_beat"] else "never",
    }

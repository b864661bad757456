"""`tailrace agent list`, `revoke` and `reinstate`: the agents that a server knows."""

from typing import Annotated, Any, Final

from cyclopts import Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import Output, print_table, say

COLUMNS: Final = ("agent_id", "host_name", "state", "enrolled_by", "projects")


def list_(
    *,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Show the agents that are or were enrolled on a server."""
    with Client(connect_to_server(connection)) as client:
        rows = client.own("GET", "/agents")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)


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
    return {**row, "projects": "; ".join(f"{project}: {', '.join(stores)}" for project, stores in row["projects"].items())}

"""`tailrace agent token`: make, list and revoke join tokens, on the server."""

from datetime import datetime
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import Output, note, print_table, say
from tailrace.cli.period import seconds_of

app = App(name="token", help="Make, list and revoke join tokens, on the server.")

COLUMNS: Final = ("id", "project", "logstores", "state", "used", "uses_left", "expires", "note")


@app.command
def create(
    *,
    only: Annotated[
        tuple[str, ...], Parameter(name="--only", help="Logstore that agents may write to; several times; else all.", negative="")
    ] = (),
    uses: Annotated[int, Parameter(help="How many agents may join with it; 0 is any number.")] = 1,
    expires: Annotated[str, Parameter(help="How long it is valid: `30m`, `24h`, `7d`.")] = "24h",
    remark: Annotated[str, Parameter(help="A remark for people.")] = "",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Make a join token for a project and print it. It is shown this once."""
    to = connect_to_server(connection)
    wanted = {
        "project": to.project,
        "logstores": list(only) or ["*"],
        "uses": uses or None,
        "expires_secs": seconds_of(expires),
        "note": remark,
    }
    with Client(to) as client:
        made = client.own("POST", "/tokens", wanted)
    say(made["token"])
    note(f"on the other machine: tailrace agent enroll --server {made['addresses'][0]} --token -   (and the token as its input)")


@app.command(name="list")
def list_(
    *,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Show all join tokens, the newest first, without their secrets."""
    with Client(connect_to_server(connection)) as client:
        rows = client.own("GET", "/tokens")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)


@app.command
def revoke(token: Annotated[str, Parameter(help="Its id.")], /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let nobody join with a token any more. Agents that have joined stay."""
    with Client(connect_to_server(connection)) as client:
        client.own("POST", f"/tokens/{token}/revoke")
    say(f"revoked {token}")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    expires = datetime.fromtimestamp(row["expires"]).astimezone().isoformat(sep=" ", timespec="seconds")
    return {**row, "logstores": ", ".join(row["logstores"]), "expires": expires}

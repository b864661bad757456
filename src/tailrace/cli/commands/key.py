"""`tailrace key`: access keys of people and programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import Output, note, print_table, say
from tailrace.cli.period import seconds_of
from tailrace.errors import UsageError

app = App(name="key", help="Access keys of people and programs.")

COLUMNS: Final = ("id", "owner", "project", "logstores", "actions", "expires", "note")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
KEY = Annotated[str, Parameter(help="Its id.")]


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the keys that may be revoked from here, without their secrets."""
    with Client(connect_to_server(connection)) as client:
        rows = client.own("GET", "/keys")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)


@app.command
def create(
    *,
    user: Annotated[str, Parameter(help="Whose it is: it may do what they may.", show_default=False)] = "",
    role: Annotated[Literal["reader", "operator", "admin"] | None, Parameter(help="Of a program's key.", show_default=False)] = None,
    only_project: Annotated[str, Parameter(help="The only project that it reaches.", show_default=False)] = "",
    only_logstore: Annotated[Sequence[str], Parameter(help="The only logstores; several times.", negative="", consume_multiple=True)] = (),
    only_action: Annotated[
        Sequence[str], Parameter(help="The only actions, `log:Get*`; several times.", negative="", consume_multiple=True)
    ] = (),
    expires: Annotated[str, Parameter(help="How long it is valid: `24h`, `90d`; else until it is revoked.", show_default=False)] = "",
    remark: Annotated[str, Parameter(help="A remark for people.", show_default=False)] = "",
    output: OUTPUT = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Make a key and print it. Its secret is shown this once."""
    if bool(user) == bool(role):
        raise UsageError("a key belongs to a user or has a role", hint="give `--user NAME` or `--role reader`")
    wanted = {
        "user": user,
        "role": role or "",
        "project": only_project,
        "logstores": list(only_logstore),
        "actions": list(only_action),
        "expires_secs": seconds_of(expires) if expires else None,
        "note": remark,
    }
    with Client(connect_to_server(connection)) as client:
        made = client.own("POST", "/keys", wanted)
    print_table([made], columns=("id", "key_secret"), output=output)
    note("the secret is not shown again: put it where TAILRACE_KEY_SECRET comes from")


@app.command
def revoke(key: KEY, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let nobody sign with a key any more."""
    with Client(connect_to_server(connection)) as client:
        client.own("DELETE", f"/keys/{quote(key)}")
    say(f"revoked {key}")


@app.command
def reset(
    key: Annotated[str, Parameter(help="Its id; without one, the server's own key in `secret/admin.json`.", show_default=False)] = "",
    /,
    *,
    output: OUTPUT = "table",
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Give a key another secret. The server's own works on its home without the server, too."""
    from tailrace.cli.home import is_stopped_server

    home = connection.home.expanduser().absolute()
    if not key and not connection.endpoint and is_stopped_server(home):
        from tailrace.server.auth.local import reset_admin_key

        say(f"the server's key {reset_admin_key(home)} has another secret, in {home / 'secret' / 'admin.json'}")
        return
    target = connect_to_server(connection)
    with Client(target) as client:
        own = key or next(row["id"] for row in reversed(client.own("GET", "/keys")) if row["kind"] == "admin")
        made = client.own("POST", f"/keys/{quote(own)}/reset")
    print_table([made], columns=("id", "key_secret"), output=output)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    expires = datetime.fromtimestamp(row["expires"]).astimezone().isoformat(sep=" ", timespec="seconds") if row["expires"] else "never"
    owner = row["user"] or (f"role {row['role']}" if row["role"] else "the server")
    return {**row, "owner": owner, "expires": expires, "logstores": ", ".join(row["logstores"]), "actions": ", ".join(row["actions"])}

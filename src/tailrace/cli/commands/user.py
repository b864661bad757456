"""`tailrace user`: who may use a server, and what they may do."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import Output, note, print_table, say
from tailrace.cli.passwords import new_password, old_password
from tailrace.errors import UsageError

app = App(name="user", help="Who may use a server, and what they may do.")

COLUMNS: Final = ("name", "roles", "enabled", "sessions")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
NAME = Annotated[str, Parameter(help="The user.")]
ROLES = Annotated[
    Sequence[str],
    Parameter(name="--role", help="`PROJECT=ROLE`, or ROLE for all projects and the server; several times.", negative=""),
]
KNOWN: Final = ("reader", "operator", "admin")


@app.command(name="list")
def list_(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the users of a server."""
    with Client(connect_to_server(connection)) as client:
        rows = client.own("GET", "/users")
    print_table(rows if output == "json" else [_readable(row) for row in rows], columns=COLUMNS, output=output)
    if not rows:
        note("there is no user yet; `tailrace user add NAME --role admin` makes one")


@app.command
def add(name: NAME, /, *, role: ROLES = (), connection: ConnectionFlags = NO_FLAGS) -> None:
    """Make a user. The password is asked for, or read from standard input."""
    roles = _roles(role)
    with Client(connect_to_server(connection)) as client:
        client.own("POST", "/users", {"name": name, "password": new_password(name), "roles": roles})
    say(f"made the user {name}")


@app.command
def set_role(
    name: NAME,
    role: Annotated[Literal["reader", "operator", "admin", "none"], Parameter(help="The role, or `none` to take it.")],
    /,
    *,
    everywhere: Annotated[bool, Parameter(help="In all projects and the server, not in one project.", negative="")] = False,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Give a user a role in a project."""
    target = connect_to_server(connection)
    place = "*" if everywhere else target.project
    if not place:
        raise UsageError("it is not known in which project", hint="name it with `--project`, or say `--everywhere`")
    with Client(target) as client:
        if everywhere:
            roles = {**client.own("GET", f"/users/{quote(name)}")["roles"], "*": role}
            client.own("PUT", f"/users/{quote(name)}", {"roles": {key: value for key, value in roles.items() if value != "none"}})
        elif role == "none":
            client.own("DELETE", f"/projects/{quote(place)}/roles/{quote(name)}")
        else:
            client.own("PUT", f"/projects/{quote(place)}/roles/{quote(name)}", {"role": role})
    say(f"{name} is {role} in {'all projects' if everywhere else place}" if role != "none" else f"{name} has no role there any more")


@app.command
def enable(name: NAME, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Let a user in again."""
    with Client(connect_to_server(connection)) as client:
        client.own("PUT", f"/users/{quote(name)}", {"enabled": True})
    say(f"{name} may log in")


@app.command
def disable(name: NAME, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Shut a user out: sessions end, keys do not work."""
    with Client(connect_to_server(connection)) as client:
        client.own("PUT", f"/users/{quote(name)}", {"enabled": False})
    say(f"{name} is shut out")


@app.command
def reset_password(name: NAME, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Give a user another password; your own, after the present one. On the server's own home this works without the server, too."""
    from tailrace.cli.home import is_stopped_server

    home = connection.home.expanduser().absolute()
    if not connection.endpoint and is_stopped_server(home):
        from tailrace.server.auth.local import reset_password as reset

        reset(home, name, new_password(name))
    else:
        with Client(connect_to_server(connection)) as client:
            own = client.own("GET", "/sessions/current")["user"] == name
            known = {"old_password": old_password(name)} if own else {}
            client.own("PUT", f"/users/{quote(name)}/password", {**known, "password": new_password(name)})
    say(f"{name} has another password; all sessions ended")


@app.command
def delete(name: NAME, /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Delete a user with sessions and keys."""
    with Client(connect_to_server(connection)) as client:
        client.own("DELETE", f"/users/{quote(name)}")
    say(f"deleted the user {name}")


def _roles(words: Sequence[str]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for word in words:
        project, _, role = word.rpartition("=")
        if role not in KNOWN:
            raise UsageError(f"`{word}` is no role", hint="write `shop=reader`, or `admin` for all projects")
        roles[project or "*"] = role
    return roles


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "roles": ", ".join(f"{project}={role}" for project, role in row["roles"].items())}

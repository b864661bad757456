"""`tailrace quota`: what a project or a logstore may use, and what it uses."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_project
from tailrace.cli.output import Output, print_table
from tailrace.errors import UsageError

EXAMPLES: Final = """Examples:

  tailrace quota show
  tailrace quota set queries_at_once=2 query_secs=20
  tailrace quota set max_bytes=50000000000 --logstore access-log
  tailrace quota set query_secs=default"""

app = App(name="quota", help="What a project or a logstore may use, and what it uses.", help_epilogue=EXAMPLES, help_format="plaintext")

COLUMNS: Final = ("quota", "limit", "set_for", "used", "waiting", "refused")
OUTPUT = Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")]
BOUND = Annotated[
    str, Parameter(help="`NAME=NUMBER`; 0 is no bound (a query's time and memory always have one), `default` is the server's.")
]


@app.command
def show(*, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Show the quotas of a project, or of one logstore (`--logstore`), and what is used of them now."""
    target = connect_to_project(connection)
    with Client(target) as client:
        _print(client, _path(target.project, connection.logstore), output)


@app.command(name="set")
def set_(*bounds: BOUND, output: OUTPUT = "table", connection: ConnectionFlags = NO_FLAGS) -> None:
    """Change some quotas of a project, or of one logstore (`--logstore`); the others stay. In force at once."""
    changes = dict(_bound(text) for text in bounds)
    if not changes:
        raise UsageError("no quota is named", hint="such as `tailrace quota set query_secs=20`")
    target = connect_to_project(connection)
    path = _path(target.project, connection.logstore)
    with Client(target) as client:
        present: dict[str, Any] = client.own("GET", path)
        for name in changes:
            _check_name(name, present, "a logstore" if connection.logstore else "a project")
        document = {**present, **changes}
        client.own("PUT", path, {name: value for name, value in document.items() if value is not None})
        _print(client, path, output)


def _bound(text: str) -> tuple[str, int | None]:
    name, equals, value = text.partition("=")
    if not equals or not (value == "default" or (value.isascii() and value.isdigit())):
        raise UsageError(f"`{text}` is no quota", hint="write `NAME=NUMBER` or `NAME=default`; `tailrace quota show` has the names")
    return name.strip(), None if value == "default" else int(value)


def _check_name(name: str, known: Iterable[str], whose: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f"the nearest one is `{near[0]}`" if near else f"it has {', '.join(known)}"
        raise UsageError(f"{whose} has no quota `{name}`", hint=hint)


def _path(project: str, logstore: str) -> str:
    inside = f"/logstores/{quote(logstore)}" if logstore else ""
    return f"/projects/{quote(project)}{inside}/quota"


def _print(client: Client, path: str, output: Output) -> None:
    rows = client.own("GET", f"{path}/use")
    print_table([_readable(row) for row in rows] if output == "table" else rows, columns=COLUMNS, output=output)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Nothing stands where there is no bound, nothing that adds up, or nothing to tell."""
    used = "" if row["used"] is None else f"{row['used']:.15g}"
    return {**row, "limit": row["limit"] or "", "used": used, "waiting": row["waiting"] or "", "refused": row["refused"] or ""}

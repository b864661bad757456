"""`tailrace query`: search and analyse logs from the shell."""

import re
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import Connection, ConnectionFlags, connect
from tailrace.cli.events import local_time, table_of, without_formulas
from tailrace.cli.output import Exit, Output, note, print_table
from tailrace.cli.period import period
from tailrace.errors import ApiError, TailraceError, UsageError

EXAMPLES: Final = """Examples:

  tailrace query 'status >= 500 and not uri: health' --since 15m
  tailrace query 'level: ERROR | select host, count(*) as n group by host'
  tailrace query 'timeout' --since '2026-11-22 10:00' --output csv > out.csv"""

app = App(name="query", help="Search and analyse logs.", help_epilogue=EXAMPLES, help_format="plaintext")

DEFAULT_LIMIT = 100
_LAST_SECOND = 1 << 33


@app.default
def query(
    query: str = "*",
    /,
    *,
    since: str = "1h",
    until: str = "now",
    limit: int | None = None,
    reverse: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    tz: Annotated[str, Parameter(show_default=False)] = "",
    output: Output = "table",
    connection: ConnectionFlags = ConnectionFlags(),  # noqa: B008 - frozen
) -> int:
    """Search and analyse logs.

    Parameters
    ----------
    query
        `SEARCH`, or `SEARCH | SQL`. docs/reference/search-language.md has both languages.
    since
        Where the time range begins: an age (`15m`, `1h`, `7d`), a time (`2026-11-22 10:00`) or Unix seconds.
    until
        Where it ends; not part of it.
    limit
        Most events to show, 100 if left out. SQL has its own LIMIT.
    reverse
        Oldest first instead of newest first.
    tz
        Time zone of SQL's functions of time, such as `Asia/Shanghai`; by default the project's.
    output
        `table`, `json` (one object per line) or `csv`.
    """
    span = period(since, until, time.time())
    if limit is not None and (limit < 1 or _has_sql(query)):
        raise UsageError(f"`--limit {limit}` does not fit", hint="it is 1 or more, and for searches only: SQL has its own LIMIT")
    target = connect(connection)
    try:
        with Client(target) as client:
            return _show(client, target, query, span, limit=limit or DEFAULT_LIMIT, reverse=not reverse, output=output, tz=tz)
    except ApiError as error:
        raise _explained(error, query, target) from error


def _show(
    client: Client, target: Connection, query: str, span: tuple[int, int], *, limit: int, reverse: bool, output: Output, tz: str
) -> Exit:
    columns: list[str] = []
    metas: list[dict[str, Any]] = []
    if _has_sql(query):
        answer = client.get_logs(query, *span, time_zone=tz)
        rows, columns = answer["data"], answer["meta"]["keys"]
        metas.append(answer["meta"])
    else:
        rows = list(client.events(query, *span, limit=limit, reverse=reverse, told=metas.append))
    _print(rows, columns, output)
    is_whole = all(meta["progress"] == "Complete" for meta in metas)
    if not is_whole:
        note("the answer is incomplete: the query used up the time or the events that it may take")
        note("hint: narrow the time range or the search; `tailrace quota show` has the bounds")
    elif not rows:
        _say_why_empty(client, target, query, span)
    elif not columns and len(rows) == limit:
        note(f"{len(rows)} are shown; `--limit N` shows more")
    _say_what_has_no_index(metas[0].get("unindexed", ()) if metas else ())
    return Exit.FINE if is_whole else Exit.PARTIAL


def _say_what_has_no_index(names: Sequence[str]) -> None:
    """Each event of the range was looked at: right, and slow where there are many."""
    if not names:
        return
    what = "no field has an index" if "*" in names else f"without an index: {', '.join(f'`{name}`' for name in names)}"
    note(f"{what}; found by reading events one by one, `tailrace index set` makes it quick")


def _has_sql(query: str) -> bool:
    return re.search(r"\|\s*(select|with)\b", query, re.IGNORECASE) is not None


def _print(rows: list[dict[str, str]], columns: list[str], output: Output) -> None:
    """`columns` are those of SQL; events have none and show what they hold."""
    if not rows and not (columns and output == "csv"):
        return
    if output == "table" and not columns:
        columns, rows = table_of(rows)
    if output == "csv":
        rows = [without_formulas(row) for row in rows]
    print_table(rows, columns=columns or list(dict.fromkeys(key for row in rows for key in row)), output=output)


def _say_why_empty(client: Client, target: Connection, query: str, span: tuple[int, int]) -> None:
    """Which of the three it is: nothing collected, nothing in this range, nothing matches; and what to do next."""
    ((everything, newest),) = _counts(client, 0, _LAST_SECOND)
    if everything == "0":
        note(f"nothing has been collected into `{target.project}/{target.logstore}` yet")
        note("hint: `tailrace up --collect PATH` collects files of this machine; logs appear within seconds")
        return
    ((in_range, _),) = _counts(client, *span)
    if in_range == "0":
        note(f"nothing in this range: the newest of {everything} events in `{target.logstore}` is of {local_time(newest)}")
        note("hint: begin earlier, for example with `--since 7d`")
        return
    note(f"nothing matches `{query}` among the {in_range} events of this range")
    note("hint: leave conditions out one by one; `tailrace query '*'` shows what the events look like")


def _counts(client: Client, start: int, end: int) -> list[tuple[str, str]]:
    rows = client.get_logs("* | select count(*) as events, max(__time__) as newest", start, end)["data"]
    return [(row["events"], row["newest"]) for row in rows]


def _explained(error: ApiError, query: str, target: Connection) -> TailraceError:
    """With the place in the query, or the next step for what is not there."""
    if place := re.search(r"at character (\d+)", error.message):
        return UsageError(error.message, hint=f"{query}\n      {' ' * (int(place[1]) - 1)}^")
    hints = {
        "LogStoreNotExist": f"project `{target.project}` has no such logstore; name another with `--logstore`",
        "ProjectNotExist": "name another project with `--project`",
        "Unauthorized": "the key is not known to this server, or may not read here",
        "SignatureNotMatch": "the key's secret is not the one that the server has",
    }
    if error.error_code == "ParameterInvalid":
        return UsageError(error.message)
    return TailraceError(f"{error.message} ({error.error_code})", hint=hints.get(error.error_code, ""))

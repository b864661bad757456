"""`tailrace export`: everything that a query finds, as one file."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import ConnectionFlags, connect
from tailrace.cli.output import Exit, note
from tailrace.cli.period import period
from tailrace.errors import UsageError

EXAMPLES: Final = """Examples:

  tailrace export 'level: ERROR' --since 7d > errors.json
  tailrace export --since '2026-11-01' --until '2026-12-01' --format parquet --file november.parquet
  tailrace export 'status >= 500' --format csv --fields __time__,uri,status"""

app = App(name="export", help="Write everything that a query finds to a file.", help_epilogue=EXAMPLES, help_format="plaintext")


@app.default
def export(
    query: str = "*",
    /,
    *,
    since: str = "1h",
    until: str = "now",
    format: Literal["json", "csv", "parquet"] = "json",  # noqa: A002 - the flag's name
    fields: Annotated[str, Parameter(show_default=False)] = "",
    file: Annotated[Path | None, Parameter(show_default=False)] = None,
    connection: ConnectionFlags = ConnectionFlags(),  # noqa: B008 - frozen
) -> int:
    """Write everything that a query finds to a file, in the order of time, however much it is.

    Parameters
    ----------
    query
        `SEARCH`, or `SEARCH | SQL`.
    since
        Where the time range begins: an age (`15m`, `1h`, `7d`), a time (`2026-11-22 10:00`) or Unix seconds.
    until
        Where it ends; not part of it.
    format
        `json` (one object per line), `csv` or `parquet`.
    fields
        Names of fields with commas between them; without, all that there are.
    file
        Where to write; without, to the standard output. It appears under its name once it is whole.
    """
    start, end = period(since, until, time.time())
    if file is None and format == "parquet" and sys.stdout.isatty():
        raise UsageError("parquet is not for a terminal", hint="name a file: `--file logs.parquet`")
    with Client(connect(connection)) as client:
        parts = client.export(query, start, end, kind=format, fields=fields)
        if file is None:
            _write(parts, sys.stdout.buffer)
            return Exit.FINE
        partial = file.with_name(file.name + ".part")
        try:
            with partial.open("wb") as target:
                size = _write(parts, target)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    note(f"wrote {size:,} bytes to `{file}`")
    return Exit.FINE


def _write(parts: Iterator[bytes], target: BinaryIO) -> int:
    size = 0
    for part in parts:
        size += target.write(part)
    target.flush()
    return size

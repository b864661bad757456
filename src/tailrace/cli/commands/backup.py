"""`tailrace backup`: a copy of all that a server holds, made while it runs."""

import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import NO_FLAGS, ConnectionFlags, connect_to_server
from tailrace.cli.output import note, say
from tailrace.errors import StateError

app = App(name="backup", help="Copy all that a server holds, while it runs.")

LOOK_SECS: Final = 0.5


@app.default
def backup(
    directory: Annotated[Path, Parameter(help="Where to, on the server's machine: an empty or new directory.")],
    /,
    *,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Copy logs, journal, metadata, settings, the certificate authority and the master key, as they are at one moment.

    Writing and reading go on meanwhile. Keep the copy as safe as the server itself: who has it can read all logs.
    """
    with Client(connect_to_server(connection)) as client:
        status = client.own("POST", "/backup", {"directory": str(directory.expanduser().absolute())})
        while status["state"] == "running":
            time.sleep(LOOK_SECS)
            status = client.own("GET", "/backup")
    if status["state"] != "done":
        raise StateError(f"the backup failed: {status['trouble']}", hint="the server's log says more")
    say(f"{status['directory']}: {status['bytes']} bytes")
    note("`tailrace restore DIRECTORY --home NEW_HOME` makes a server of it")

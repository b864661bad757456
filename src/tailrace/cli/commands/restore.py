"""`tailrace restore`: a server's home, made of a backup."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tailrace.cli.output import note, say

app = App(name="restore", help="Make a server's home of a backup.")


@app.default
def restore(
    directory: Annotated[Path, Parameter(help="The backup.")],
    /,
    *,
    home: Annotated[Path, Parameter(help="The new home: a directory that is empty or not there.")],
) -> None:
    """Make a server's home of a backup, which is checked in full beforehand. Agents find the server that is started there by themselves,
    where it has the address of the one before."""
    from tailrace.server.restore import restore as make

    home = home.expanduser().absolute()
    manifest = asyncio.run(make(directory.expanduser().absolute(), home))
    say(f"{home}: {len(manifest.files)} files of release {manifest.version}")
    note(f"`tailrace server run --home {home}` starts it; never beside the server that the backup is of")

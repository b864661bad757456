"""`tailrace server`: run the server in the foreground, replace its master key."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(name="server", help="Run the server, replace its master key.")


@app.command
def run(
    *,
    home: Annotated[Path, Parameter(help="Home of this installation; made when it is not there.")] = Path("~/.tailrace"),
    port: Annotated[int | None, Parameter(help="Port of the API; 0 takes a free one, which `run/server.json` names.")] = None,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, Parameter(help="Least level that is logged.")] = None,
) -> None:
    """Run the server until Ctrl-C. Settings come from flags, TAILRACE_SERVER_* and HOME/server.yaml."""
    from tailrace.cli.home import open_home
    from tailrace.server.listening import listening
    from tailrace.server.settings import load_settings

    home = home.expanduser().absolute()
    settings = load_settings(home, {"port": port, "host": host, "log_level": log_level})
    open_home(home)
    with listening(settings) as listeners:
        # Only now: the server takes seconds to load, and whatever stops it should be told at once.
        from tailrace.server.main import run as serve

        serve(settings, listeners)


@app.command
def new_master_key(*, home: Annotated[Path, Parameter(help="The server's home.")] = Path("~/.tailrace")) -> None:
    """Make a new master key, with which the next start of the server encrypts all stored secrets anew."""
    from tailrace.cli.home import become_owner
    from tailrace.cli.output import note, say
    from tailrace.server.auth.master_key import order_new

    home = home.expanduser().absolute()
    become_owner(home)
    order_new(home / "secret")
    say("made a new master key; the next start of the server encrypts all stored secrets with it and forgets the one before")
    note(
        f"backups and copies (`{home}/server/meta.db.before-*`) made before that need the old `{home}/secret/master.key`: keep it with them"
    )

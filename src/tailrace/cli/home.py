"""The home of an installation: one directory that holds everything, and `home.json`, which says what made it.

HOME/home.json      format of the home, port of its server, what `tailrace up` collects
HOME/secret/        keys; only for the owner
HOME/server/        metadata, journal, engine
HOME/agent/         checkpoint
HOME/pipelines/     collection configs of this machine's agent
HOME/logs/          what Tailrace's own processes say
HOME/run/           what runs at present
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tailrace import __version__
from tailrace.errors import DamagedError, NewerFormatError, StateError

DEFAULT: Final = Path("~/.tailrace")
INSTALLED: Final = Path("/var/lib/tailrace")
AGENT_HOME: Final = INSTALLED if INSTALLED.is_dir() and not DEFAULT.expanduser().is_dir() else DEFAULT
"""Which agent a command asks that names no home: that of this person, else the one that is installed on this machine."""
FORMAT: Final = 1
SETTINGS: Final = "server.yaml"
"""An operator's settings of the server; they may be there before the home is."""
DIRECTORIES: Final = ("secret", "server", "agent", "pipelines", "logs", "run")


@dataclass(slots=True)
class Home:
    """An opened home. `collect` are the paths and globs that were named with `--collect`, as absolute texts."""

    directory: Path
    port: int = 0
    machine_logs: bool = True
    collect: list[str] = field(default_factory=list[str])
    fresh: bool = False
    """Whether this call made it."""

    @property
    def secret(self) -> Path:
        return self.directory / "secret"

    @property
    def pipelines(self) -> Path:
        return self.directory / "pipelines"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def run(self) -> Path:
        return self.directory / "run"

    def save(self) -> None:
        """Write `home.json` as a whole."""
        from tailrace.journal import write_private

        document = {
            "format": FORMAT,
            "written_by": __version__,
            "port": self.port,
            "machine_logs": self.machine_logs,
            "collect": self.collect,
        }
        write_private(self.directory / "home.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def open_home(directory: Path) -> Home:
    """The home in `directory`, made when there is none.

    Raises NewerFormatError when a newer release wrote it, DamagedError when `home.json` is not what it should be, StateError when the
    directory cannot be made or written, or holds something else.
    """
    directory = directory.expanduser().absolute()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = _read(directory)
        for name in DIRECTORIES:
            (directory / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot use `{directory}` as home: {error.strerror}", hint="name a directory that you may write with `--home`"
        ) from None
    return home


def read_json(path: Path) -> dict[str, Any]:
    """A small file of the home. Empty when it is not there; DamagedError when it is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise DamagedError(f"`{path}` is not a JSON object", hint="put it back from a backup, or start with another home")
    return document


def is_stopped_server(directory: Path) -> bool:
    """Whether it is the home of a server that does not run."""
    from tailrace.server.listening import RUN_FILE, refuse_second_server

    if not (directory / "secret" / "master.key").exists():
        return False
    try:
        refuse_second_server(directory / "run" / RUN_FILE)
    except StateError:
        return False
    return True


def become_owner(directory: Path) -> None:
    """When root looks after the home of another user, as that of an installed agent: go on as that user, whose files they stay, and with
    what the installed one may do."""
    from tailrace.agent.platform import users

    if directory.is_dir():
        users().become_owner(directory, reads_all=directory == INSTALLED)


def _read(directory: Path) -> Home:
    path = directory / "home.json"
    document = read_json(path)
    if not document:
        names = {entry.name for entry in directory.iterdir()}
        if names - {SETTINGS} and not names & set(DIRECTORIES):
            raise StateError(f"`{directory}` holds other files and is no home", hint="name an empty or a new directory with `--home`")
        return Home(directory, fresh=True)
    match document:
        case {"format": int(number)} if number > FORMAT:
            raise NewerFormatError(
                f"cannot use the home `{directory}`: its format {number} is newer than {FORMAT}, which this release ({__version__}) knows",
                hint=f"run release {document.get('written_by', 'that wrote it')} or newer, or name another home with `--home`",
            )
        case {"format": int(), "port": int(port), "machine_logs": bool(machine_logs), "collect": list(collect)}:
            return Home(directory, port, machine_logs, [str(entry) for entry in collect])
        case _:
            raise DamagedError(f"`{path}` lacks what a home needs", hint="put it back from a backup, or start with another home")

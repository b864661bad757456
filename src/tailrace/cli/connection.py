"""Which server a command talks to, and as whom: from flags, else the environment, else what `tailrace up` wrote into the home."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from tailrace.cli.home import DEFAULT, read_json
from tailrace.cli.trust import trusted_roots
from tailrace.errors import ConfigError
from tailrace.wire.proxy import bracketed

ENVIRONMENT = {name: f"TAILRACE_{name.upper()}" for name in ("endpoint", "key_id", "key_secret", "project", "logstore", "ca")}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to ask. `endpoint` is `http://host:port`; the project goes into the Host header, so that no name has to be resolved.

    `roots` are the root certificates (PEM) that alone are trusted; empty: those of this machine.
    """

    endpoint: str
    key_id: str
    key_secret: str
    project: str
    logstore: str
    roots: str = field(default="", repr=False)

    def stored(self) -> dict[str, str]:
        """For `secret/cli.json`."""
        return {name: value for name, value in asdict(self).items() if name != "roots"}


@Parameter(name="*", group="Connection")
@dataclass(frozen=True, slots=True)
class ConnectionFlags:
    """Flags that every command with a server has. The key's secret has none: a command line can be seen by others."""

    endpoint: Annotated[str, Parameter(help="The server, `http://host:port`; else TAILRACE_ENDPOINT.", show_default=False)] = ""
    key_id: Annotated[str, Parameter(help="Access key id; else TAILRACE_KEY_ID. Its secret: TAILRACE_KEY_SECRET.", show_default=False)] = ""
    project: Annotated[str, Parameter(help="Project; else TAILRACE_PROJECT.", show_default=False)] = ""
    logstore: Annotated[str, Parameter(help="Logstore; else TAILRACE_LOGSTORE.", show_default=False)] = ""
    ca: Annotated[
        str, Parameter(help="PEM file with the server's root certificates; else TAILRACE_CA, else what the home knows.", show_default=False)
    ] = ""
    home: Annotated[Path, Parameter(help="Home whose `secret/cli.json` says all that the above leave open.")] = DEFAULT


NO_FLAGS: Final = ConnectionFlags()
LOGSTORE = Annotated[str, Parameter(help="The logstore; else that of `--logstore`.", show_default=False)]


def connect(flags: ConnectionFlags, environment: Mapping[str, str] | None = None) -> Connection:
    """Raises ConfigError that names what is missing, DamagedError for a `cli.json` that cannot be read."""
    return _connection(flags, environment, ["endpoint", "key_id", "key_secret", "project", "logstore"])


def connect_to_logstore(name: str, flags: ConnectionFlags) -> Connection:
    """The same, of the logstore with this name; empty: of the one that is known otherwise."""
    return connect(replace(flags, logstore=name) if name else flags)


def connect_to_server(flags: ConnectionFlags, environment: Mapping[str, str] | None = None) -> Connection:
    """For what concerns a server as a whole: no logstore is needed. On the server's own home its administrator's key is found."""
    return _connection(flags, environment, ["endpoint", "key_id", "key_secret"])


def connect_to_project(flags: ConnectionFlags, environment: Mapping[str, str] | None = None) -> Connection:
    """For what concerns a project as a whole."""
    return _connection(flags, environment, ["endpoint", "key_id", "key_secret", "project"])


def _connection(flags: ConnectionFlags, environment: Mapping[str, str] | None, needed: Sequence[str]) -> Connection:
    environment = os.environ if environment is None else environment
    stored: dict[str, Any] | None = None
    values: dict[str, str] = {}
    for name, variable in ENVIRONMENT.items():
        value = getattr(flags, name, "") or environment.get(variable, "")
        if not value:
            stored = _stored(flags.home.expanduser()) if stored is None else stored
            value = str(stored.get(name) or "")
        values[name] = value
    missing = [name for name in needed if not values[name]]
    variables = ", ".join(ENVIRONMENT[name] for name in missing)
    if "endpoint" in missing:
        raise ConfigError("no server is known to this command", hint=f"run `tailrace up`, or set {variables}")
    if missing:
        raise ConfigError(f"cannot ask `{values['endpoint']}`: its {', '.join(missing)} is not known", hint=f"set {variables}")
    named = values.pop("ca")
    return Connection(**values, roots=trusted_roots(values["endpoint"], flags.home.expanduser(), named))


def _stored(home: Path) -> dict[str, Any]:
    """What `tailrace up` wrote, else what a server that runs on this home says of itself."""
    stored = read_json(home / "secret" / "cli.json")
    running = read_json(home / "run" / "server.json")
    if stored or not running:
        return stored
    at = f"{bracketed(str(running.get('host')))}:{running.get('port')}"
    return {**read_json(home / "secret" / "admin.json"), "endpoint": f"http://{at}"}

"""`tailrace index show|set|delete`: what of a logstore is indexed, as a file."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import Parameter

from tailrace.cli.client import Client
from tailrace.cli.connection import LOGSTORE, NO_FLAGS, ConnectionFlags, connect_to_logstore
from tailrace.cli.output import say
from tailrace.errors import ApiError, ConfigError

ADDED: Final = ("index_mode", "storage", "lastModifyTime", "ttl")
"""What the server adds to what was saved."""


def show(logstore: LOGSTORE = "", /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Print the index of a logstore as YAML, as `set` takes it."""
    import yaml

    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        document = client.sls("GET", f"/logstores/{quote(target.logstore)}/index")
    kept = {key: value for key, value in document.items() if key not in ADDED}
    sys.stdout.write(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1000))


def set_(
    file: Annotated[Path, Parameter(help="YAML or JSON with `line` and `keys`.")],
    logstore: LOGSTORE = "",
    /,
    *,
    connection: ConnectionFlags = NO_FLAGS,
) -> None:
    """Index a logstore as a file says; the same again changes nothing."""
    document, target = _read(file), connect_to_logstore(logstore, connection)
    path = f"/logstores/{quote(target.logstore)}/index"
    with Client(target) as client:
        try:
            present = client.sls("GET", path)
        except ApiError as error:
            if error.error_code != "IndexConfigNotExist":
                raise
            client.sls("POST", path, document)
            say(f"{target.logstore}: made the index")
            return
        if all(present.get(key) == document.get(key) for key in ("line", "keys")):
            say(f"{target.logstore}: the index is so already")
            return
        client.sls("PUT", path, document)
    say(f"{target.logstore}: changed the index; `tailrace index status` tells how far it is")


def delete(logstore: LOGSTORE = "", /, *, connection: ConnectionFlags = NO_FLAGS) -> None:
    """Index nothing any more: the logs stay."""
    target = connect_to_logstore(logstore, connection)
    with Client(target) as client:
        client.sls("DELETE", f"/logstores/{quote(target.logstore)}/index")
    say(f"{target.logstore}: deleted the index")


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        document: Any = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read `{file}`: {str(error).replace(chr(10), ' ')}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"`{file}` holds no map with `line` and `keys`", hint="`tailrace index show` prints one")
    return document

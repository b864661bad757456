"""The first run's set-up through the HTTP API: project, logstore, index, and what the CLI has to know."""

import json
from typing import Final

from tailrace.cli.client import Client
from tailrace.cli.connection import Connection
from tailrace.cli.home import Home, read_json
from tailrace.errors import StateError

PROJECT: Final = "default"
LOGSTORE: Final = "logs"
RETENTION_DAYS: Final = 30
SHARDS: Final = 1
TOKENS: Final = list(", '\";=()[]{}?@&<>/:\n\t\r")
"""What words are split at: the console's usual choice."""
TEXT: Final = {"type": "text", "token": TOKENS, "caseSensitive": False, "doc_value": True, "chn": False}
INDEX: Final = {
    "line": {"token": TOKENS, "caseSensitive": False, "chn": False},
    "keys": {"content": TEXT, "__tag__:__path__": {**TEXT, "alias": "path"}},
}


def set_up(home: Home, endpoint: str) -> str:
    """Make what is not there yet; the id of the admin key. A project or logstore that exists is left as it is.

    Raises StateError without an admin key, ApiError when the server refuses, UnreachableError when it is gone.
    """
    from tailrace.journal import write_private

    key = read_json(home.secret / "admin.json")
    if not {"key_id", "key_secret"} <= key.keys():
        raise StateError(f"there is no admin key in `{home.secret / 'admin.json'}`", hint="put the file back from a backup of this home")
    connection = Connection(endpoint, str(key["key_id"]), str(key["key_secret"]), PROJECT, LOGSTORE)
    with Client(connection) as client:
        client.create("/", {"projectName": PROJECT, "description": "made by `tailrace up`"}, exists="ProjectAlreadyExist")
        logstore = {"logstoreName": LOGSTORE, "ttl": RETENTION_DAYS, "shardCount": SHARDS}
        made = client.create("/logstores", logstore, exists="LogStoreAlreadyExist")
        if made or home.fresh:  # a first run that was interrupted in between
            client.create(f"/logstores/{LOGSTORE}/index", INDEX, exists="IndexAlreadyExist")
    write_private(home.secret / "cli.json", json.dumps(connection.stored(), indent=2) + "\n")
    return connection.key_id

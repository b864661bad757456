"""The first run's set-up through the HTTP API: project, logstore, index, and what the CLI has to know."""

import http.client
import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from tailrace.cli.home import Home, read_json, write_private
from tailrace.errors import ApiError, StateError, UnreachableError

PROJECT: Final = "default"
LOGSTORE: Final = "logs"
RETENTION_DAYS: Final = 30
SHARDS: Final = 1
TOKENS: Final = list(", '\";=()[]{}?@&<>/:\n\t\r")
"""What words are split at: the console's usual choice."""
TEXT: Final = {"type": "text", "token": TOKENS, "caseSensitive": False, "doc_value": True, "chn": False}
INDEX: Final = {
    "line": {"token": TOKENS, "caseSensitive": False, "chn": False},
    "keys": {"content": TEXT, "__tag__:__path__": {**TEXT, "alias": "path"}, "__source__": TEXT},
}
TIMEOUT_SECS: Final = 30.0
REGION: Final = "local"


def set_up(home: Home, endpoint: str) -> str:
    """Make what is not there yet; the id of the admin key. A project or logstore that exists is left as it is.

    Raises StateError without an admin key, ApiError when the server refuses, UnreachableError when it is gone.
    """
    key = read_json(home.secret / "admin.json")
    if not {"key_id", "key_secret"} <= key.keys():
        raise StateError(f"there is no admin key in `{home.secret / 'admin.json'}`", hint="put the file back from a backup of this home")
    server = _Server(endpoint, str(key["key_id"]), str(key["key_secret"]))
    server.create("/", {"projectName": PROJECT, "description": "made by `tailrace up`"}, "ProjectAlreadyExist")
    logstore = {"logstoreName": LOGSTORE, "ttl": RETENTION_DAYS, "shardCount": SHARDS}
    if server.create("/logstores", logstore, "LogStoreAlreadyExist"):
        server.create(f"/logstores/{LOGSTORE}/index", INDEX, "IndexAlreadyExist")
    connection = {"endpoint": endpoint, "key_id": key["key_id"], "key_secret": key["key_secret"], "project": PROJECT, "logstore": LOGSTORE}
    write_private(home.secret / "cli.json", json.dumps(connection, indent=2) + "\n")
    return str(key["key_id"])


class _Server:
    """Signed requests to one project of the server on this machine."""

    def __init__(self, endpoint: str, key_id: str, key_secret: str) -> None:
        self._address = urlsplit(endpoint).netloc
        self._key = (key_id, key_secret)

    def create(self, path: str, document: dict[str, Any], exists: str) -> bool:
        """POST `document`; False when the answer is the error code `exists`."""
        from tailrace.wire.signature import SignedRequest, sign_v4

        body = json.dumps(document).encode()
        headers = {"host": f"{PROJECT}.{self._address}", "content-type": "application/json", "x-log-bodyrawsize": str(len(body))}
        headers |= sign_v4(SignedRequest("POST", path, [], headers, body), *self._key, REGION, datetime.now(UTC))
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECS)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UnreachableError(f"the server at `{self._address}` does not answer: {error}") from error
        finally:
            connection.close()
        if response.status == http.client.OK:
            return True
        code = str(answer.get("errorCode", ""))
        if code == exists:
            return False
        raise ApiError(response.status, code, f"POST {path}: {answer.get('errorMessage', '')}")

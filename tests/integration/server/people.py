"""People who use a server: users with roles, their sessions and keys."""

import json
from typing import Any

from tailrace.testing.server import Answer
from tests.conftest import RunningServer

PASSWORD = "correct horse battery"


def make_user(server: RunningServer, roles: dict[str, str], prefix: str = "user") -> str:
    """Its name."""
    name = server.fresh_name(prefix)
    answer = server.call("POST", "/users", {"name": name, "password": PASSWORD, "roles": roles})
    assert answer.status == 200, answer.body
    return name


def make_key(server: RunningServer, **wanted: Any) -> tuple[str, str]:
    """Id and secret."""
    answer = server.call("POST", "/keys", wanted)
    assert answer.status == 200, answer.body
    return answer.json()["id"], answer.json()["key_secret"]


def log_in(server: RunningServer, name: str, password: str = PASSWORD) -> Answer:
    return send(server, "POST", "/sessions", {"name": name, "password": password})


def send(server: RunningServer, method: str, path: str, document: object = None, headers: dict[str, str] | None = None) -> Answer:
    """A request of `/api/v1` that is not signed."""
    body = b"" if document is None else json.dumps(document).encode()
    return server.send(method, f"/api/v1{path}", {"host": "127.0.0.1", "content-type": "application/json", **(headers or {})}, body)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}

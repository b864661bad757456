"""Calls of the agent to its server beside the data: local enrolment, and where the server says that streams end."""

import http.client
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tailrace.agent.identity import AgentIdentity, Enrolment
from tailrace.errors import ApiError, StateError, UnreachableError
from tailrace.pipeline.contract import Credentials
from tailrace.wire.signature import SignedRequest, sign_v4

TIMEOUT_SECS = 10.0
REGION = "local"
UNAUTHORIZED = 401
ENROL_PATH = "/api/v1/agents/enrol-local"
STREAMS_PATH = "/api/v1/agents/streams"
NO_EPOCH = "0" * 32
"""No checkpoint has it: asking for its streams asks only whether the key is known."""
MAX_ANSWER_BYTES = 64 * 1_048_576
"""Stream ends of 100 000 files take 4 MB."""


def enrol_local(identity: AgentIdentity, endpoint: str, project: str, logstores: Sequence[str], admin_file: Path) -> None:
    """Get a key for a project from a server on this machine, whose admin key lies in `admin_file`, unless there is one that it knows.

    The agent's id stays, also towards a server that has lost what it knew. Raises UnreachableError, ApiError or StateError.
    """
    known = identity.enrolment(endpoint, project)
    if known is not None and set(logstores) <= set(known.logstores) and not _is_refused(known):
        return
    wanted = sorted({*logstores, *(known.logstores if known else ())})
    answer = _call(
        endpoint,
        "POST",
        ENROL_PATH,
        _admin_key(admin_file),
        {"agent_id": identity.agent_id, "project": project, "logstores": wanted},
    )
    identity.add(
        Enrolment(endpoint.rstrip("/"), project, wanted, answer["key_id"], answer["key_secret"], tuple(answer.get("features", ())))
    )


def stored_ends(enrolment: Enrolment) -> dict[str, int]:
    """Stream id → end of what the server has of it. Empty when the server does not keep that. UnreachableError, ApiError."""
    try:
        answer = _call(enrolment.endpoint, "GET", STREAMS_PATH, enrolment.credentials)
    except ApiError as error:
        if error.status in (404, 405):
            return {}
        raise
    return {str(stream): int(end) for stream, end in answer.get("streams", {}).items()}


def _is_refused(enrolment: Enrolment) -> bool:
    """Whether the server says that it does not know the key. A server that says nothing may come back and know it."""
    try:
        _call(enrolment.endpoint, "GET", STREAMS_PATH, enrolment.credentials, query=[("epoch", NO_EPOCH)])
    except UnreachableError:
        return False
    except ApiError as error:
        return error.status == UNAUTHORIZED
    return False


def _admin_key(path: Path) -> Credentials:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(document["key_id"], document["key_secret"])
    except (OSError, ValueError, KeyError) as error:
        raise StateError(
            f"cannot enrol: there is no admin key in `{path}` ({error})",
            hint="start the server with the same home first, or give the flusher `AccessKeyId` and `AccessKeySecret`",
        ) from error


def _call(
    endpoint: str, method: str, path: str, key: Credentials, document: object = None, *, query: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    url = urlsplit(endpoint)
    body = b"" if document is None else json.dumps(document).encode()
    headers = {"host": url.netloc, "x-log-bodyrawsize": str(len(body)), **({"content-type": "application/json"} if body else {})}
    request = SignedRequest(method, path, list(query), headers, body)
    headers |= sign_v4(request, key.key_id, key.key_secret, REGION, datetime.now(UTC))
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=TIMEOUT_SECS)
    try:
        connection.request(method, f"{path}?{urlencode(query)}" if query else path, body, headers)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(
            f"cannot reach the server at `{endpoint}`: {error}", hint="check that it runs and that the address is right"
        ) from error
    finally:
        connection.close()
    if len(text) > MAX_ANSWER_BYTES:
        raise UnreachableError(f"`{endpoint}` answers with more than {MAX_ANSWER_BYTES} bytes", hint="check that the address is right")
    return _answer(response.status, text, f"{method} {path} at `{endpoint}`")


def _answer(status: int, text: bytes, what: str) -> dict[str, Any]:
    try:
        answer = json.loads(text or b"{}")
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if status != 200:
        raise ApiError(status, str(answer.get("errorCode", "")), f"{what} answered {status}: {answer.get('errorMessage', '')}")
    return answer

"""Calls of the agent to its server beside the data: local enrolment, and where the server says that streams end."""

import http.client
import json
from collections.abc import Sequence
from dataclasses import replace
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

    The agent's id stays, also towards a server that has lost what it knew. A server that has moved to this endpoint is known by its taking
    the key that it gave at another one. Raises UnreachableError, ApiError or StateError.
    """
    endpoint = endpoint.rstrip("/")
    known = _known_at(endpoint, identity, project)
    if known is not None:
        identity.add(known)
        if set(logstores) <= set(known.logstores):
            return
    wanted = sorted({*logstores, *(known.logstores if known else ())})
    answer = _call(
        endpoint,
        "POST",
        ENROL_PATH,
        _admin_key(admin_file),
        {"agent_id": identity.agent_id, "project": project, "logstores": wanted},
    )
    features, server = tuple(answer.get("features", ())), str(answer.get("server_id", ""))
    identity.add(Enrolment(endpoint, project, wanted, answer["key_id"], answer["key_secret"], features, server))


def moved_here(identity: AgentIdentity, former: str, endpoint: str, project: str) -> bool:
    """Whether the server that enrolled the agent for `project` at the endpoint `former` is at `endpoint` now."""
    if identity.enrolment(former, project) is None:
        return False
    known = _known_at(endpoint.rstrip("/"), identity, project)
    if known is None or former.rstrip("/") not in known.formerly:
        return False
    identity.add(known)
    return True


def stored_ends(enrolment: Enrolment) -> dict[str, int]:
    """Stream id → end of what the server has of it. Empty when the server does not keep that. UnreachableError, ApiError."""
    try:
        answer = _call(enrolment.endpoint, "GET", STREAMS_PATH, enrolment.credentials)
    except ApiError as error:
        if error.status in (404, 405):
            return {}
        raise
    return {str(stream): int(end) for stream, end in answer.get("streams", {}).items()}


def stored_ranges(enrolment: Enrolment, epoch: bytes, stream: str) -> list[tuple[int, int]]:
    """The ranges `[start, end)` of a stream that the server has whole. Empty when it does not keep that. UnreachableError, ApiError."""
    try:
        path = f"{STREAMS_PATH}/{stream}"
        answer = _call(enrolment.endpoint, "GET", path, enrolment.credentials, query=[("epoch", epoch.hex())])
    except ApiError as error:
        if error.status in (404, 405):
            return []
        raise
    return [(int(start), int(end)) for start, end in answer.get("stored", [])]


def _known_at(endpoint: str, identity: AgentIdentity, project: str) -> Enrolment | None:
    """The enrolment of the server at `endpoint`: the one made there, or one made elsewhere whose key it takes; None when it takes none.

    A server that says nothing may come back and know the key.
    """
    there = identity.enrolment(endpoint, project)
    others = [one for one in identity.enrolments if one.project == project and one is not there]
    for one in [*([there] if there else []), *others]:
        try:
            answer = _call(endpoint, "GET", STREAMS_PATH, one.credentials, query=[("epoch", NO_EPOCH)])
        except UnreachableError:
            return there
        except ApiError as error:
            if error.status == UNAUTHORIZED:
                continue
            return there
        formerly = [*one.formerly, *([one.endpoint] if one.endpoint != endpoint else [])]
        return replace(one, endpoint=endpoint, server=str(answer.get("server_id", one.server)), formerly=formerly)
    return None


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

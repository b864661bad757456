"""What the server has of this agent's streams: where it may go on when it has lost its checkpoint, and what arrived before it was lost."""

from collections.abc import Sequence
from typing import Any, Final

from tailrace.agent.control.calls import call
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.errors import ApiError, UnreachableError
from tailrace.wire.identity import StoredEnd

STREAMS_PATH: Final = "/api/v1/agents/streams"


def stored_ends(identity: AgentIdentity, enrolment: Enrolment) -> dict[str, StoredEnd]:
    """Stream id → end of what the server has of it. Empty when the server does not keep that. UnreachableError, ApiError."""
    answer = _asked(identity, enrolment, STREAMS_PATH)
    last = answer.get("last", {})
    return {str(stream): _end(int(end), last.get(stream)) for stream, end in answer.get("streams", {}).items()}


def stored_ranges(identity: AgentIdentity, enrolment: Enrolment, epoch: bytes, stream: str) -> list[tuple[int, int]]:
    """The ranges `[start, end)` of a stream that the server has whole. Empty when it does not keep that. UnreachableError, ApiError."""
    answer = _asked(identity, enrolment, f"{STREAMS_PATH}/{stream}", [("epoch", epoch.hex())])
    return [(int(start), int(end)) for start, end in answer.get("stored", [])]


def _end(end: int, last: Sequence[Any] | None) -> StoredEnd:
    """An older release does not say what the last range is."""
    return StoredEnd(end) if last is None else StoredEnd(end, int(last[0]), bytes.fromhex(last[1]))


def _asked(identity: AgentIdentity, enrolment: Enrolment, path: str, query: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """With the key and the address that hold now. Empty from a server that does not know the question."""
    endpoint, project = enrolment.endpoint, enrolment.project
    key, server = identity.credentials(endpoint, project), identity.server(endpoint, project)
    if key is None:
        raise UnreachableError(f"there is no key for `{endpoint}`: {identity.why_no_key(endpoint, project)}")
    unreachable: UnreachableError | None = None
    for address in (server.addresses if server else ()) or [endpoint]:
        try:
            return call(address, "GET", path, key=key, query=query, tls=identity.tls(endpoint, project))
        except UnreachableError as error:
            unreachable = unreachable or error
        except ApiError as error:
            if error.status in (404, 405):
                return {}
            raise
    raise unreachable or UnreachableError(f"`{endpoint}` has told no address")

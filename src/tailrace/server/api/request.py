"""Reads a request off the wire: its target, its headers and, once the sender is known, its body within a bound."""

import asyncio
from collections.abc import Mapping

from starlette.types import Receive, Scope

from tailrace.errors import ApiError
from tailrace.wire.signature import Query, SignedRequest, split_target

# A body has this long, in seconds, and as much again as it takes at the least rate, in bytes per second.
BODY_SECS = 60.0
BODY_RATE = 65_536
# Headers that may stand once only: what is signed, and what says where the request goes and how long it is.
SINGLE_HEADERS = ("authorization", "content-length", "content-md5", "content-type", "date", "host")


def read_head(scope: Scope) -> SignedRequest:
    """Everything but the body. Raises ApiError 400."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    target = path.decode("latin-1") + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
    try:
        path_text, query = split_target(target)
    except ValueError as error:
        raise ApiError(400, "ParameterInvalid", f"cannot read the query: {error}") from None
    return SignedRequest(scope["method"], path_text, query, _headers(scope["headers"]))


def peer_of(scope: Scope) -> str:
    """Address of the other end of the connection; empty when it has none."""
    return scope["client"][0] if scope.get("client") else ""


def query_values(query: Query) -> dict[str, str]:
    """Of a repeated name the last value; bytes that are not UTF-8 become U+FFFD."""
    return {_clean(name): _clean(value) for name, value in query}


async def read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The body as sent. Refused before the first byte is read when it says that it is longer than `limit`.

    Raises ApiError 400 PostBodyTooLarge or RequestTimeout, 411 for a body without a stated length.
    """
    length = headers.get("content-length", "0").strip()
    if "transfer-encoding" in headers:
        raise ApiError(411, "MissingContentLength", "a body needs the header content-length")
    if not (length.isascii() and length.isdigit()):
        raise ApiError(400, "ParameterInvalid", f"content-length `{length}` is not a size in bytes")
    if int(length) > limit:
        raise ApiError(400, "PostBodyTooLarge", f"a body of {length} bytes is longer than {limit}")
    if int(length) == 0:
        return b""
    try:
        async with asyncio.timeout(BODY_SECS + int(length) / BODY_RATE):
            return await _whole_body(receive)
    except TimeoutError:
        raise ApiError(400, "RequestTimeout", f"a body of {length} bytes came too slowly") from None


def memory_of(headers: Mapping[str, str], limit: int) -> int:
    """How much a log write may need: its body as sent, and as large as it says to be raw, each up to `limit` bytes."""
    sizes = (headers.get(name, "").strip() for name in ("content-length", "x-log-bodyrawsize"))
    return sum(min(int(size), limit) for size in sizes if size.isascii() and size.isdigit() and len(size) < 20)


async def wait_for_disconnect(receive: Receive) -> None:
    """Returns when the client has gone away. The body has to have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "PostBodyInvalid", "the connection was closed in the middle of the body")
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in headers and (name in SINGLE_HEADERS or name.startswith(("x-log-", "x-acs-"))):
            raise ApiError(400, "ParameterInvalid", f"the header `{name}` stands twice")
        headers[name] = value
    return headers


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if not text.isascii() else text

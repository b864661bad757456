"""Requests of PutLogs: one log group, or the batch form, signed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tailrace.pipeline.contract import Credentials, Payload
from tailrace.wire import batch_form
from tailrace.wire.signature import SignedRequest, sign_v1, sign_v4


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes, and how it is signed."""

    host: str
    """The `Host` header: `<project>.<endpoint host>`."""
    logstore: str
    region: str
    sign_version: str
    hash_key: str = ""
    """Chooses the shard, 32 hex digits; empty lets the service choose."""

    def to_shard(self, hash_key: str) -> "Address":
        return replace(self, hash_key=hash_key) if hash_key else self

    @property
    def path(self) -> str:
        return f"/logstores/{self.logstore}/shards/{'route' if self.hash_key else 'lb'}"

    @property
    def query(self) -> list[tuple[str, str]]:
        return [("key", self.hash_key)] if self.hash_key else []

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?key={self.hash_key}" if self.hash_key else self.path


@dataclass(frozen=True, slots=True)
class Content:
    """A request's body in pieces that follow each other, so that megabytes are not copied to join them."""

    pieces: Sequence[bytes]
    headers: dict[str, str]
    sha256: str = ""
    """Of the whole body, lower hex; empty when it is not known."""


def one_group(payload: Payload) -> Content:
    return Content([payload.body], _headers(payload.raw_size, payload.compression), payload.digest)


def many_groups(payloads: Sequence[Payload]) -> Content:
    """The batch form (docs/specs/batch-form.md). All payloads have one compression."""
    pieces = batch_form.pieces(batch_form.Package(one.body, one.raw_size, one.identity) for one in payloads)
    headers = _headers(sum(one.raw_size for one in payloads), payloads[0].compression)
    return Content(pieces, {**headers, batch_form.MODE_HEADER: batch_form.MODE})


def signed(address: Address, content: Content, *, key: Credentials, now: datetime) -> dict[str, str]:
    """All headers of the request."""
    headers = {"host": address.host, **content.headers}
    if address.sign_version == "v1":
        request = SignedRequest("POST", address.path, address.query, headers, b"".join(content.pieces))
        return headers | sign_v1(request, key.key_id, key.key_secret, now)
    request = SignedRequest("POST", address.path, address.query, headers)
    digest = content.sha256 or _sha256(content.pieces)
    return headers | sign_v4(request, key.key_id, key.key_secret, address.region, now, content_sha256=digest)


def _sha256(pieces: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _headers(raw_size: int, compression: str) -> dict[str, str]:
    headers = {"content-type": "application/x-protobuf", "x-log-apiversion": "0.6.0", "x-log-bodyrawsize": str(raw_size)}
    return headers if compression == "none" else {**headers, "x-log-compresstype": compression}

"""Requests of PutLogs: one log group, or the batch form, signed."""

from collections.abc import Sequence
from dataclasses import dataclass
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

    @property
    def path(self) -> str:
        return f"/logstores/{self.logstore}/shards/lb"


def one_group(payload: Payload) -> tuple[bytes, dict[str, str], str]:
    """Body, headers and the body's digest, if it is known."""
    return payload.body, _headers(payload.raw_size, payload.compression), payload.digest


def many_groups(payloads: Sequence[Payload]) -> tuple[bytes, dict[str, str], str]:
    """The batch form (docs/specs/batch-form.md). All payloads have one compression."""
    body = batch_form.encode(batch_form.Package(one.body, one.raw_size, one.identity) for one in payloads)
    headers = _headers(sum(one.raw_size for one in payloads), payloads[0].compression)
    return body, {**headers, batch_form.MODE_HEADER: batch_form.MODE}, ""


def signed(address: Address, body: bytes, headers: dict[str, str], digest: str, *, key: Credentials, now: datetime) -> dict[str, str]:
    """All headers of the request. `digest` of the body in the form that the signature version wants, or empty."""
    headers = {"host": address.host, **headers}
    request = SignedRequest("POST", address.path, [], headers, body)
    if address.sign_version == "v1":
        return headers | sign_v1(request, key.key_id, key.key_secret, now)
    return headers | sign_v4(request, key.key_id, key.key_secret, address.region, now, content_sha256=digest or None)


def _headers(raw_size: int, compression: str) -> dict[str, str]:
    headers = {"content-type": "application/x-protobuf", "x-log-apiversion": "0.6.0", "x-log-bodyrawsize": str(raw_size)}
    return headers if compression == "none" else {**headers, "x-log-compresstype": compression}

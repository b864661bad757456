"""Request signatures of the SLS API: version 1 (HMAC-SHA1) and version 4 (HMAC-SHA256), both directions.

Neither version names its signed headers: they follow from the request. Signed are `x-log-*` and `x-acs-*` but not `x-log-meta-*`, in
version 4 also `host` and `content-type`. The body is bound through a hash in a header (`content-md5`, `x-log-content-sha256`);
that the hash fits the body is a question of its own: `body_matches`.
"""

import base64
import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

API_VERSION = "0.6.0"
MAX_QUERY_FIELDS = 1000
V4_ALGORITHM = "SLS4-HMAC-SHA256"
V4_TERMINATOR = "aliyun_v4_request"

V1_FORM = re.compile(r"(?:LOG|SLS) ([^\s:]{1,256}):([A-Za-z0-9+/]{27}=)\s*")
V4_FORM = re.compile(
    V4_ALGORITHM + r" Credential=([^\s/,]{1,256})/([0-9]{8})/([^\s/,]{0,128})/sls/" + V4_TERMINATOR + r", ?Signature=([0-9a-f]{64})\s*"
)

Query: TypeAlias = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers, as it is on the wire.

    `path` is not percent-decoded and has no query; `query` values are decoded; header names are lower case; `body` is compressed already.
    """

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An `Authorization` header taken apart. `date` (YYYYMMDD) and `region` are version 4's scope, empty in version 1."""

    version: Literal["v1", "v4"]
    key_id: str
    signature: str
    date: str = ""
    region: str = ""


def split_target(target: str) -> tuple[str, Query]:
    """Path and decoded query of a request target, origin-form or absolute-form (proxies). Raises ValueError beyond 1000 query fields.

    `+` is a space. Bytes that are not UTF-8 survive as surrogate escapes. A bare trailing `?` adds nothing.
    """
    if not target.startswith("/"):
        parts = urlsplit(target)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path, _, query = target.partition("?")
    return path, parse_qsl(query, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_QUERY_FIELDS)


def parse_authorization(value: str) -> Authorization:
    """Raises ValueError when it has neither version's form."""
    if match := V1_FORM.fullmatch(value):
        return Authorization("v1", match[1], match[2])
    if match := V4_FORM.fullmatch(value):
        return Authorization("v4", match[1], match[4], match[2], match[3])
    raise ValueError(f"the authorization header has neither the form `LOG <id>:<signature>` nor `{V4_ALGORITHM} Credential=…,Signature=…`")


def sign_v1(request: SignedRequest, key_id: str, secret: str, now: datetime | None = None) -> dict[str, str]:
    """The headers to add to `request`. Its time is its `date` header, else `now`, else the clock."""
    added = {
        "x-log-apiversion": request.headers.get("x-log-apiversion", API_VERSION),
        "x-log-signaturemethod": "hmac-sha1",
        "date": request.headers.get("date") or format_datetime((now or datetime.now(UTC)).astimezone(UTC), usegmt=True),
    }
    if request.body:
        added["content-md5"] = content_md5(request.body)
    headers = {**request.headers, **added}
    signature = _sign_v1(_v1_text(request, headers, headers["date"], omitted=()), secret)
    return {**added, "authorization": f"LOG {key_id}:{signature}"}


def sign_v4(
    request: SignedRequest, key_id: str, secret: str, region: str, now: datetime, *, content_sha256: str | None = None
) -> dict[str, str]:
    """The headers to add to `request`, which must carry its `host` already.

    `content_sha256` (lower hex) saves hashing the body a second time.
    """
    added = {
        "x-log-apiversion": request.headers.get("x-log-apiversion", API_VERSION),
        "x-log-date": now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
        "x-log-content-sha256": content_sha256 or hashlib.sha256(request.body).hexdigest(),
    }
    scope = f"{added['x-log-date'][:8]}/{region}/sls/{V4_TERMINATOR}"
    signature = _sign_v4(request, {**request.headers, **added}, scope, secret)
    return {**added, "authorization": f"{V4_ALGORITHM} Credential={key_id}/{scope},Signature={signature}"}


def verify(request: SignedRequest, authorization: Authorization, secret: str) -> bool:
    """Whether `secret` made this signature over these headers, in constant time. Says nothing of the body and of the clock."""
    headers = request.headers
    given = authorization.signature.encode()
    if authorization.version == "v1":
        # The Python SDK adds x-log-date after signing, so that it is not covered; other clients cover it.
        date = headers.get("date") or headers.get("x-log-date", "")
        texts = [_v1_text(request, headers, date, omitted=omitted) for omitted in (("x-log-date",), ())]
        fits = [hmac.compare_digest(_sign_v1(text, secret).encode(), given) for text in texts]
        return any(fits)
    if headers.get("x-log-date", "")[:8] != authorization.date or "x-log-content-sha256" not in headers or "host" not in headers:
        return False
    scope = f"{authorization.date}/{authorization.region}/sls/{V4_TERMINATOR}"
    return hmac.compare_digest(_sign_v4(request, headers, scope, secret).encode(), given)


def body_matches(request: SignedRequest, authorization: Authorization) -> bool:
    """Whether the hash that the signature covers is the hash of the body. A body without a hash does not match."""
    if authorization.version == "v1":
        claimed = request.headers.get("content-md5", "").strip()
        return claimed.upper() == content_md5(request.body) if claimed else not request.body
    return request.headers.get("x-log-content-sha256", "").strip().lower() == hashlib.sha256(request.body).hexdigest()


def signed_at(request: SignedRequest, authorization: Authorization) -> datetime:
    """The instant that the request says it was signed at, in UTC. Raises ValueError when there is none or it cannot be read."""
    if authorization.version == "v4":
        return datetime.strptime(request.headers.get("x-log-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    date = request.headers.get("date") or request.headers.get("x-log-date", "")
    return datetime.strptime(date.strip(), "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


def content_md5(body: bytes) -> str:
    """Upper-case hex, not base64 as HTTP has it (sls-api §1.2)."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest().upper()


def _is_signed(name: str) -> bool:
    return name.startswith("x-acs-") or (name.startswith("x-log-") and not name.startswith("x-log-meta-"))


def _header_lines(headers: Mapping[str, str], names: Iterable[str]) -> Iterator[str]:
    return (f"{name}:{headers[name].strip()}\n" for name in names)


def _v1_text(request: SignedRequest, headers: Mapping[str, str], date: str, *, omitted: tuple[str, ...]) -> str:
    head = [request.method, headers.get("content-md5", "").strip(), headers.get("content-type", "").strip(), date.strip()]
    names = sorted(name for name in headers if _is_signed(name) and name not in omitted)
    query = "&".join(f"{name}={value}" for name, value in sorted(request.query))
    resource = f"{request.path}?{query}" if query else request.path
    return "".join([*(f"{line}\n" for line in head), *_header_lines(headers, names), resource])


def _sign_v1(text: str, secret: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode()


def _v4_query(query: Query) -> str:
    pairs = sorted((name, quote(value, safe="~", errors="surrogateescape")) for name, value in query)
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def _sign_v4(request: SignedRequest, headers: Mapping[str, str], scope: str, secret: str) -> str:
    names = sorted(name for name in headers if name in ("host", "content-type") or _is_signed(name))
    canonical = "\n".join(
        [
            request.method,
            request.path,
            _v4_query(request.query),
            "".join(_header_lines(headers, names)),
            ";".join(names),
            headers["x-log-content-sha256"],
        ]
    )
    canonical_hash = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    text = "\n".join([V4_ALGORITHM, headers["x-log-date"], scope, canonical_hash])
    return hmac.digest(_v4_key(secret, scope), text.encode("utf-8", "surrogateescape"), "sha256").hex()


@functools.lru_cache(256)
def _v4_key(secret: str, scope: str) -> bytes:
    """The key of one day and region: the same for all requests of it."""
    key = f"aliyun_v4{secret}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key

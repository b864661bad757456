"""Signatures: the vectors of real clients, the official SDK's own signer, and what must not verify."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from aliyun.log.auth import AuthV1, AuthV4
from aliyun.log.credentials import StaticCredentialsProvider
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.signature import (
    Authorization,
    SignedRequest,
    body_matches,
    parse_authorization,
    sign_v1,
    sign_v4,
    signed_at,
    split_target,
    verify,
)

DATE = "Sun, 22 Nov 2026 07:04:23 GMT"
NOW = datetime(2026, 11, 22, 7, 4, 23, tzinfo=UTC)

LIST = SignedRequest("GET", "/logstores", [("size", "100"), ("offset", "0")], {"x-log-bodyrawsize": "0"})
INDEX = SignedRequest("POST", "/logstores/a/index", [], {"content-type": "application/json", "x-log-bodyrawsize": "2"}, b"{}")
INDEX_V4 = SignedRequest(
    "POST",
    "/logstores/a/index",
    [("k", "a b/c~*")],
    {"host": "p1.example.com", "content-type": "application/json", "x-log-bodyrawsize": "2"},
    b"{}",
)


def with_headers(request: SignedRequest, added: dict[str, str]) -> SignedRequest:
    return SignedRequest(request.method, request.path, request.query, {**request.headers, **added}, request.body)


def verifies(request: SignedRequest, secret: str = "sk") -> bool:
    return verify(request, parse_authorization(request.headers["authorization"]), secret)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(LIST, "LOG ak:cXKo2vxESpLd1hyfJMeY7b6X5Tg="), (INDEX, "LOG ak:mI/RFWKI/wmBQdWXldb4f2V14h4=")],
)
def test_version_1_vectors(request_: SignedRequest, expected: str) -> None:
    added = sign_v1(request_, "ak", "sk", NOW)
    assert added["authorization"] == expected
    assert added["date"] == DATE
    assert verifies(with_headers(request_, added))


def test_version_4_vector() -> None:
    added = sign_v4(INDEX_V4, "ak", "sk", "local", NOW)
    assert added["authorization"] == (
        "SLS4-HMAC-SHA256 Credential=ak/20261122/local/sls/aliyun_v4_request,"
        "Signature=999386bed2cb63d1339d0da9384a5464b007f75c862c95f47208f0fc863b06c8"
    )
    assert added["x-log-date"] == "20261122T070423Z"
    assert verifies(with_headers(INDEX_V4, added))


def test_version_4_takes_a_hash_that_is_known_already() -> None:
    known = hashlib.sha256(b"{}").hexdigest()
    assert sign_v4(INDEX_V4, "ak", "sk", "local", NOW, content_sha256=known) == sign_v4(INDEX_V4, "ak", "sk", "local", NOW)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
QUERIES = st.dictionaries(st.sampled_from(["from", "query", "k", "topic"]), TEXTS | st.booleans() | st.integers())


def sdk_request(auth: AuthV1 | AuthV4, query: dict[str, object], body: bytes) -> SignedRequest:
    """What the SDK puts on the wire: it signs one dict of headers and sends another spelling of the query."""
    headers = {"Host": "p.example.com", "x-log-apiversion": "0.6.0", "x-log-bodyrawsize": str(len(body)), "x-log-meta-a": "not signed"}
    if body:
        headers["Content-Type"] = "application/x-protobuf"
    auth.sign_request("POST", "/logstores/l/shards/lb", query, headers, body)
    target = "/logstores/l/shards/lb?" + "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    path, decoded = split_target(target)
    return SignedRequest("POST", path, decoded, {name.lower(): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("version", ["v1", "v4"])
@given(query=QUERIES, body=st.binary(max_size=40), token=st.sampled_from([None, "sts"]))
def test_what_the_official_sdk_signs_verifies(version: str, query: dict[str, object], body: bytes, token: str | None) -> None:
    provider = StaticCredentialsProvider("ak", "sk", token)
    auth = AuthV1(provider) if version == "v1" else AuthV4(provider, "cn-hangzhou")
    request = sdk_request(auth, query, body)
    authorization = parse_authorization(request.headers["authorization"])
    assert (authorization.version, authorization.key_id) == (version, "ak")
    assert verify(request, authorization, "sk")
    assert body_matches(request, authorization)
    assert abs((signed_at(request, authorization) - datetime.now(UTC)).total_seconds()) < 60
    assert not verify(request, authorization, "another")


@given(query=st.lists(st.tuples(TEXTS, TEXTS), max_size=4), body=st.binary(max_size=20))
def test_what_we_sign_verifies(query: list[tuple[str, str]], body: bytes) -> None:
    request = SignedRequest("PUT", "/a%20b", query, {"host": "p.h"}, body)
    for added in (sign_v1(request, "ak", "sk", NOW), sign_v4(request, "ak", "sk", "", NOW)):
        signed = with_headers(request, added)
        assert verifies(signed)
        assert body_matches(signed, parse_authorization(added["authorization"]))


@pytest.mark.parametrize(
    "changed",
    [
        {"x-log-bodyrawsize": "3"},
        {"x-acs-security-token": "stolen"},
        {"content-type": "text/plain"},
        {"content-md5": "0" * 32, "x-log-content-sha256": "0" * 64},
    ],
)
@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_changed_header_does_not_verify(version: str, changed: dict[str, str]) -> None:
    added = sign_v1(INDEX_V4, "ak", "sk", NOW) if version == "v1" else sign_v4(INDEX_V4, "ak", "sk", "local", NOW)
    assert not verifies(with_headers(with_headers(INDEX_V4, added), changed))


def test_x_log_date_is_optional_in_version_1() -> None:
    """The Python SDK adds it after signing, others before; a request without Date takes its time from it."""
    unsigned = with_headers(with_headers(LIST, sign_v1(LIST, "ak", "sk", NOW)), {"x-log-date": DATE})
    assert verifies(unsigned)
    covered = with_headers(LIST, {"x-log-date": DATE})
    assert verifies(with_headers(covered, sign_v1(covered, "ak", "sk", NOW)))
    without_date = SignedRequest(
        "GET", "/logstores", LIST.query, {name: value for name, value in unsigned.headers.items() if name != "date"}
    )
    assert verifies(without_date)
    assert signed_at(without_date, parse_authorization(unsigned.headers["authorization"])) == NOW


def test_version_4_needs_its_headers() -> None:
    signed = with_headers(INDEX_V4, sign_v4(INDEX_V4, "ak", "sk", "local", NOW))
    for name in ("host", "x-log-date", "x-log-content-sha256"):
        headers = {key: value for key, value in signed.headers.items() if key != name}
        assert not verifies(SignedRequest(signed.method, signed.path, signed.query, headers, signed.body))
    assert not verifies(with_headers(signed, {"x-log-date": "20261123T070423Z"})), "the scope's date is another day"


def test_the_body_is_compared_to_the_signed_hash() -> None:
    v1, v4 = Authorization("v1", "ak", ""), Authorization("v4", "ak", "")
    assert body_matches(SignedRequest("GET", "/", [], {}), v1)
    assert body_matches(SignedRequest("GET", "/", [], {"content-md5": hashlib.md5(b"").hexdigest()}), v1), "Go hashes the empty body"
    assert not body_matches(SignedRequest("POST", "/", [], {}, b"x"), v1), "a body that nothing binds"
    assert not body_matches(SignedRequest("POST", "/", [], {"content-md5": "0" * 32}, b"x"), v1)
    assert not body_matches(SignedRequest("GET", "/", [], {}), v4)
    assert body_matches(SignedRequest("POST", "/", [], {"x-log-content-sha256": hashlib.sha256(b"x").hexdigest()}, b"x"), v4)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic abc",
        "LOG ak",
        "LOG ak:short",
        "LOG a b:cXKo2vxESpLd1hyfJMeY7b6X5Tg=",
        "SLS4-HMAC-SHA256 Credential=ak/20261122/local/oss/aliyun_v4_request,Signature=" + "0" * 64,
        "SLS4-HMAC-SHA256 Credential=ak/20261122/local/sls/aliyun_v4_request,Signature=" + "G" * 64,
        "SLS4-HMAC-SHA256 Credential=ak/2026112²/local/sls/aliyun_v4_request,Signature=" + "0" * 64,
    ],
)
def test_a_malformed_authorization_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="neither the form"):
        parse_authorization(value)


def test_version_1_has_two_names() -> None:
    """The Go SDK has the second one."""
    assert parse_authorization("SLS ak:cXKo2vxESpLd1hyfJMeY7b6X5Tg=") == parse_authorization("LOG ak:cXKo2vxESpLd1hyfJMeY7b6X5Tg=")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a%2Fb", ("/a%2Fb", [])),
        ("/a?", ("/a", [])),
        ("/a?x=&y", ("/a", [("x", ""), ("y", "")])),
        ("/a?q=a+b%20c%2B", ("/a", [("q", "a b c+")])),
        ("/a?q=%ff", ("/a", [("q", "\udcff")])),
        ("http://p.host:80/logs?from=1", ("/logs", [("from", "1")])),
        ("http://p.host", ("/", [])),
    ],
)
def test_targets_are_split(target: str, expected: tuple[str, list[tuple[str, str]]]) -> None:
    assert split_target(target) == expected


def test_bytes_that_are_no_text_can_be_signed() -> None:
    request = SignedRequest("GET", "/a", [("q", "\udcff")], {"host": "h"})
    for added in (sign_v1(request, "ak", "sk", NOW), sign_v4(request, "ak", "sk", "r", NOW)):
        assert verifies(with_headers(request, added))


def test_a_query_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="fields"):
        split_target("/a?" + "&".join(["x=1"] * 1001))

"""Transport rules that hold for every operation (sls-api §1)."""

import json
import re
import socket
from datetime import UTC, datetime, timedelta

import pytest

REQUEST_ID = re.compile("[0-9A-F]{24}")


@pytest.fixture(scope="module")
def project(server) -> str:
    name = server.fresh_name("http")
    server.make_logstore(name, "access")
    return name


def talk(server, text: bytes) -> bytes:
    """Send bytes as they are; everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize("target", ["/logstores", "/logstores?logstoreName=&offset=&size=", "/logstores?offset=0&size=100", "/logstores?"])
def test_a_signed_request_is_answered(server, project: str, target: str, version: str) -> None:
    answer = server.request("GET", target, project=project, version=version)
    assert answer.status == 200, answer.body
    assert answer.json() == {"count": 1, "total": 1, "logstores": ["access"]}


def test_every_answer_has_a_request_id_in_lower_case(server, project: str) -> None:
    answers = [
        server.request("GET", "/logstores", project=project),
        server.request("GET", "/logstores/none", project=project),
        server.send("GET", "/logstores", {"host": "127.0.0.1"}),
        server.send("GET", "/healthz", {"host": "whatever"}),
        server.send("GET", "/api/v1/none", {"host": "whatever"}),
    ]
    identities = [answer.headers["x-log-requestid"] for answer in answers]
    assert all(REQUEST_ID.fullmatch(identity) for identity in identities)
    assert len(set(identities)) == len(identities)
    assert all(name == name.lower() for answer in answers for name in answer.headers)


def test_a_query_of_too_many_fields_is_refused(server) -> None:
    answer = server.send("GET", "/logstores?" + "a=1&" * 1500, {"host": "127.0.0.1"})
    assert (answer.status, answer.code) == (400, "ParameterInvalid")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "MissingAPIVersion"),
        ({"x-log-apiversion": "1.0"}, 400, "InvalidAPIVersion"),
        ({"x-log-apiversion": "0.6.0"}, 401, "Unauthorized"),
        ({"x-log-apiversion": "0.6.0", "authorization": "LOG :abc"}, 400, "MissAccessKeyId"),
        ({"x-log-apiversion": "0.6.0", "authorization": "Bearer token"}, 400, "MissAccessKeyId"),
        ({"x-log-apiversion": "0.6.0", "authorization": "LOG ak:" + "A" * 27 + "="}, 400, "MissingSignatureMethod"),
        (
            {"x-log-apiversion": "0.6.0", "authorization": "LOG ak:" + "A" * 27 + "=", "x-log-signaturemethod": "hmac-md5"},
            400,
            "InvalidSignatureMethod",
        ),
        (
            {"x-log-apiversion": "0.6.0", "authorization": "LOG ak:" + "A" * 27 + "=", "x-log-signaturemethod": "hmac-sha1"},
            400,
            "MissingDate",
        ),
        (
            {
                "x-log-apiversion": "0.6.0",
                "authorization": "LOG ak:" + "A" * 27 + "=",
                "x-log-signaturemethod": "hmac-sha1",
                "date": "yesterday",
            },
            400,
            "InvalidDateFormat",
        ),
    ],
)
def test_what_a_request_must_carry(server, headers: dict[str, str], status: int, code: str) -> None:
    answer = server.send("GET", "/logstores", {"host": "127.0.0.1", **headers})
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("version", ["v1", "v4"])
class TestSignature:
    def test_a_wrong_secret_does_not_match(self, server, project: str, version: str) -> None:
        answer = server.request("GET", "/logstores", project=project, version=version, key=(server.key_id, "wrong"))
        assert (answer.status, answer.code) == (401, "SignatureNotMatch")

    def test_an_unknown_key_is_named(self, server, project: str, version: str) -> None:
        answer = server.request("GET", "/logstores", project=project, version=version, key=("nobody", "wrong"))
        assert (answer.status, answer.code) == (401, "Unauthorized")
        assert answer.json()["errorMessage"] == "AccessKeyId not found: nobody"

    @pytest.mark.parametrize("minutes", [-16, 16])
    def test_a_clock_that_is_16_minutes_off_learns_the_servers_time(self, server, project: str, version: str, minutes: int) -> None:
        now = datetime.now(UTC)
        answer = server.request("GET", "/logstores", project=project, version=version, now=now + timedelta(minutes=minutes))
        assert (answer.status, answer.code) == (400, "RequestTimeExpired")
        assert abs(int(answer.headers["x-log-time"]) - now.timestamp()) < 5

    def test_a_clock_that_is_14_minutes_off_is_fine(self, server, project: str, version: str) -> None:
        now = datetime.now(UTC) - timedelta(minutes=14)
        assert server.request("GET", "/logstores", project=project, version=version, now=now).status == 200

    def test_a_changed_header_is_noticed(self, server, project: str, version: str) -> None:
        body = json.dumps({"logstoreName": "evil", "ttl": 1, "shardCount": 1}).encode()
        headers = {"content-type": "application/json", "x-log-bodyrawsize": str(len(body))}
        change = {"x-log-bodyrawsize": "7"}
        answer = server.request("POST", "/logstores", project=project, version=version, body=body, headers=headers, change=change)
        assert (answer.status, answer.code) == (401, "SignatureNotMatch")

    def test_a_changed_body_is_noticed(self, server, project: str, version: str) -> None:
        body = json.dumps({"logstoreName": "good", "ttl": 1, "shardCount": 1}).encode()
        signed = server.sign("POST", "/logstores", project=project, version=version, body=body)
        answer = server.send("POST", "/logstores", signed, body.replace(b"good", b"evil"))
        assert (answer.status, answer.code) == (401, "SignatureNotMatch")
        assert server.request("GET", "/logstores/evil", project=project).code == "LogStoreNotExist"

    def test_another_project_cannot_be_put_under_a_v4_signature(self, server, project: str, version: str) -> None:
        signed = server.sign("GET", "/logstores", project=project, version=version)
        answer = server.send("GET", "/logstores", {**signed, "host": "other-project.127.0.0.1"})
        assert answer.code == ("SignatureNotMatch" if version == "v4" else "ProjectNotExist")


def test_a_v1_body_without_a_hash_is_not_taken(server, project: str) -> None:
    signed = server.sign("POST", "/logstores", project=project, version="v1")
    answer = server.send("POST", "/logstores", signed, b'{"logstoreName":"evil","ttl":1,"shardCount":1}')
    assert (answer.status, answer.code) == (401, "SignatureNotMatch")


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/nowhere", 404, "ApiNotExist"),
        ("PATCH", "/logstores", 404, "ApiNotExist"),
        ("HEAD", "/logstores", 404, ""),
        ("OPTIONS", "/logstores", 404, "ApiNotExist"),
        ("GET", "/logstores/%2e%2e%2fetc", 404, "LogStoreNotExist"),
        ("GET", "/logstores/a%00b", 404, "LogStoreNotExist"),
        ("GET", "/logstores/" + "n" * 3000, 404, "LogStoreNotExist"),
        ("GET", "/logstores?offset=-1", 400, "ParameterInvalid"),
        ("GET", "/logstores?size=many", 400, "ParameterInvalid"),
        ("POST", "/logstores/access/deletelogtasks", 404, "ApiNotExist"),
        ("GET", "/machines", 404, "ApiNotExist"),
    ],
)
def test_what_is_not_there_is_never_a_server_error(server, project: str, method: str, target: str, status: int, code: str) -> None:
    answer = server.request(method, target, project=project)
    assert answer.status == status, answer.body
    assert method == "HEAD" or answer.code == code


def test_an_unknown_project_is_named(server) -> None:
    answer = server.request("GET", "/logstores", project="no-such-project")
    assert (answer.status, answer.code) == (404, "ProjectNotExist")
    assert "no-such-project" in answer.json()["errorMessage"]


def test_a_host_below_no_domain_is_named(server) -> None:
    answer = server.send("GET", "/logstores", {"host": "web.example.org"})
    assert (answer.status, answer.code) == (400, "InvalidHost")
    assert "web.example.org" in answer.json()["errorMessage"]


def test_an_absolute_target_is_routed_by_its_path(server, project: str) -> None:
    signed = server.sign("GET", "/logstores?size=7", project=project, version="v1")
    head = f"GET http://{project}.127.0.0.1/logstores?size=7 HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in signed.items()
    )
    answer = talk(server, head.encode() + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"access"' in answer


@pytest.mark.parametrize(
    "text",
    [
        b"not http at all\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost\r\n\r\n",
        b"GET http://p.127.0.0.1 HTTP/1.1\r\nhost: p.127.0.0.1\r\nconnection: close\r\n\r\n",
        b"CONNECT p.127.0.0.1:80 HTTP/1.1\r\nhost: p.127.0.0.1\r\nconnection: close\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
        b"GET /%ff%fe?%ff=%fe HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
        b"POST /logstores HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: 127.0.0.2\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-log-apiversion: \xff\xfe\r\nconnection: close\r\n\r\n",
    ],
    ids=range(9),
)
def test_odd_bytes_get_400_in_the_usual_form(server, text: bytes) -> None:
    answer = talk(server, text)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400"), answer[:200]
    assert b"x-log-requestid: " in head
    assert set(json.loads(body)) == {"errorCode", "errorMessage"}


@pytest.mark.parametrize(
    "headers", [b"x-a: " + b"b" * 3_000_000, b"".join(b"x-%d: b\r\n" % number for number in range(200_000))], ids=["one", "many"]
)
def test_endless_headers_end_the_connection(server, headers: bytes) -> None:
    """The answer may be lost, as the rest of what was sent is not read any more."""
    try:
        answer = talk(server, b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n" + headers)
    except OSError:
        answer = b"HTTP/1.1 400"
    assert answer.startswith(b"HTTP/1.1 400")
    assert server.send("GET", "/healthz", {"host": "127.0.0.1"}).status == 200


def test_a_chunked_body_is_refused(server, project: str) -> None:
    signed = server.sign("POST", "/logstores", project=project)
    head = "POST /logstores HTTP/1.1\r\ntransfer-encoding: chunked\r\n" + "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    answer = talk(server, head.encode() + b"\r\n2\r\n{}\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 411")
    assert b"MissingContentLength" in answer

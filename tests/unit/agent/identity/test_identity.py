"""Who the agent is, and its calls to the server."""

import http.server
import json
import socket
import stat
import threading
from collections.abc import Callable
from typing import ClassVar

import pytest

from tailrace.agent.control import calls
from tailrace.agent.control.stored import stored_ends
from tailrace.agent.identity import identity
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.errors import ApiError, DamagedError, NewerFormatError, UnreachableError
from tailrace.pipeline.contract import ServerName
from tailrace.wire.identity import StoredEnd
from tailrace.wire.signature import SignedRequest, body_matches, parse_authorization, split_target, verify

ENROLMENT = Enrolment("http://h:1", "demo", ["app"], "id", "secret", ["batch_group"])


def test_an_identity_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "secret" / "agent.json"
    first = identity.load(path)
    first.add(ENROLMENT)
    identity.save(first, path)
    assert identity.load(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(first.agent_id) == 32
    assert identity.load(tmp_path / "other.json").agent_id != first.agent_id


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format":1}', '{"format":1,"agent_id":"x","enrolments":[{"no":1}]}'])
def test_a_file_that_is_no_identity_is_not_overwritten(tmp_path, content):
    (tmp_path / "agent.json").write_text(content)
    with pytest.raises(DamagedError, match="does not hold an agent's identity"):
        identity.load(tmp_path / "agent.json")


def test_an_older_file_is_taken_over_after_a_copy(tmp_path):
    path = tmp_path / "agent.json"
    enrolment = {"endpoint": "http://h:1", "project": "demo", "logstores": ["app"], "key_id": "id", "key_secret": "secret", "features": []}
    first = json.dumps({"format": 1, "agent_id": "a", "enrolments": [enrolment]})
    path.write_text(first)
    for _ in range(2):
        identity.save(identity.load(path), path)
    assert identity.load(path).enrolments == [Enrolment("http://h:1", "demo", ["app"], "id", "secret", [], formerly=[])]
    assert path.with_name("agent.json.format1").read_text() == first
    assert stat.S_IMODE(path.with_name("agent.json.format1").stat().st_mode) == 0o600


def test_a_newer_format_is_refused(tmp_path):
    (tmp_path / "agent.json").write_text('{"format":4}')
    with pytest.raises(NewerFormatError, match="its format 4 is newer than 3"):
        identity.load(tmp_path / "agent.json")


def test_keys_belong_to_an_endpoint_and_a_project():
    known = AgentIdentity("a", [ENROLMENT])
    assert known.credentials("http://h:1/", "demo").key_id == "id"
    assert known.offers("http://h:1", "demo", "batch_group")
    assert known.credentials("http://h:2", "demo") is None
    assert not known.offers("http://h:1", "other", "batch_group")
    known.add(Enrolment("http://h:1", "demo", ["app", "web"], "id2", "secret2"))
    assert [one.key_id for one in known.enrolments] == ["id2"]


def test_no_repr_shows_a_secret():
    assert "'secret'" not in repr(ENROLMENT)
    assert "=secret" not in repr(ENROLMENT.credentials)
    assert "'secret'" not in repr(AgentIdentity("a", [ENROLMENT]))


class Server(http.server.BaseHTTPRequestHandler):
    answer: tuple[int, object] = (200, {})
    answers: Callable[[str], tuple[int, object]] | None = None
    seen: ClassVar[list] = []

    def respond(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, query = split_target(self.path)
        request = SignedRequest(self.command, path, query, headers, body)
        authorization = parse_authorization(headers["authorization"])
        assert verify(request, authorization, f"{authorization.key_id}-secret")
        assert not body or body_matches(request, authorization)
        type(self).seen.append((self.command, self.path, authorization.key_id, json.loads(body or b"null")))
        status, document = type(self).answers(self.command) if type(self).answers else type(self).answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(document if isinstance(document, bytes) else json.dumps(document).encode())

    do_GET = do_POST = respond  # noqa: N815 - the library's names

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    kind = type("Scripted", (Server,), {"seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        kind.endpoint = f"http://127.0.0.1:{serving.server_port}"
        yield kind
        serving.shutdown()
        thread.join()


def test_another_server_at_the_same_endpoint_is_no_successor():
    known = AgentIdentity("a", [Enrolment("http://h:2", "demo", ["app"], "k", "s", server="S", formerly=["http://h:1"])])
    known.add(Enrolment("http://h:2", "demo", ["app"], "new", "s", server="T"))
    assert known.server("http://h:2", "demo") == ServerName("T", ["http://h:2"])
    assert known.server("http://h:1", "demo") is None


def test_an_answer_without_end_is_not_kept(server, monkeypatch):
    monkeypatch.setattr(calls, "MAX_ANSWER_BYTES", 1000)
    server.answer = 200, b"{" + b" " * 1000
    with pytest.raises(UnreachableError, match="more than 1000 bytes"):
        ends(Enrolment(server.endpoint, "demo", [], "k", "k-secret"))


def ends(enrolment):
    return stored_ends(AgentIdentity("a", [enrolment]), enrolment)


def test_stored_ends(server):
    enrolment = Enrolment(server.endpoint, "demo", ["app"], "k", "k-secret")
    server.answer = 200, {"streams": {"00AA": 12, "00BB": 7}, "last": {"00AA": [8, "f0" * 16]}}
    assert ends(enrolment) == {"00AA": StoredEnd(12, 8, b"\xf0" * 16), "00BB": StoredEnd(7)}
    server.answer = 404, {"errorCode": "NotFound", "errorMessage": ""}
    assert ends(enrolment) == {}
    server.answer = 500, b"<html>"
    with pytest.raises(ApiError, match="answered 500"):
        ends(enrolment)


def test_no_server_is_said_in_a_sentence():
    with pytest.raises(UnreachableError, match=r"cannot reach the server at `http://127\.0\.0\.1:1`"):
        ends(Enrolment("http://127.0.0.1:1", "demo", [], "k", "k-secret"))


@pytest.mark.parametrize(
    ("routes", "address"),
    [
        ({socket.AF_INET: "127.0.0.2", socket.AF_INET6: "::1"}, "127.0.0.1"),
        ({socket.AF_INET: "255.255.255.255", socket.AF_INET6: "::1"}, "::1"),  # which an ordinary socket may not be connected to
        ({socket.AF_INET: "255.255.255.255"}, "127.0.0.1"),
    ],
)
def test_a_machine_is_known_by_the_address_of_its_route(monkeypatch, routes, address):
    monkeypatch.setattr(identity, "ELSEWHERE", routes)
    assert identity.address() == address

"""Agents join over TLS, get short-lived keys, and are shut out again."""

import json
import os
import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tailrace.server.auth.authority import open_authority, pem_of
from tailrace.server.fleet.attempts import MOST_FAILURES
from tests.conftest import RunningServer, running_server
from tests.integration.server.joiner import Joiner
from tests.integration.server.loggroups import headers, log_group


@pytest.fixture
def project(server: RunningServer) -> str:
    name = server.fresh_name("join")
    server.make_logstore(name, "app")
    return name


def token(server: RunningServer, project: str, **options: Any) -> str:
    answer = server.call("POST", "/tokens", {"project": project, **options})
    assert answer.status == 200, answer.body
    return answer.json()["token"]


@pytest.fixture
def joiner(server: RunningServer, project: str, tmp_path: Path) -> Joiner:
    """One that is enrolled."""
    text = token(server, project)
    joiner = Joiner(tmp_path, server.tls_port)
    joiner.pin(text)
    assert joiner.enrol(text).status == 200
    return joiner


def write(server: RunningServer, project: str, key: tuple[str, str], logstore: str = "app") -> str:
    """The error code of a write; empty for a success."""
    body = log_group()
    target = f"/logstores/{logstore}/shards/lb"
    return server.request("POST", target, project=project, body=body, headers=headers(len(body), ""), key=key).code


def test_a_token_lets_in_as_many_agents_as_it_says(server: RunningServer, project: str, tmp_path: Path) -> None:
    text = token(server, project, uses=2)
    codes: list[str] = []
    for _ in range(3):
        joiner = Joiner(tmp_path, server.tls_port)
        joiner.pin(text)
        codes.append(joiner.enrol(text).code)
    assert codes == ["", "", "TokenInvalid"]
    (known,) = [one for one in server.call("GET", "/tokens").json() if one["project"] == project]
    assert (known["state"], known["used"], known["uses_left"]) == ("used up", 2, 0)


def test_a_wrong_secret_and_a_revoked_token_are_one_answer(server: RunningServer, project: str, tmp_path: Path) -> None:
    text = token(server, project)
    joiner = Joiner(tmp_path, server.tls_port)
    joiner.pin(text)
    head, id_, secret, fingerprint = text.split(".")
    wrong = joiner.enrol(".".join([head, id_, secret[::-1], fingerprint]))
    assert server.call("POST", f"/tokens/{id_}/revoke").json()["state"] == "revoked"
    revoked = joiner.enrol(text)
    assert (wrong.status, revoked.status, wrong.json()) == (401, 401, revoked.json())


def test_guessing_tokens_ends_soon_and_whoever_has_joined_goes_on(tmp_path: Path) -> None:
    with running_server(tmp_path / "home") as server:
        server.make_logstore("web", "app")
        text = token(server, "web")
        joined, guessing = Joiner(tmp_path, server.tls_port), Joiner(tmp_path, server.tls_port)
        joined.pin(text)
        guessing.pin(text)
        assert joined.enrol(text).status == 200
        head, id_, secret, fingerprint = text.split(".")
        wrong = ".".join([head, id_, secret[::-1], fingerprint])
        answers = [guessing.enrol(wrong) for _ in range(MOST_FAILURES + 1)]
        assert [answer.code for answer in answers] == ["TokenInvalid"] * MOST_FAILURES + ["TooManyAttempts"]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert guessing.enrol(token(server, "web")).code == "TooManyAttempts"
        assert joined.keys().status == 200


@pytest.mark.sqlite
def test_what_the_database_holds_of_a_token_opens_nothing(server: RunningServer, project: str) -> None:
    secret = token(server, project).split(".")[2]
    stored = b"".join(path.read_bytes() for path in (server.home / "server").glob("meta.db*"))
    assert project.encode() in stored
    assert secret.encode() not in stored


def test_an_agent_writes_with_the_key_it_gets_and_does_nothing_else(server: RunningServer, project: str, joiner: Joiner) -> None:
    key = joiner.key()
    assert write(server, project, key) == ""
    assert server.request("GET", "/logstores/app", project=project, key=key).status == 401
    other = server.fresh_name("other")
    server.make_logstore(other, "app")
    assert write(server, other, key) == "Unauthorized"


def test_a_token_for_some_logstores_gives_a_key_for_these(server: RunningServer, project: str, tmp_path: Path) -> None:
    text = token(server, project, logstores=["app"])
    joiner = Joiner(tmp_path, server.tls_port)
    joiner.pin(text)
    joiner.enrol(text)
    server.make_logstore(project, "audit")
    assert [write(server, project, joiner.key(), logstore) for logstore in ("app", "audit")] == ["", "Unauthorized"]


def test_keys_are_given_over_tls_and_to_whoever_shows_the_agents_certificate(server: RunningServer, joiner: Joiner) -> None:
    plain = server.send(
        "POST", "/api/v1/agents/keys", {"host": "127.0.0.1", "content-type": "application/json"}, b'{"boot_id":"' + b"0" * 32 + b'"}'
    )
    assert plain.json()["errorCode"] == "TlsRequired"
    os.remove(joiner._certificate_file)
    assert joiner.keys().code == "Unauthorized"


def test_a_certificate_of_another_authority_does_not_even_connect(server: RunningServer, joiner: Joiner, tmp_path: Path) -> None:
    other = open_authority(tmp_path / "ca", timedelta(days=1))
    joiner._certificate_file.write_text(pem_of(other.certify_agent(joiner._key.public_key(), joiner.agent_id)))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        joiner.keys()


def test_nobody_takes_over_the_id_of_an_agent(server: RunningServer, project: str, joiner: Joiner, tmp_path: Path) -> None:
    text = token(server, project)
    thief = Joiner(tmp_path, server.tls_port, agent_id=joiner.agent_id)
    thief.pin(text)
    assert thief.enrol(text).code == "AgentExist"
    assert joiner.keys().status == 200


def test_a_second_token_adds_a_project(server: RunningServer, project: str, joiner: Joiner) -> None:
    other = server.fresh_name("second")
    server.make_logstore(other, "app")
    assert joiner.enrol(token(server, other)).status == 200
    answer = joiner.keys().json()
    assert [one["project"] for one in answer["projects"]] == sorted([project, other])
    assert {one["project"] for one in answer["keys"]} == {project, other}


def test_a_key_that_is_fresh_is_not_given_again(joiner: Joiner, project: str) -> None:
    key_id, _ = joiner.key()
    joiner.held = {project: key_id}
    assert joiner.keys().json()["keys"] == []


def test_a_revoked_agent_is_out_at_once_until_it_is_reinstated(server: RunningServer, project: str, joiner: Joiner) -> None:
    key = joiner.key()
    assert server.call("POST", f"/agents/{joiner.agent_id}/revoke").json()["state"] == "revoked"
    assert write(server, project, key) == "Unauthorized"
    assert joiner.keys().code == "AgentRevoked"
    assert joiner.enrol(token(server, project)).code == "AgentRevoked"
    assert server.call("POST", f"/agents/{joiner.agent_id}/reinstate").json()["state"] == "enrolled"
    assert write(server, project, key) == "Unauthorized"
    assert write(server, project, joiner.key()) == ""


def test_one_project_can_be_taken_from_an_agent(server: RunningServer, project: str, joiner: Joiner) -> None:
    key = joiner.key()
    assert server.call("DELETE", f"/agents/{joiner.agent_id}/projects/{project}").json()["projects"] == {}
    assert write(server, project, key) == "Unauthorized"
    assert joiner.keys().json()["projects"] == []


def test_a_copy_gets_nothing_and_the_keys_it_copied_end(server: RunningServer, project: str, joiner: Joiner) -> None:
    copied = joiner.key()
    copy = joiner.keys(boot_id="c" * 32, machine_id="elsewhere")
    assert (copy.status, copy.code) == (409, "IdentityConflict")
    assert write(server, project, copied) == "Unauthorized"
    assert write(server, project, joiner.key()) == ""


def test_certificates_keys_and_roots_are_renewed_while_it_serves(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings = {"certificate_secs": 6, "agent_key_secs": 10, "ca_overlap_secs": 2, "agent_poll_secs": 1}
    (home / "server.yaml").write_text(json.dumps(settings))
    with running_server(home) as server:
        server.make_logstore("web", "app")
        text = token(server, "web")
        joiner = Joiner(tmp_path, server.tls_port)
        joiner.pin(text)
        assert joiner.enrol(text).status == 200
        first, certificate = joiner.key(), (home / "secret" / "server.pem").read_text()
        joiner.held = {"web": first[0]}
        assert server.call("POST", "/ca/rotate").status == 200
        assert len(joiner.keys().json()["roots"]) == 2
        time.sleep(7)
        assert (home / "secret" / "server.pem").read_text() != certificate
        answer = joiner.keys().json()  # with the first root, over the certificate of the second one
        assert [root["state"] for root in server.call("GET", "/ca").json()] == ["retired", "signs"]
        assert (len(answer["keys"]), len(answer["roots"]), answer["certificate"][:10]) == (1, 1, "-----BEGIN")
        second = answer["keys"][0]["key_id"], answer["keys"][0]["key_secret"]
        assert (write(server, "web", first), write(server, "web", second)) == ("", "")
        time.sleep(4)
        assert (write(server, "web", first), write(server, "web", second)) == ("Unauthorized", "")

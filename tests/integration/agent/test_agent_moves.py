"""What changes about a server while agents deliver to it: its root certificate, the addresses that lead to it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate

from tailrace.cli.main import main
from tests.conftest import running_server
from tests.faults.installation import free_port
from tests.integration.agent.relay import Relay
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_joins import Remote


@contextmanager
def writing(remote: Remote) -> Iterator[list[str]]:
    """Within it a line is written every 0.1 s; the lines."""
    lines: list[str] = []
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.1):
            lines.append(f"event {len(lines):04d}")
            remote.write(lines[-1])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield lines
    finally:
        over.set()
        thread.join()


def found(remote: Remote) -> list[str]:
    """All that is stored, page by page."""
    rows: list[str] = []
    while True:
        body = json.dumps({"from": 1, "to": 2**31, "query": "*", "line": 100, "offset": len(rows)}).encode()
        headers = {"content-type": "application/json"}
        answer = remote.server.request("POST", "/logstores/app/logs", project=remote.project, body=body, headers=headers)
        page = [row["content"] for row in answer.json()["data"]]
        rows += page
        if len(page) < 100:
            return sorted(rows)


def test_an_agent_delivers_through_renewed_keys_and_certificates_and_another_root(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "server.yaml").write_text(json.dumps({"agent_key_secs": 10, "agent_poll_secs": 1, "certificate_secs": 6, "ca_overlap_secs": 4}))
    with running_server(home) as server:
        remote = Remote(tmp_path / "remote", server, "shop").joined()
        remote.start()
        try:
            with writing(remote) as lines:
                wait_for(lambda: found(remote), remote.log(), 60)
                key, certificate = remote.identity["enrolments"][0]["key_id"], (home / "secret" / "server.pem").read_text()
                assert main(["ca", "rotate", "--home", str(home)]) == 0
                states = {root["state"] for root in server.call("GET", "/ca").json()}
                wait_for(lambda: len(remote.identity["servers"][0]["roots"]) == 2, "the agent knows both", 30)
                wait_for(lambda: [root["state"] for root in server.call("GET", "/ca").json()] == ["retired", "signs"], "it is over", 60)
                wait_for(lambda: len(remote.identity["servers"][0]["roots"]) == 1, "the agent knows the new one only", 30)
                last = len(lines)
                wait_for(lambda: len(found(remote)) > last, remote.log(), 60)
            wait_for(lambda: len(found(remote)) >= len(lines), remote.log(), 60)
            assert found(remote) == lines
            assert states == {"signs", "next"}
            assert remote.identity["enrolments"][0]["key_id"] != key
            assert (home / "secret" / "server.pem").read_text() != certificate
            assert "AGENT_REVOKED_ALARM" not in remote.log()
            wait_for(lambda: (home / "ca.pem").read_text() == remote.identity["servers"][0]["roots"][0], "the file with the roots", 30)
        finally:
            remote.kill()


@pytest.mark.long
def test_a_server_that_was_away_until_its_certificate_expired_has_a_new_one_when_it_is_back(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    (home / "server.yaml").write_text(json.dumps({"tls_port": port, "agent_key_secs": 10, "agent_poll_secs": 1, "certificate_secs": 4}))
    with running_server(home) as server:
        remote = Remote(tmp_path / "remote", server, "shop").joined()
        remote.start()
        remote.write("before")
        wait_for(lambda: found(remote) == ["before"], remote.log(), 60)
    try:
        old = load_pem_x509_certificate((home / "secret" / "server.pem").read_bytes())
        remote.write("while it was away")
        wait_for(lambda: datetime.now(UTC) > old.not_valid_after_utc, "it has expired", 30)
        with running_server(home) as remote.server:
            remote.write("after")
            wait_for(lambda: len(found(remote)) == 3, remote.log(), 60)
            assert found(remote) == ["after", "before", "while it was away"]
            new = load_pem_x509_certificate((home / "secret" / "server.pem").read_bytes())
            assert new.serial_number != old.serial_number
            assert "is not the server that enrolled this agent" not in remote.log()
    finally:
        remote.kill()


def test_the_other_address_is_used_when_one_is_closed_for_data_and_for_keys(tmp_path: Path) -> None:
    relay, home, port = Relay(), tmp_path / "home", free_port()
    home.mkdir()
    ways = [f"https://127.0.0.1:{relay.port}", f"https://127.0.0.1:{port}"]
    settings = {"tls_host": "127.0.0.1", "tls_port": port, "addresses": ways, "agent_key_secs": 10, "agent_poll_secs": 1}
    (home / "server.yaml").write_text(json.dumps(settings))
    with running_server(home) as server:
        relay.target = server.tls_port
        remote = Remote(tmp_path / "remote", server, "shop")
        remote.endpoint = ways[0]
        remote.pipeline(flushers=[remote.to("shop")])
        remote.joined().start()
        try:
            remote.write("before")
            wait_for(lambda: found(remote) == ["before"], remote.log(), 60)
            assert set(remote.identity["servers"][0]["addresses"]) == set(ways)
            assert relay.passed >= 2  # joining, and data
            key = remote.identity["enrolments"][0]["key_id"]
            relay.close()
            remote.write("after")
            wait_for(lambda: found(remote) == ["after", "before"], remote.log(), 60)
            wait_for(lambda: remote.identity["enrolments"][0]["key_id"] != key, "the key is renewed over the other address", 60)
            time.sleep(0.5)
            assert found(remote) == ["after", "before"]
        finally:
            remote.kill()

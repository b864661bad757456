"""How often an agent beats."""

import threading
import time
from typing import Any
from unittest.mock import Mock

import pytest

from tailrace.agent.control import management
from tailrace.agent.control.management import Management
from tailrace.agent.identity.identity import AgentIdentity, JoinedServer
from tailrace.pipeline.labels import Machine
from tailrace.wire.control import HeartbeatRequest, HeartbeatResponse, decode, encode
from tailrace.wire.vitals import Vitals

SERVER = JoinedServer("one", ["https://logs.example.org:9481"], [], "certificate", [], 1.0)


class Server:
    """Has nothing to say. It holds a beat for `held` seconds, where the agent asks for that."""

    held = 0.0

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.over = threading.Event()

    def exchange(self, _method: str, target: str, body: bytes, **_: object) -> bytes:
        self.targets.append(target)
        if target == management.HELD:
            self.over.wait(self.held)
        return encode(HeartbeatResponse(request_id=decode(HeartbeatRequest, body).request_id))

    def close(self) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(management, "own_context", lambda *_: None)
    monkeypatch.setattr(management, "Line", lambda *_: server)
    monkeypatch.setattr(management, "LEAST_PAUSE_SECS", 0.05)
    return server


def beat_for(seconds: float) -> None:
    identity = AgentIdentity("a" * 32, [], servers={"one": SERVER})
    nothing: Any = Mock(**{
        "forget_servers.return_value": False, "infos.return_value": [], "trying.return_value": [], "retry.return_value": False,
        "is_busy": False, "changes": 0,
    })  # fmt: skip
    machine = Mock(spec=Machine, address="127.0.0.1", host_name="h", user_defined_ids=[])
    agent = Management(
        identity, nothing, lambda: machine, machine_id="m", reload=list, outcome=lambda _: "", vitals=Vitals, commands=nothing,
        settings=nothing,
    )  # fmt: skip
    with agent.at_work():
        time.sleep(seconds)


def test_with_a_server_that_holds_beats_there_is_no_pause_of_its_own(server: Server) -> None:
    server.held = 0.1
    beat_for(2.0)
    server.over.set()
    assert server.targets[0] == management.HEARTBEAT
    assert len(server.targets) > 4
    assert set(server.targets[1:]) == {management.HELD}


def test_with_a_server_that_answers_at_once_an_agent_beats_every_ten_seconds(server: Server) -> None:
    beat_for(2.0)
    assert server.targets == [management.HEARTBEAT, management.HELD]

"""The worker under test and the sink that it sends to."""

from datetime import timedelta
from pathlib import Path

import pytest

from tailrace.server.auth.authority import Authority, open_authority
from tests.integration.agent.patient import Patient
from tests.integration.agent.running import Agent
from tests.integration.agent.sink import Sink


@pytest.fixture
def sink():
    sink = Sink().start()
    yield sink
    sink.stop()
    assert not sink.problems


@pytest.fixture
def agent(tmp_path, sink):
    with Agent(tmp_path, sink.endpoint) as agent:
        yield agent


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """It sends with a key of its own to where nobody listens."""
    return Patient(tmp_path / "home").sends_to("http://127.0.0.1:1", AccessKeyId="id", AccessKeySecret="secret")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(tmp_path / "ca", timedelta(days=1))

"""The worker under test and the sink that it sends to."""

import pytest

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
    agent = Agent(tmp_path, sink.endpoint)
    yield agent
    if agent.process and agent.process.poll() is None:
        agent.kill()

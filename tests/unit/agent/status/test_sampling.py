"""What the agent says of its own state, from what it samples of itself."""

from dataclasses import dataclass

import pytest

from tailrace.agent.status.overview import Overview
from tailrace.agent.status.sampling import Sampler


@dataclass
class Open:
    """A lane with so many streams."""

    open_streams: int


@pytest.mark.parametrize(("streams", "state"), [(9, "ok"), (10, "many_log_files")])
def test_many_files_are_nine_tenths_of_those_that_the_agent_may_follow(tmp_path, streams, state):
    sampler = Sampler(Overview(lanes=[Open(streams)]), tmp_path, 10)
    assert sampler._state({}, {}, 0.1) == state

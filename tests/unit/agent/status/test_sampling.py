"""What the agent says of its own state, from what it samples of itself."""

import pytest

from tailrace.agent.status.overview import Overview
from tailrace.agent.status.sampling import Sampler


@pytest.mark.parametrize(("streams", "state"), [(9, "ok"), (10, "many_log_files")])
def test_many_files_are_nine_tenths_of_those_that_the_agent_may_follow(tmp_path, streams, state):
    sampler = Sampler(Overview(), tmp_path, 10)
    sampler._streams_before = {str(number): {} for number in range(streams)}
    assert sampler._state({}, {}, 0.1) == state

"""However many lanes are stopped, they share one deadline."""

import threading

import pytest

from tailrace.agent.lanes.stopping import stop_all
from tests.unit.agent.delivery.test_delivery_spool import Bench
from tests.unit.agent.lanes.test_lane import Stdout, lane_of


@pytest.fixture
async def bench(tmp_path):
    bench = Bench(tmp_path, Stdout())
    yield bench
    await bench.end()


async def test_lanes_are_stopped_side_by_side_and_none_reads_on_meanwhile(bench):
    lanes = [lane_of(bench) for _ in range(20)]
    together = threading.Barrier(len(lanes))
    seen: list[bool] = []

    def stop(lane):
        together.wait(30)  # BrokenBarrierError where one waits for another to end
        seen.append(all(one.stopping for one in lanes))
        lane.stop(0.0)

    await stop_all(lanes, stop)
    assert seen == [True] * 20

"""After a roll-back it is known of each target whether it has caught up, until all have."""

import pytest

from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.lanes.catching_up import CatchingUp
from tests.unit.agent.delivery.test_delivery_spool import Bench, Gate


@pytest.fixture
async def bench(tmp_path):
    home = Bench(tmp_path, Gate(down=True))
    stream = home.submit(1)
    await home.until(lambda: stream.under_way)
    await home.target.underway.durable(stream.under_way)
    await home.end()
    database = open_checkpoint(tmp_path / "agent").database
    database.renew_epoch(rolled_back=True)
    database.close()
    return Bench(tmp_path, Gate(down=True))


def rolled_back(bench, *caught_up):
    return CatchingUp(AgentIdentity("a" * 32, []), bench.table, bench.writer, rolled_back=True, caught_up=caught_up)


async def kept(bench):
    await bench.end()
    opened = open_checkpoint(bench.home / "agent")
    opened.database.close()
    return opened.content.rolled_back


async def test_it_is_not_over_while_streams_lead_to_a_target_whose_pipeline_does_not_run(bench):
    catching_up = rolled_back(bench, "another")
    catching_up.look(["another"])
    assert catching_up.is_behind("gate")
    assert await kept(bench)


async def test_it_is_not_over_before_all_that_run_have_caught_up(bench):
    catching_up = rolled_back(bench, "gate")
    catching_up.look(["gate", "another"])
    assert catching_up.is_behind("another")
    assert await kept(bench)


async def test_it_is_over_when_all_have_caught_up(bench):
    catching_up = rolled_back(bench, "gate", "another")
    catching_up.look(["another"])
    assert not catching_up.is_behind("a third one")
    assert not await kept(bench)

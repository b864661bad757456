"""A processor that decides by the clock, and kill -9: a range that is sent again holds the events that it held before."""

import random
import time
from collections import Counter

from tests.integration.agent.running import wait_for


def test_killed_while_a_limit_decides_no_range_changes(agent, sink):
    """Ranges have several parts (4096 events each), so that other decisions would show: as a fork, or as events that are there twice."""
    chance = random.Random(7)
    sink.fault = lambda number: chance.choice([None, "slow", "lost answer", "lost answer", "500"])
    agent.enrol()
    agent.pipeline(processors=[{"Type": "processor_rate_limit", "Limit": "20000/s"}])
    log, written = agent.logs / "app.log", 0
    for _ in range(8):
        before = sink.requests
        with log.open("a") as file:
            file.writelines(f"event {number:07d}\n" for number in range(written, written + 30_000))
        written += 30_000
        agent.start()
        wait_for(lambda before=before: sink.requests > before)
        time.sleep(chance.uniform(0.0, 0.3))
        agent.kill()
    sink.fault = lambda number: None
    agent.run_to_the_end()
    found = Counter(sink.contents())
    assert {content: times for content, times in found.items() if times > 1} == {}
    assert sink.forks == 0
    assert sink.repeats > 0, "something was sent again"
    assert 8 * 4096 < len(found) < written, "the limit let some through, and dropped some"

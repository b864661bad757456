"""Aggregators at work in an agent: log groups as parts of their range, their shards, and the same parts again after kill -9."""

import json
import random
import time
from collections import Counter, defaultdict

import pytest

from tests.integration.agent.running import wait_for

PARSE = [{"Type": "processor_parse_json_native"}]
BY_SERVICE = {"Type": "aggregator_content_value_group", "GroupKeys": ["service"]}
BY_SHARD = {"Type": "aggregator_shardhash", "SourceKeys": ["user"], "ShardCount": 4}


def write(agent, numbers, mode="w"):
    with (agent.logs / "app.log").open(mode) as file:
        for number in numbers:
            file.write(json.dumps({"n": str(number), "service": f"s{number % 3}", "user": f"u{number % 17}"}) + "\n")


def parts_by_range(sink):
    ranges = defaultdict(list)
    for identity in sink.packages.values():
        ranges[identity.stream, identity.sequence].append(identity)
    return ranges


@pytest.mark.parametrize("aggregator", [BY_SERVICE, BY_SHARD])
def test_a_range_becomes_numbered_parts(agent, sink, aggregator):
    agent.enrol()
    agent.pipeline(processors=PARSE, aggregators=[aggregator])
    write(agent, range(300))
    agent.run_to_the_end()
    assert Counter(event["n"] for event in sink.events) == Counter(map(str, range(300)))
    for parts in parts_by_range(sink).values():
        assert sorted(one.part for one in parts) == list(range(len(parts)))
        assert {one.parts for one in parts} == {len(parts)}


def test_the_groups_of_values_carry_their_tags_and_keep_the_order(agent, sink):
    agent.enrol()
    agent.pipeline(processors=PARSE, aggregators=[BY_SERVICE])
    write(agent, range(300))
    agent.run_to_the_end()
    assert all(event["__tag__:service"] == event["service"] for event in sink.events)
    for service in ("s0", "s1", "s2"):
        numbers = [int(event["n"]) for event in sink.events if event["service"] == service]
        assert numbers == sorted(numbers)


def test_each_bucket_goes_to_its_shard(agent, sink):
    agent.enrol()
    agent.pipeline(processors=PARSE, aggregators=[BY_SHARD])
    write(agent, range(300))
    agent.run_to_the_end()
    assert set(sink.placed.values()) == {f"{bucket << 126:032x}" for bucket in range(4)}
    assert sink.problems == []


@pytest.mark.parametrize("aggregator", [BY_SERVICE, BY_SHARD])
def test_killed_while_parts_are_on_their_way(agent, sink, aggregator):
    """The sink takes a part that comes again with another number of parts for a fork, and there is none."""
    chance = random.Random(7)
    sink.fault = lambda number: chance.choice([None, None, "slow", "lost answer", "500"])
    agent.enrol()
    agent.pipeline(processors=PARSE, aggregators=[aggregator], flushers=[agent.to_sink(Batch={"MinCnt": 1})])
    count = 0
    for _ in range(6):
        write(agent, range(count, count + 400), "a")
        count += 400
        before = sink.requests
        agent.start()
        wait_for(lambda before=before: sink.requests > before + chance.randrange(1, 4))
        time.sleep(chance.uniform(0.0, 0.2))
        agent.kill()
    epochs = {identity.epoch for identity in sink.packages.values()}
    sink.fault = lambda number: None
    agent.run_to_the_end()
    assert Counter(event["n"] for event in sink.events) == Counter(map(str, range(count)))
    assert {identity.epoch for identity in sink.packages.values()} == epochs, "no fork has renewed the epoch"
    assert sink.repeats > 0, "some parts have come twice"
    for parts in parts_by_range(sink).values():
        assert sorted(one.part for one in parts) == list(range(parts[0].parts))

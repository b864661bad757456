"""A position belongs to its input, and a cursor to one flusher's stream: shown with an input that has no files."""

import json
import random
import sqlite3
import sys
import time
from collections import Counter

from tests.integration.agent.running import wait_for


def pipeline(agent, flushers, **options):
    document = {"inputs": [{"Type": "input_counting", **options}], "flushers": flushers}
    (agent.directory / "pipelines" / "count.json").write_text(json.dumps(document))
    agent.command = [sys.executable, "-m", "tests.integration.agent.counting_input"]


def numbers(contents):
    return Counter(int(content.rpartition(" ")[2]) for content in contents)


def in_file(out):
    return [json.loads(line)["content"] for line in out.read_text().splitlines()]


def test_two_flushers_each_at_its_own_position_survive_kill(agent, sink):
    out = agent.directory / "out.jsonl"
    agent.enrol()
    last = 3000
    pipeline(
        agent,
        [agent.to_sink(), {"Type": "flusher_file", "FilePath": str(out)}],
        Last=last,
        PauseMs=1,
        Acknowledged=str(agent.directory / "acks"),
    )
    chance = random.Random(3)
    sink.fault = lambda number: chance.choice(["500", "lost answer", "slow", None])
    for number in range(5):
        before = sink.requests
        agent.start()
        if number != 2:
            wait_for(lambda before=before: sink.requests > before)
        time.sleep(chance.uniform(0.0, 0.4))
        agent.kill()
    sink.fault = lambda number: None
    agent.run_to_the_end()
    once = Counter(range(1, last + 1))
    assert numbers(sink.contents()) == once
    assert numbers(in_file(out)) == once
    acknowledged = [int(line) for line in (agent.directory / "acks").read_text().splitlines()]
    assert acknowledged.count(last) >= 2


def test_the_checkpoint_keeps_the_position_as_the_input_gave_it(agent, sink):
    agent.enrol()
    pipeline(agent, [agent.to_sink()], Last=100)
    agent.run_to_the_end()
    connection = sqlite3.connect(agent.home / "agent" / "checkpoint.db")
    committed = [json.loads(text) for (text,) in connection.execute("SELECT committed FROM streams")]
    connection.close()
    assert committed == [{"v": 3, "gtid": "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-100", "note": {"opaque": [100, None]}}]


def test_a_flusher_that_cannot_deliver_does_not_move_its_own_cursor_nor_the_other(agent, sink):
    out = agent.directory / "out.jsonl"
    agent.enrol()
    pipeline(agent, [agent.to_sink(), {"Type": "flusher_file", "FilePath": str(out)}], Last=500)
    sink.refuse = "ParameterInvalid"  # not for what the events are: those would become dead letters
    agent.start()
    wait_for(lambda: out.exists() and len(in_file(out)) == 500)
    agent.kill()
    sink.refuse = ""
    agent.run_to_the_end()
    assert numbers(sink.contents()) == Counter(range(1, 501))
    assert numbers(in_file(out)) == Counter(range(1, 501))

"""Only new logs, at an agent at work: what is too old goes, what waited because of us stays."""

import time
from datetime import UTC, datetime, timedelta

from tests.integration.agent.running import wait_for

PARSE = [
    {"Type": "processor_parse_regex_native", "Regex": r"(\S+) (.*)", "Keys": ["time", "content"]},
    {"Type": "processor_parse_timestamp_native", "SourceKey": "time", "SourceFormat": "%Y-%m-%dT%H:%M:%S", "SourceTimezone": "GMT+00:00"},
]


def line(text, ago_secs=0):
    return f"{datetime.now(UTC) - timedelta(seconds=ago_secs):%Y-%m-%dT%H:%M:%S} {text}\n"


def append(agent, *lines, name="a.log"):
    with (agent.logs / name).open("a") as file:
        file.write("".join(lines))


def test_an_event_of_another_time_zone_is_discarded_and_named(agent, sink):
    agent.enrol()
    agent.pipeline(processors=PARSE, TailingAllMatchedFiles=False)
    agent.start()
    wait_for(lambda: "agent is at work" in agent.log())
    time.sleep(0.3)
    append(agent, line("fresh"), line("eight hours old", ago_secs=8 * 3600), line("fresh too"))
    wait_for(lambda: len(sink.events) == 2)
    wait_for(lambda: "OUTDATED_LOG_ALARM" in agent.log())
    assert sink.contents() == ["fresh", "fresh too"]
    assert "8 h old, wrong time zone?" in agent.log()
    assert "MaxLogAgeSecs" in agent.log()


def test_what_was_written_before_an_outage_of_ours_is_not_too_old_after_it(agent, sink):
    agent.enrol()
    agent.pipeline(processors=PARSE, TailingAllMatchedFiles=False)
    agent.start("--max-log-age-secs", "1")
    wait_for(lambda: "agent is at work" in agent.log())
    time.sleep(0.3)
    append(agent, line("before"))
    wait_for(lambda: len(sink.events) == 1)
    agent.stop()
    append(agent, line("while no agent ran"))
    append(agent, line("in a file that appeared meanwhile"), name="b.log")
    time.sleep(2.5)  # more than the limit
    agent.start("--max-log-age-secs", "1")
    wait_for(lambda: len(sink.events) == 3)
    assert "OUTDATED_LOG_ALARM" not in agent.log()


def test_what_waits_for_a_target_that_is_down_is_not_too_old_and_a_killed_agent_discards_the_same_again(agent, sink):
    agent.enrol()
    sink.fault = lambda number: "503"
    agent.pipeline(processors=PARSE, TailingAllMatchedFiles=False)
    agent.start("--max-log-age-secs", "2")
    wait_for(lambda: "agent is at work" in agent.log())
    time.sleep(0.3)
    append(agent, line("first"), line("old", ago_secs=60), line("second"))
    wait_for(lambda: sink.requests > 0)
    agent.kill()
    time.sleep(3)
    sink.fault = lambda number: None
    agent.start("--max-log-age-secs", "3600")  # the range was prepared under the limit of 2 s, and is replayed under it
    wait_for(lambda: len(sink.events) >= 2)
    time.sleep(0.5)
    assert sink.contents() == ["first", "second"]

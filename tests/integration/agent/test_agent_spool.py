"""The agent at work with its spool: what it could not send outlives its source, its process and its pipeline."""

from pathlib import Path

from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_delivery import must_be_each_once, numbered


def kept_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "agent" / "spool").glob("*/*.seg"))


def test_what_was_read_of_a_deleted_file_survives_a_kill_though_no_pipeline_names_its_target_any_more(agent, sink):
    sink.fault = lambda number: "503"
    agent.enrol()
    agent.pipeline()
    log = agent.logs / "a.log"
    log.write_text(numbered(2000))
    agent.start()
    wait_for(lambda: sink.requests, "the first attempt")
    log.unlink()
    wait_for(lambda: kept_bytes(agent.home) > 10_000, "the spool has the events")
    agent.kill()
    sink.fault = lambda number: None
    agent.pipeline(flushers=[{"Type": "flusher_stdout"}])
    agent.run_to_the_end()
    must_be_each_once(sink, 2000)
    assert kept_bytes(agent.home) == 0
    assert "DROP_LOG_ALARM" not in agent.log()


def test_what_a_stopped_agent_could_not_send_the_next_one_sends_without_reading_it_again(agent, sink):
    sink.fault = lambda number: "500"
    agent.enrol()
    agent.pipeline()
    log = agent.logs / "a.log"
    log.write_text(numbered(5000))
    agent.start()
    wait_for(lambda: sink.requests, "the first attempt")
    agent.stop()
    assert kept_bytes(agent.home) > 0
    sink.fault = lambda number: None
    log.write_text(numbered(5000).upper())  # the same sizes, other bytes
    agent.run_to_the_end()
    assert [content for content in sink.contents() if content.startswith("event")] == numbered(5000).splitlines()

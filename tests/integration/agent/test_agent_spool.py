"""The agent at work with its spool: what it could not send outlives its source, its process and its pipeline."""

import random
import shutil
from pathlib import Path

import pytest

from tests.integration.agent.running import contents, wait_for
from tests.integration.agent.test_agent_delivery import must_be_each_once, numbered


def kept_bytes(home: Path) -> int:
    return sum(len(data) for data in contents((home / "agent" / "spool").glob("*/*.seg")))


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


@pytest.mark.parametrize("count", [2, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_whatever_happens_to_the_bytes_of_its_state_the_agent_starts_and_delivers(agent, sink, count):
    """Bytes of the spool and of the checkpoint are flipped or cut off; the file is still there, so that everything can be read again."""
    sink.fault = lambda number: "500"
    sink.stored_ends = {}
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text(numbered(3000))
    agent.start()
    wait_for(lambda: sink.requests, "the first attempt")
    agent.stop()
    sink.fault = lambda number: None
    whole = {path: path.read_bytes() for path in (agent.home / "agent").rglob("*") if path.is_file()}
    chance = random.Random(count)
    for _ in range(count):
        shutil.rmtree(agent.home / "agent")
        victim = chance.choice([path for path, data in whole.items() if data])
        at = chance.randrange(len(whole[victim]))
        for path, data in whole.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            flipped = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :] if path == victim and at % 2 else data[:at]
            path.write_bytes(flipped if path == victim else data)
        sink.events.clear()
        sink.packages.clear()
        agent.run_to_the_end(timeout=100)
        assert {content[:13] for content in sink.contents()} == {text[:13] for text in numbered(3000).splitlines()}, (victim, at)
        must_be_each_once(sink, 3000)


def test_what_is_damaged_while_the_agent_runs_is_read_again_as_it_was(agent, sink):
    sink.fault = lambda number: "503"
    agent.enrol()
    agent.pipeline()
    for number in range(10):
        (agent.logs / f"{number}.log").write_text(numbered(3000, number * 3000))
    agent.start()
    wait_for(lambda: kept_bytes(agent.home) > 300_000, "the spool has most of it", 60)
    [segment] = (agent.home / "agent" / "spool").glob("*/*.seg")
    with segment.open("r+b") as file:
        for place in range(1000, segment.stat().st_size, 40_000):
            file.seek(place)
            file.write(b"damaged!")
    sink.fault = lambda number: None
    wait_for(lambda: len(sink.events) >= 30_000, "everything arrives", 60)
    wait_for(lambda: kept_bytes(agent.home) == 0, "the spool is empty", 60)
    agent.stop()
    must_be_each_once(sink, 30_000)
    assert "a range in the spool cannot be read; it is read again from its source" in agent.log()
    assert "cannot be built any more" not in agent.log()


def test_a_spool_that_cannot_be_opened_for_a_while_holds_back_its_own_target_alone_and_nothing_of_it_is_lost(agent, sink):
    sink.fault = lambda number: "500"
    agent.enrol()
    agent.pipeline(FilePaths=[f"{agent.logs}/a.log"])
    log = agent.logs / "a.log"
    log.write_text(numbered(2000))
    agent.start()
    wait_for(lambda: sink.requests, "the first attempt")
    agent.stop()
    sink.fault = lambda number: None
    log.unlink()  # nothing but the spool has them now
    [shelf] = [path for path in (agent.home / "agent" / "spool").iterdir() if path.is_dir()]
    shelf.chmod(0)
    out = agent.directory / "other.jsonl"
    agent.pipeline("other", FilePaths=[f"{agent.logs}/b.log"], flushers=[{"Type": "flusher_file", "FilePath": str(out)}])
    (agent.logs / "b.log").write_text("line of another target\n")
    agent.command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *agent.command]  # even root may not look into it
    agent.start()
    wait_for(lambda: "a part of the spool cannot be opened now" in agent.log(), "the alarm")
    wait_for(lambda: out.exists() and "line of another target" in out.read_text(), "the other target")
    assert sink.events == []
    shelf.chmod(0o700)
    wait_for(lambda: len(sink.events) >= 2000, "everything arrives", 40)
    agent.stop()
    must_be_each_once(sink, 2000)
    assert kept_bytes(agent.home) == 0
    assert "DROP_LOG_ALARM" not in agent.log()

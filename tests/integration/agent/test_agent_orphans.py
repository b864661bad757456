"""Ranges of pipelines that were removed, or send elsewhere now: they arrive where they were to go, once."""

import json
import shutil
import time

import pytest

from tailrace.agent.checkpoint import open_checkpoint
from tests.integration.agent.running import wait_for
from tests.integration.agent.sink import KEY_ID, KEY_SECRET, Sink
from tests.integration.agent.test_agent_delivery import must_be_each_once, numbered

NO_SPOOL = {"buffer_file_num": 1, "buffer_file_size": 1_048_576}


def to_a_file(agent):
    return [{"Type": "flusher_file", "FilePath": str(agent.directory / "elsewhere.jsonl")}]


def prepared(agent) -> int:
    """Ranges that the checkpoint has and nobody has acknowledged."""
    opened = open_checkpoint(agent.home / "agent")
    opened.database.close()
    return sum(map(len, opened.content.ranges.values()))


def killed_with_prepared_ranges(agent, sink, lines: str):
    """Neither the network nor the spool has taken them."""
    sink.fault = lambda number: "503"
    agent.enrol()
    agent.pipeline(processors=[{"Type": "processor_add_fields", "Fields": {"made_by": "then"}}])
    (agent.logs / "a.log").write_text(lines)
    agent.start()
    wait_for(lambda: sink.requests > 1, "the first attempts")
    agent.kill()
    shutil.rmtree(agent.home / "agent" / "spool", ignore_errors=True)  # as if there had been no room in it
    sink.fault = lambda number: None
    assert prepared(agent) > 0


@pytest.mark.parametrize("now", ["retargeted", "removed"])
def test_what_a_pipeline_had_prepared_goes_where_it_was_to_go_though_the_pipeline_goes_elsewhere(agent, sink, now):
    killed_with_prepared_ranges(agent, sink, numbered(3000))
    if now == "retargeted":
        agent.pipeline(flushers=to_a_file(agent))
    else:
        (agent.directory / "pipelines" / "app.json").unlink()
        agent.pipeline("other", FilePaths=[f"{agent.logs}/nothing-here.log"], flushers=to_a_file(agent))
    agent.run_to_the_end()
    must_be_each_once(sink, 3000)
    assert {event["made_by"] for event in sink.events} == {"then"}, "by the config that they were read with"
    assert prepared(agent) == 0
    assert "DROP_LOG_ALARM" not in agent.log()


def test_it_takes_as_many_starts_as_are_killed_in_the_midst_of_it(agent, sink):
    killed_with_prepared_ranges(agent, sink, numbered(3000))
    agent.pipeline(flushers=[{"Type": "flusher_stdout"}], FilePaths=[f"{agent.logs}/nothing-here.log"])
    for fault in ("503", "lost answer", "reset"):
        before = sink.requests
        sink.fault = lambda number, fault=fault: fault
        agent.start()
        wait_for(lambda before=before: sink.requests > before, "it is sent again")
        agent.kill()
    sink.fault = lambda number: None
    agent.run_to_the_end()
    must_be_each_once(sink, 3000)
    assert prepared(agent) == 0


def test_what_is_gone_when_it_is_to_be_read_again_is_asked_about_and_told(agent, sink):
    killed_with_prepared_ranges(agent, sink, numbered(3000))
    (agent.logs / "a.log").unlink()
    agent.pipeline(flushers=to_a_file(agent))
    agent.run_to_the_end()
    assert sink.events == []
    assert prepared(agent) == 0
    assert "DROP_LOG_ALARM" in agent.log()


def test_without_a_key_for_its_target_it_is_kept_and_said_so(agent, sink):
    killed_with_prepared_ranges(agent, sink, numbered(100))
    (agent.home / "secret" / "agent.json").write_text(json.dumps({"format": 2, "agent_id": "a" * 32, "enrolments": []}))
    agent.pipeline(flushers=to_a_file(agent))
    agent.start()
    wait_for(lambda: "they are kept until one does" in agent.log(), "the alarm")
    agent.stop()
    assert prepared(agent) > 0
    agent.enrol()
    agent.run_to_the_end()
    must_be_each_once(sink, 100)


def test_a_pipeline_that_does_not_run_when_the_checkpoint_is_rolled_back_is_asked_about_when_it_comes_back(agent, sink):
    """What it has read since the copy was made is at the server already."""
    other = Sink().start()
    enrolments = [
        {"endpoint": one.endpoint, "project": project, "logstores": ["app"], "key_id": KEY_ID, "key_secret": KEY_SECRET,
         "features": ["batch_group"], "server": server * 32}
        for one, project, server in ((other, "away", "c"), (sink, "test", "b"))
    ]  # fmt: skip
    (agent.home / "secret" / "agent.json").write_text(json.dumps({"format": 2, "agent_id": "a" * 32, "enrolments": enrolments}))
    agent.pipeline(FilePaths=[f"{agent.logs}/a.log"])
    away = {**agent.to_sink(), "Endpoint": other.endpoint, "Project": "away"}
    agent.pipeline("away", FilePaths=[f"{agent.logs}/away.log"], flushers=[away])
    log, path = agent.logs / "away.log", agent.home / "agent" / "checkpoint.db"
    (agent.logs / "a.log").write_text(numbered(10))
    log.write_text(numbered(100))
    agent.run_to_the_end()
    shutil.copy(path, path.with_name("checkpoint.copy.db"))
    with log.open("a") as file:
        file.write(numbered(100, 100))
    agent.run_to_the_end()
    for one in (sink, other):
        ends = [(package.stream, package.end) for package in one.packages.values()]
        one.stored_ends = {stream: max(end for own, end in ends if own == stream) for stream, _ in ends}
    path.write_bytes(b"no database")
    (agent.directory / "pipelines" / "away.json").rename(agent.directory / "away.json")
    agent.start()
    with (agent.logs / "a.log").open("a") as file:
        file.write(numbered(10, 10))
    wait_for(lambda: len(sink.events) == 20, "the pipeline that runs goes on")
    time.sleep(0.5)  # it has caught up
    agent.stop()
    (agent.directory / "away.json").rename(agent.directory / "pipelines" / "away.json")
    agent.run_to_the_end()
    other.stop()
    must_be_each_once(sink, 20)
    must_be_each_once(other, 200)


def test_one_server_that_is_out_holds_back_no_streams_but_its_own(agent, sink):
    """The checkpoint is lost: each server is asked where our streams end."""
    dead = Sink().start()
    enrolments = [
        {"endpoint": one.endpoint, "project": project, "logstores": ["app"], "key_id": KEY_ID, "key_secret": KEY_SECRET,
         "features": ["batch_group"], "server": server * 32}
        for one, project, server in ((dead, "gone", "c"), (sink, "test", "b"))
    ]  # fmt: skip
    (agent.home / "secret" / "agent.json").write_text(json.dumps({"format": 2, "agent_id": "a" * 32, "enrolments": enrolments}))
    agent.pipeline(FilePaths=[f"{agent.logs}/a.log"])
    agent.pipeline(
        "gone", FilePaths=[f"{agent.logs}/gone.log"], flushers=[{**agent.to_sink(), "Endpoint": dead.endpoint, "Project": "gone"}]
    )
    log = agent.logs / "a.log"
    log.write_text(numbered(200))
    (agent.logs / "gone.log").write_text(numbered(10))
    agent.run_to_the_end()
    must_be_each_once(sink, 200)
    must_be_each_once(dead, 10)
    ended = max(one.end for one in sink.packages.values())
    sink.stored_ends = {one.stream: ended for one in sink.packages.values()}
    dead.stop()
    for life in (1, 2):
        if life == 1:
            for path in (agent.home / "agent").glob("checkpoint*"):
                path.unlink()
        with log.open("a") as file:
            file.writelines(f"event {number:07d} x\n" for number in range(200 * life, 200 * life + 200))
        agent.start()
        wait_for(lambda life=life: len(sink.events) >= 200 * life + 200, "the lines for the server that answers", 40)
        wait_for(lambda: "cannot ask the server where our streams end" in agent.log(), "the alarm")
        agent.kill()  # the second life must not ask again: what the server says now is older than what it knows
    contents = [text[:13] for text in sink.contents()]
    assert sorted(contents) == [f"event {number:07d}" for number in range(600)]

"""From files to a target that fails in every way: each event arrives exactly once."""

import contextlib
import itertools
import json
import sqlite3
import time
from collections import Counter

import pytest

from tests.integration.agent.running import wait_for


def numbered(count, start=0):
    return "".join(f"event {number:07d} {'x' * (number % 90)}\n" for number in range(start, start + count))


def must_be_each_once(sink, count):
    found = Counter(content[:13] for content in sink.contents())
    assert {name: times for name, times in found.items() if times > 1} == {}
    assert len(found) == count


def sent(agent, text):
    """A file, all of which has been sent."""
    agent.enrol()
    agent.pipeline()
    log = agent.logs / "a.log"
    log.write_text(text)
    agent.run_to_the_end()
    return log


def append(log, text):
    with log.open("a") as file:
        file.write(text)


def test_all_events_arrive_with_their_tags(agent, sink):
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text(numbered(20_000))
    (agent.logs / "b.log").write_text(numbered(10, 20_000))
    agent.run_to_the_end()
    must_be_each_once(sink, 20_010)
    assert {event["__tag__:__path__"] for event in sink.events} == {f"{agent.logs}/a.log", f"{agent.logs}/b.log"}
    assert all(event["__tag__:__hostname__"] and "-" in event["__tag__:__pack_id__"] for event in sink.events)


def test_a_second_run_sends_nothing_again_and_goes_on(agent, sink):
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text(numbered(1000))
    agent.run_to_the_end()
    agent.run_to_the_end()
    must_be_each_once(sink, 1000)
    with (agent.logs / "a.log").open("a") as file:
        file.write(numbered(500, 1000))
    (agent.logs / "new.log").write_text(numbered(100, 1500))
    agent.run_to_the_end()
    must_be_each_once(sink, 1600)
    assert sink.repeats == 0


@pytest.mark.parametrize("sign_version", ["v4", "v1"])
@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
def test_any_other_endpoint_gets_one_log_group_per_request(agent, sink, sign_version, compression):
    agent.pipeline(flushers=[agent.with_key(SignVersion=sign_version, CompressType=compression)])
    (agent.logs / "a.log").write_text(numbered(5000))
    agent.run_to_the_end()
    must_be_each_once(sink, 5000)
    assert not sink.packages
    kept = [path for path in (agent.home / "agent").rglob("*") if path.is_file()]
    assert KEY_IS_NOT_IN_STATE not in b"".join(path.read_bytes() for path in kept)


KEY_IS_NOT_IN_STATE = b"agent-secret"


@pytest.mark.parametrize(
    "faults",
    [
        ["500", "503", None, "500", None],
        ["403", "429", None],
        ["reset", None, "reset", None],
        ["lost answer", None, "lost answer", "lost answer", None],
        ["lost answer", "500", "reset", "slow", None, "429", None, "lost answer", None],
    ],
    ids=lambda faults: ",".join(str(fault) for fault in faults),
)
def test_faults_lose_and_repeat_nothing(agent, sink, faults):
    order = itertools.cycle(faults)
    sink.fault = lambda number: next(order)
    agent.enrol()
    agent.pipeline()
    for name in "abc":
        (agent.logs / f"{name}.log").write_text(numbered(5_000, 5_000 * "abc".index(name)))
    agent.run_to_the_end()
    must_be_each_once(sink, 15_000)


def test_events_of_one_file_keep_their_order_by_pack_id(agent, sink):
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text(numbered(30_000))
    agent.run_to_the_end()
    identities = sorted(sink.packages.values(), key=lambda one: (one.sequence, one.part))
    starts = [one.start for one in identities if one.part == 0]
    assert starts == sorted(starts)
    assert [one.end for one in identities if one.part == 0][:-1] == starts[1:]


def test_refused_data_is_kept_and_tried_again(agent, sink):
    sink.refuse = "ParameterInvalid"  # not for what the events are: those would become dead letters
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text(numbered(100))
    agent.start("--exit-when-drained")
    wait_for(lambda: "SEND_DATA_FAIL_ALARM" in agent.log(), "the alarm")
    assert sink.events == []
    sink.refuse = ""
    assert agent.process.wait(20) == 0
    must_be_each_once(sink, 100)


def test_a_fork_renews_the_epoch_and_resumes_where_the_server_stands(agent, sink):
    log = sent(agent, numbered(1000))
    stream = next(iter(sink.packages.values())).stream
    epochs = {one.epoch for one in sink.packages.values()}
    text = numbered(1000, 1000)
    append(log, text)
    # The server has half of the new lines already, from a copy of this agent.
    half = text[: text.index("event 0001500")]
    sink.stored_ends = {stream: len(numbered(1000)) + len(half)}
    sink.fork_once = True
    agent.run_to_the_end()
    assert Counter(sink.contents()) == Counter((numbered(1000) + text[len(half) :]).splitlines())
    assert len({one.epoch for one in sink.packages.values()} - epochs) == 1
    assert "EXACTLY_ONCE_ALARM" in agent.log()


def test_a_line_arrives_within_a_second(agent, sink):
    agent.enrol()
    agent.pipeline()
    log = agent.logs / "a.log"
    log.write_text("first\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["first"])
    waits = []
    for number in range(5):
        began = time.monotonic()
        with log.open("a") as file:
            file.write(f"line {number}\n")
        wait_for(lambda number=number: f"line {number}" in sink.contents())
        waits.append(time.monotonic() - began)
    agent.stop()
    assert sorted(waits)[2] < 1.0


def test_a_second_worker_on_one_home_is_refused_by_the_pid_of_the_first(agent, sink):
    agent.enrol()
    agent.pipeline()
    first = agent.start()
    wait_for(lambda: "agent is at work" in agent.log())
    second = agent.start()
    assert second.wait(20) == 1
    assert f"the process with pid {first.pid} works on it" in agent.log()
    agent.process = first
    agent.stop()


def test_each_flusher_has_its_own_cursor(agent, sink):
    agent.enrol()
    out = agent.directory / "out.jsonl"
    agent.pipeline(flushers=[agent.to_sink(), {"Type": "flusher_file", "FilePath": str(out)}])
    (agent.logs / "a.log").write_text(numbered(500))
    sink.refuse = "ParameterInvalid"  # not for what the events are: those would become dead letters
    agent.start()
    wait_for(lambda: out.exists() and len(out.read_text().splitlines()) == 500, "the file's flusher does not wait for the other")
    agent.stop()
    assert sink.events == []
    sink.refuse = ""
    agent.run_to_the_end()
    must_be_each_once(sink, 500)
    assert len(out.read_text().splitlines()) == 500


def test_a_renamed_pipeline_takes_over_its_streams(agent, sink):
    agent.enrol()
    agent.pipeline("before")
    (agent.logs / "a.log").write_text(numbered(300))
    agent.run_to_the_end()
    (agent.directory / "pipelines" / "before.json").rename(agent.directory / "pipelines" / "after.json")
    with (agent.logs / "a.log").open("a") as file:
        file.write(numbered(10, 300))
    agent.run_to_the_end()
    must_be_each_once(sink, 310)
    assert len({one.stream for one in sink.packages.values()}) == 1


def ends(sink):
    found = {}
    for one in sink.packages.values():
        found[one.stream] = max(found.get(one.stream, 0), one.end)
    return found


def test_a_lost_checkpoint_loses_and_repeats_nothing_where_the_server_can_be_asked(agent, sink):
    agent.enrol()
    agent.pipeline(TailingAllMatchedFiles=False)
    agent.start()
    wait_for(lambda: "agent is at work" in agent.log())
    wait_for(lambda: list((agent.home / "agent").glob("checkpoint.db")))
    time.sleep(0.5)
    (agent.logs / "a.log").write_text(numbered(700))
    (agent.logs / "b.log").write_text(numbered(300, 700))
    wait_for(lambda: len(sink.events) == 1000)
    agent.stop()
    checkpoint = agent.home / "agent" / "checkpoint.db"
    checkpoint.write_bytes(b"\0" * checkpoint.stat().st_size)
    sink.stored_ends = ends(sink)
    with (agent.logs / "a.log").open("a") as file:
        file.write(numbered(500, 1000))
    agent.run_to_the_end()
    must_be_each_once(sink, 1500)
    assert len({one.epoch for one in sink.packages.values()}) == 2
    assert "CHECKPOINT_ALARM" in agent.log()


def test_what_cannot_be_read_again_is_lost_only_if_the_server_does_not_have_it(agent, sink):
    """The answer to the first file is lost with the agent, the second file never arrives; both are deleted then."""
    agent.enrol()
    agent.pipeline()
    sink.fault = lambda number: "lost answer"
    (agent.logs / "a.log").write_text(numbered(300))
    agent.start()
    wait_for(lambda: len(sink.events) == 300)
    sink.fault = lambda number: "500"
    text = numbered(200, 300)
    log = agent.home / "agent" / "checkpoint.db-wal"
    before = log.stat().st_size
    (agent.logs / "b.log").write_text(text)
    wait_for(lambda: log.stat().st_size > before, "its range is prepared")
    agent.kill()
    assert prepared_bytes(agent) == len(numbered(500))
    for name in ("a.log", "b.log"):
        (agent.logs / name).unlink()
    agent.start()
    wait_for(lambda: "cannot ask the server what it has of a stream" in agent.log(), "the question is asked again")
    (agent.logs / "c.log").write_text(numbered(10, 500))
    sink.fault = lambda number: None
    wait_for(lambda: len(sink.events) == 310, "what comes later is not held up")
    agent.stop()
    agent.run_to_the_end()
    assert unread_bytes_deleted(agent) == len(text)
    assert len(sink.events) == 310
    assert prepared_bytes(agent) == 0


def prepared_bytes(agent):
    return checkpoint(agent, 'SELECT coalesce(sum("end" - start), 0) FROM ranges')[0][0]


def unread_bytes_deleted(agent):
    """The durable count."""
    notes = checkpoint(agent, "SELECT CASE next WHEN '' THEN committed ELSE next END FROM streams WHERE key LIKE 'lost:%'")
    return sum(json.loads(text)["unread_bytes_deleted"] for (text,) in notes)


def checkpoint(agent, statement):
    """Of an agent that is down."""
    with contextlib.closing(sqlite3.connect(agent.home / "agent" / "checkpoint.db")) as database:
        return database.execute(statement).fetchall()


def test_back_pressure_holds_reading_and_memory(agent, sink):
    sink.fault = lambda number: "503"
    agent.enrol()
    agent.pipeline(flushers=[agent.to_sink(CompressType="none")])
    count = 40_000
    (agent.logs / "a.log").write_text("".join(f"event {number:07d} {'x' * 985}\n" for number in range(count)))
    agent.start()
    wait_for(lambda: sink.requests > 2)
    time.sleep(1.0)
    resident = int((agent.process_directory / "statm").read_text().split()[1]) * 4096
    read = int(next(line for line in (agent.process_directory / "io").read_text().splitlines() if line.startswith("rchar")).split()[1])
    assert read < 30_000_000 < (agent.logs / "a.log").stat().st_size
    assert resident < 160_000_000
    sink.fault = lambda number: None
    wait_for(lambda: len(sink.events) >= count)
    agent.stop()
    must_be_each_once(sink, count)


def test_a_bad_target_does_not_delay_a_good_one(agent, sink):
    agent.enrol()
    agent.pipeline("bad", AllowingIncludedByMultiConfigs=True, flushers=[{**agent.with_key(), "Endpoint": "http://127.0.0.1:1"}])
    agent.pipeline("good", AllowingIncludedByMultiConfigs=True)
    (agent.logs / "a.log").write_text(numbered(200))
    agent.start()
    wait_for(lambda: len(sink.events) == 200)
    agent.stop()
    must_be_each_once(sink, 200)
    assert "SEND_DATA_FAIL_ALARM" in agent.log()


def test_a_running_worker_has_nothing_of_the_server(agent, sink):
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text("x\n")
    agent.command = [
        agent.command[0],
        "-c",
        "import sys; from tailrace.cli.main import main; code = main(); print('MODULES', *sorted(sys.modules)); sys.exit(code)",
    ]
    agent.run_to_the_end()
    modules = set(agent.log().split("MODULES")[1].split())
    assert "tailrace.agent.session" in modules
    assert not {"fastapi", "sqlalchemy", "chdb", "nicegui", "aiohttp", "tailrace.server"} & modules


def test_one_broken_pipeline_does_not_keep_the_others_from_running(agent, sink):
    agent.enrol()
    agent.pipeline()
    agent.pipeline("broken", flushers=[agent.to_sink(AccessKeyId="x", AccessKeySecret="${env:NOT_SET_ANYWHERE}")])
    (agent.logs / "a.log").write_text("fine\n")
    agent.run_to_the_end()
    assert sink.contents() == ["fine"]
    assert "NOT_SET_ANYWHERE" in agent.log()

"""History on purpose: files are read once, packed or not, by an agent at work or by none, without loss or repeats across kill -9."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from backports import zstd

from tests.integration.agent.running import ROOT, WAIT_SECS, wait_for

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]
PARSE = [
    {"Type": "processor_parse_regex_native", "Regex": r"(\S+) (.*)", "Keys": ["time", "content"]},
    {"Type": "processor_parse_timestamp_native", "SourceKey": "time", "SourceFormat": "%Y-%m-%dT%H:%M:%S", "SourceTimezone": "GMT+00:00"},
]


def command(agent, *words):
    return [*TAILRACE, "agent", *words, "--home", str(agent.home)]


def run(agent, *words, code=0):
    done = subprocess.run(command(agent, *words), capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == code, (done.stdout, done.stderr, agent.log())
    return done


def imports(agent):
    return [json.loads(line) for line in run(agent, "status", "imports", "--output", "json").stdout.splitlines()]


def lines(first, count, days_ago=30):
    when = datetime.now(UTC) - timedelta(days=days_ago)
    return "".join(f"{when:%Y-%m-%dT%H:%M:%S} line {number:06d}\n" for number in range(first, first + count))


@pytest.fixture
def history(tmp_path):
    """10 000 lines of a month ago: plain, gzip (two members) and zstd."""
    directory = tmp_path / "history"
    directory.mkdir()
    (directory / "a.log").write_text(lines(0, 4000))
    (directory / "b.log.1.gz").write_bytes(gzip.compress(lines(4000, 1500).encode()) + gzip.compress(lines(5500, 1500).encode()))
    (directory / "c.log.2.zst").write_bytes(zstd.compress(lines(7000, 3000).encode()))
    return directory


@pytest.fixture
def ready(agent):
    """A pipeline that follows other files, and the home's own pipeline directory."""
    agent.enrol()
    agent.pipeline(processors=PARSE, TailingAllMatchedFiles=False)
    (agent.home / "pipelines").symlink_to(agent.directory / "pipelines")
    return agent


def at_work(agent):
    agent.start()
    wait_for((agent.home / "run" / "agent.sock").exists, agent.log)


def must_be_each_once(sink, count=10_000):
    found = Counter(event["content"] for event in sink.events)
    assert {text: times for text, times in found.items() if times > 1} == {}
    assert len(found) == count


def test_the_agent_at_work_imports_a_directory_and_shows_its_progress(ready, sink, history):
    at_work(ready)
    done = run(ready, "import", str(history))
    must_be_each_once(sink)
    assert "of 3 files begins, by the pipeline `app`" in done.stderr
    assert "import done: 3 of 3 files" in done.stderr
    (row,) = imports(ready)
    assert (row["state"], row["progress"], row["missed"]) == ("done", "100 %", 0)
    assert row["bytes"] == sum(path.stat().st_size for path in history.iterdir())
    assert {event["__tag__:__path__"] for event in sink.events} == {str(path) for path in history.iterdir()}
    assert "OUTDATED_LOG_ALARM" not in ready.log()


def test_new_lines_are_collected_beside_an_import(ready, sink, history):
    at_work(ready)
    run(ready, "import", str(history), "--detach")
    (ready.logs / "live.log").write_text(lines(99_000, 1, days_ago=0))
    wait_for(lambda: imports(ready)[0]["state"] == "done")
    wait_for(lambda: len(sink.events) >= 10_001)
    assert len(sink.events) == 10_001


def test_without_an_agent_the_command_does_it(ready, sink, history):
    done = run(ready, "import", str(history), "--pipeline", "app")
    assert "no agent runs on this home" in done.stderr
    must_be_each_once(sink)
    assert imports(ready)[0]["state"] == "done"


def test_only_what_is_not_older_than_since(ready, sink, tmp_path):
    old = tmp_path / "old.log"
    old.write_text(lines(0, 10, days_ago=10) + lines(10, 10, days_ago=2))
    done = run(ready, "import", str(old), "--since", "5d")
    assert sorted(event["content"] for event in sink.events) == [f"line {number:06d}" for number in range(10, 20)]
    assert "import done: 1 of 1 file" in done.stderr


def test_what_the_pipeline_collected_already_is_not_imported_again_unless_it_is_asked_for(ready, sink):
    at_work(ready)
    time.sleep(0.3)
    log = ready.logs / "live.log"
    log.write_text(lines(0, 5, days_ago=0))
    wait_for(lambda: len(sink.events) == 5)
    time.sleep(0.5)  # acknowledged is known to the sink before the agent
    assert "has been collected already" in run(ready, "import", str(log), code=2).stderr
    run(ready, "import", str(log), "--again")
    assert Counter(event["content"] for event in sink.events).most_common(1)[0][1] == 2


def test_the_same_import_twice_takes_nothing_the_second_time(ready, sink, history):
    at_work(ready)
    run(ready, "import", str(history))
    (history / "a.log").rename(history / "renamed.log")  # known by what it is, not by its name
    assert "all of it has been collected already by the pipeline `app`" in run(ready, "import", str(history), code=2).stderr
    (history / "new.log").write_text(lines(10_000, 5))
    assert "3 files were collected already and are left out" in run(ready, "import", str(history)).stderr
    must_be_each_once(sink, 10_005)


def test_what_an_import_left_out_by_its_age_is_not_taken_for_imported(ready, sink, tmp_path):
    old, new = tmp_path / "history" / "old.log", tmp_path / "history" / "new.log"
    old.parent.mkdir()
    old.write_text(lines(0, 5))
    new.write_text(lines(5, 5, days_ago=1))
    os.utime(old, (time.time() - 20 * 86_400,) * 2)
    assert "of 1 file begins" in run(ready, "import", str(old.parent), "--since", "5d").stderr
    run(ready, "import", str(old.parent))
    must_be_each_once(sink, 10)


def test_a_copy_of_what_is_followed_is_known_too(ready, sink):
    ready.pipeline(processors=PARSE, TailingAllMatchedFiles=False, FilePaths=[f"{ready.logs}/*.log*"])
    at_work(ready)
    time.sleep(0.3)
    log = ready.logs / "live.log"
    log.write_text(lines(0, 5, days_ago=0))
    wait_for(lambda: len(sink.events) == 5)
    shutil.copyfile(log, ready.logs / "live.log.1")
    time.sleep(1)  # until the copy has been looked at
    assert "has been collected already" in run(ready, "import", str(ready.logs / "live.log.1"), code=2).stderr
    assert len(sink.events) == 5


def test_a_record_of_several_lines_that_is_too_long_is_cut_and_the_next_one_is_whole(ready, sink, tmp_path):
    ready.pipeline(TailingAllMatchedFiles=False, Multiline={"Mode": "custom", "StartPattern": "BEGIN.*"})
    log = tmp_path / "long.log"
    log.write_text("BEGIN small\n" + "BEGIN long\n" + "a line of it\n" * 60_000 + "BEGIN last\nwhole\n")
    run(ready, "import", str(log))
    contents = [event["content"] for event in sink.events]
    assert contents[0] == "BEGIN small"
    assert contents[-1] == "BEGIN last\nwhole"
    assert "LOG_TRUNCATE_ALARM" in (ready.home / "logs" / "agent.log").read_text()


def test_a_packed_file_that_is_cut_off_gives_what_is_whole_and_says_so(ready, sink, tmp_path):
    cut = tmp_path / "cut.log.gz"
    text = lines(0, 20_000)
    cut.write_bytes(gzip.compress(text.encode())[: len(gzip.compress(text.encode())) // 2])
    done = run(ready, "import", str(cut), code=4)
    assert "1 file could not be read to the end" in done.stderr
    contents = [event["content"] for event in sink.events]
    assert 0 < len(contents) < 20_000
    assert contents[0] == "line 000000"


@pytest.mark.parametrize("words", [("import",), ("import", "/nowhere/at/all.log"), ("import", "/etc/hostname", "--pipeline", "nobody")])
def test_what_cannot_be_imported_is_refused_in_a_sentence(ready, sink, words):
    done = run(ready, *words, code=2)
    assert done.stderr.splitlines()[-2].startswith("error: ")
    assert done.stderr.splitlines()[-1].startswith("hint: ")
    assert imports(ready) == []


def test_a_killed_agent_goes_on_with_its_import_without_loss_or_repeats(ready, sink, history):
    chance = random.Random(4)
    sink.fault = lambda number: chance.choice([None, "slow", "500", "lost answer"])
    (history / "d.log").write_text(lines(10_000, 60_000))
    at_work(ready)
    run(ready, "import", str(history), "--detach")
    for _ in range(5):
        before = len(sink.events)
        wait_for(lambda before=before: len(sink.events) > before or imports(ready)[0]["state"] == "done")
        time.sleep(chance.uniform(0, 0.4))
        ready.kill()
        for path in history.glob("b.log.1.gz"):
            path.rename(history / "renamed.gz")  # its bytes are found by what the file is, not by its name
        at_work(ready)
    sink.fault = lambda number: None
    wait_for(lambda: imports(ready)[0]["state"] == "done", timeout=60)
    must_be_each_once(sink, 70_000)
    assert imports(ready)[0]["missed"] == 0


def test_a_killed_import_command_goes_on_when_an_agent_starts(ready, sink, history):
    (history / "d.log").write_text(lines(10_000, 60_000))
    sink.fault = lambda number: "slow"
    process = subprocess.Popen(command(ready, "import", str(history)), cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_for(lambda: sink.events)
    process.send_signal(signal.SIGKILL)
    process.wait()
    sink.fault = lambda number: None
    at_work(ready)
    wait_for(lambda: imports(ready)[0]["state"] == "done", timeout=60)
    must_be_each_once(sink, 70_000)


# --- local_event.json ---------------------------------------------------------------------------------------------------------------
def test_a_local_event_file_is_taken_on_and_emptied(ready, sink, history):
    at_work(ready)
    event = ready.home / "local_event.json"
    event.write_text(json.dumps([{"config": "##1.0##test$app", "dir": str(history), "name": "*"}]))
    wait_for(lambda: not event.read_text(), timeout=60)
    wait_for(lambda: len(sink.events) == 10_000)
    must_be_each_once(sink)
    assert "LOAD_LOCAL_EVENT_ALARM" in ready.log()
    assert "process local event" in ready.log()


def test_a_local_event_file_that_cannot_be_understood_is_named_and_left(ready, sink):
    event = ready.home / "local_event.json"
    event.write_text('[{"config": "c", "dir": "relative", "name": "x"}]')
    at_work(ready)
    wait_for(lambda: "cannot load the local event file" in ready.log(), timeout=30)
    assert "entry 1 is not of the form" in ready.log()
    assert event.read_text()


def test_an_import_that_cannot_be_loaded_any_more_ends_nothing(ready, sink, history):
    jobs = ready.home / "agent" / "jobs"
    jobs.mkdir(parents=True)
    job = {"format": 1, "id": "old", "pipeline": "old", "base": "app", "config": '{"inputs": [{"Type": "input_that_is_gone"}]}'}
    (jobs / "old.json").write_text(json.dumps(job))
    at_work(ready)
    wait_for(lambda: "cannot go on with an import" in ready.log())
    run(ready, "import", str(history))
    assert len(sink.events) == 10_000


# --- pipelines that run once --------------------------------------------------------------------------------------------------------
def one_time(agent, history, **options):
    document = {
        "inputs": [{"Type": "input_static_file_onetime", "FilePaths": [f"{history}/*"], **options.pop("input", {})}],
        "processors": PARSE,
        "flushers": [agent.to_sink()],
        "global": options,
    }
    (agent.directory / "pipelines" / "app.json").write_text(json.dumps(document))


def test_a_one_time_pipeline_runs_once_until_its_inputs_change(ready, sink, history):
    one_time(ready, history)
    ready.run_to_the_end()
    must_be_each_once(sink)
    one_time(ready, history, MaxLogAgeSecs=5)  # not about its inputs
    ready.run_to_the_end()
    must_be_each_once(sink)
    one_time(ready, history, input={"ExcludeFiles": ["b.*", "c.*"]})
    ready.run_to_the_end()
    assert len(sink.events) == 14_000
    one_time(ready, history, input={"ExcludeFiles": ["b.*", "c.*"]}, ForceRerunWhenUpdate=True)
    ready.run_to_the_end()
    assert len(sink.events) == 18_000


def test_a_one_time_pipeline_that_takes_too_long_is_ended_with_an_alarm(ready, sink, history):
    sink.fault = lambda number: "503"
    one_time(ready, history, ExcutionTimeout=1)
    ready.start()
    wait_for(lambda: "took longer than `ExcutionTimeout`" in ready.log(), timeout=WAIT_SECS)
    assert imports(ready)[0]["state"] == "timed out"

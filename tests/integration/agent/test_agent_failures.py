"""What fails, fails alone: the other pipelines go on, nothing is acknowledged that was not sent, and the exit code tells."""

import json
import shutil
import sqlite3
import subprocess
import sys

import pytest

from tailrace.agent.checkpoint.rows import sealed
from tailrace.agent.control.socket import ask
from tailrace.agent.doctor import examine, look
from tests.integration.agent.running import ROOT, wait_for


def failing_command(agent):
    agent.command = [sys.executable, "-m", "tests.integration.agent.failing_plugins"]


def alarms(agent):
    """All but that about the checkpoint, which an agent lacks whose identity was put there."""
    rows = ask(agent.home / "run", {"ask": "alarms"}) if (agent.home / "run" / "agent.sock").exists() else []
    return [row for row in rows if row["alarm"] != "CHECKPOINT_ALARM"]


def test_a_plugin_that_fails_stops_its_own_pipeline_and_keeps_its_data(agent, sink):
    failing_command(agent)
    agent.enrol()
    other = agent.logs / "other"
    other.mkdir()
    agent.pipeline(processors=[{"Type": "processor_failing", "On": "poison"}])
    agent.pipeline("fine", FilePaths=[f"{other}/*.log"])
    (agent.logs / "a.log").write_text("poison\n")
    (other / "b.log").write_text("fine\n")
    assert agent.start("--exit-when-drained").wait(20) == 1
    assert sink.contents() == ["fine"]
    assert "a plugin failed; the pipeline is stopped, its data is kept" in agent.log()
    assert "PLUGIN_ALARM" in agent.log()
    agent.pipeline()
    agent.run_to_the_end()
    assert sorted(sink.contents()) == ["fine", "poison"]


def test_a_pipeline_waits_for_what_the_system_is_short_of_and_the_others_do_not(agent, sink):
    failing_command(agent)
    agent.enrol()
    other, enough = agent.logs / "other", agent.directory / "enough"
    other.mkdir()
    agent.pipeline(processors=[{"Type": "processor_failing", "StartsWith": str(enough)}])
    agent.pipeline("fine", FilePaths=[f"{other}/*.log"])
    (agent.logs / "a.log").write_text("waited\n")
    (other / "b.log").write_text("fine\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["fine"])
    wait_for(lambda: "cannot start the pipeline now; it is tried again" in agent.log())
    (row,) = [row for row in ask(agent.home / "run", {"ask": "pipelines"}) if row["pipeline"] == "app"]
    assert (row["state"], row["trouble"]) == ("degraded", "cannot start: too many open files")
    enough.touch()
    wait_for(lambda: sorted(sink.contents()) == ["fine", "waited"])
    wait_for(lambda: {row["state"] for row in ask(agent.home / "run", {"ask": "pipelines"})} == {"ok"})
    agent.stop()


def test_a_pipeline_that_cannot_be_built_does_not_keep_the_others_from_running(agent, sink):
    agent.enrol()
    agent.pipeline()
    agent.pipeline("keyless", flushers=[{**agent.to_sink(), "Project": "another"}])
    (agent.logs / "a.log").write_text("fine\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["fine"], agent.log())
    (summary,) = ask(agent.home / "run", {"ask": "summary"})
    assert (summary["state"], summary["pipelines"]) == ("degraded", 1)
    assert [text for text in summary["troubles"] if text.startswith("keyless: does not run: there is no access key for project `another`")]
    rows = {row["pipeline"]: row for row in ask(agent.home / "run", {"ask": "pipelines"})}
    assert (rows["app"]["state"], rows["keyless"]["state"]) == ("ok", "refused")
    assert [one.text for one in examine(look(agent.home)) if one.text.startswith("pipeline keyless: does not run: there is no access key")]
    agent.stop()
    assert "cannot run the pipeline" in agent.log()
    assert "USER_CONFIG_ALARM" in agent.log()


def test_a_processor_that_cannot_be_started_is_named(agent, sink):
    failing_command(agent)
    agent.enrol()
    agent.pipeline("broken", processors=[{"Type": "processor_failing", "Refuses": True}])
    agent.start()
    wait_for(lambda: alarms(agent))
    [row] = alarms(agent)
    assert (row["alarm"], row["severity"], row["state"]) == ("PROCESSOR_INIT_ALARM", "critical", "active")
    assert (row["pipeline"], row["sample"]["reason"]) == ("broken", "it is not in the mood")
    agent.stop()


def states(agent):
    return {row["pipeline"]: row["state"] for row in ask(agent.home / "run", {"ask": "pipelines"})}


@pytest.mark.parametrize(("pipeline", "fails_at"), [("present", "replay"), ("former", "replay"), ("former", "key")])
def test_a_plugin_that_fails_on_what_was_prepared_keeps_it_and_nobody_else_from_running(agent, sink, pipeline, fails_at):
    failing_command(agent)
    sink.fault = lambda number: "503"
    agent.enrol()
    other, as_long_as = agent.logs / "other", agent.directory / "broken"
    other.mkdir()
    agent.pipeline(Type="input_failing", FailsAt=fails_at, AsLongAs=str(as_long_as))
    (agent.logs / "a.log").write_text("kept\n")
    agent.start()
    wait_for(lambda: sink.requests > 1)
    agent.kill()
    shutil.rmtree(agent.home / "agent" / "spool", ignore_errors=True)  # as if there had been no room in it
    sink.fault = lambda number: None
    as_long_as.touch()
    if pipeline == "former":
        (agent.directory / "pipelines" / "app.json").unlink()
    agent.pipeline("fine", FilePaths=[f"{other}/*.log"])
    (other / "b.log").write_text("fine\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["fine"], agent.log())
    wait_for(lambda: f"RuntimeError: a bug in {fails_at}" in agent.log())
    assert states(agent) == {"fine": "ok"} | ({"app": "failed"} if pipeline == "present" else {})
    agent.stop()
    as_long_as.unlink()
    agent.run_to_the_end()
    assert sorted(sink.contents()) == ["fine", "kept"]


def test_a_flusher_that_cannot_be_opened_is_tried_again_and_holds_back_nobody_else(agent, sink):
    failing_command(agent)
    agent.enrol()
    there, as_long_as = agent.directory / "there.jsonl", agent.directory / "broken"
    as_long_as.touch()
    failing = {"Type": "flusher_failing", "FilePath": str(there), "FailsAt": "open", "AsLongAs": str(as_long_as)}
    agent.pipeline("held", FilePaths=[f"{agent.logs}/held.log"], flushers=[failing])
    agent.pipeline("fine", FilePaths=[f"{agent.logs}/fine.log"])
    (agent.logs / "held.log").write_text("held\n")
    (agent.logs / "fine.log").write_text("fine\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["fine"], agent.log())
    wait_for(lambda: "RuntimeError: a bug in open" in agent.log())
    assert states(agent) == {"held": "degraded", "fine": "ok"}
    as_long_as.unlink()
    wait_for(lambda: there.exists() and [json.loads(line)["content"] for line in there.read_text().splitlines()] == ["held"])
    agent.stop()


def test_plugins_that_fail_while_they_are_stopped_keep_nothing_from_ending_well(agent, sink):
    failing_command(agent)
    agent.enrol()
    there = agent.directory / "there.jsonl"
    failing = {"Type": "flusher_failing", "FilePath": str(there), "FailsAt": "close"}
    agent.pipeline(Type="input_failing", FailsAt="stop", FilePaths=[f"{agent.logs}/failing.log"], flushers=[failing])
    agent.pipeline("fine", FilePaths=[f"{agent.logs}/fine.log"])
    (agent.logs / "failing.log").write_text("once\n")
    (agent.logs / "fine.log").write_text("fine\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["fine"] and there.exists(), agent.log())
    agent.stop()
    assert "the input failed while it was stopped" in agent.log()
    assert "the flusher failed while it was closed" in agent.log()
    agent.run_to_the_end()
    assert sink.contents() == ["fine"]
    assert len(there.read_text().splitlines()) == 1


def test_of_two_pipelines_with_one_name_the_first_runs(agent, sink):
    agent.enrol()
    agent.pipeline()
    (agent.directory / "pipelines" / "app.yaml").write_bytes((agent.directory / "pipelines" / "app.json").read_bytes())
    (agent.logs / "a.log").write_text("once\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["once"])
    assert [row["alarm"] for row in alarms(agent)] == ["SAME_CONFIG_ALARM"]
    agent.stop()


def test_a_range_that_takes_long_is_told(agent, sink):
    failing_command(agent)
    agent.enrol()
    agent.pipeline(processors=[{"Type": "processor_failing", "Burns": "slow"}])
    (agent.logs / "a.log").write_text("quick\n")
    agent.start()
    wait_for(lambda: sink.contents() == ["quick"])
    assert alarms(agent) == []
    with (agent.logs / "a.log").open("a") as file:
        file.write("slow\n")
    wait_for(lambda: sink.contents() == ["quick", "slow"])
    assert [row["alarm"] for row in alarms(agent)] == ["PROCESS_TOO_SLOW_ALARM"]
    agent.stop()


def test_ranges_whose_config_is_gone_are_sent_by_the_present_one(agent, sink):
    sink.fault = lambda number: "503"
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text("kept\n")
    agent.start()
    wait_for(lambda: sink.requests > 1)
    agent.kill()
    connection = sqlite3.connect(agent.home / "agent" / "checkpoint.db")
    (version,) = connection.execute("SELECT version FROM configs").fetchone()
    text = json.dumps({"inputs": [], "flushers": [{"Type": "flusher_that_is_gone"}]})
    connection.execute("INSERT OR REPLACE INTO configs VALUES (?, ?, ?)", sealed((version, text)))
    connection.commit()
    connection.close()
    sink.fault = lambda number: None
    agent.run_to_the_end()
    assert sink.contents() == ["kept"]
    assert "they are sent by the present one" in agent.log()


def test_an_agent_that_nobody_has_given_a_pipeline_says_where_to_put_one(agent):
    assert not (agent.home / "pipelines").exists()
    done = subprocess.run(
        [*agent.command, "agent", "run", "--home", agent.home], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 2
    assert f"there is no pipeline in `{agent.home}/pipelines`" in done.stderr
    assert "put a file such as `app.yaml` there" in done.stderr

"""Whatever becomes of the worker, its supervisor starts another one in time, and nothing is lost or there twice."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tailrace.agent.supervisor import quarantine
from tailrace.agent.supervisor.life import STOP_SECS
from tailrace.agent.supervisor.quarantine import Quarantine, Suspect
from tailrace.agent.worker import Worker
from tailrace.cli.main import main
from tailrace.pipeline.loading import load_file
from tests.faults.supervised import FAULTY, LINE, SupervisedAgent
from tests.integration.agent.running import wait_for

pytestmark = pytest.mark.timeout(180)


def test_a_killed_worker_is_replaced_within_five_seconds(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        agent.write(0, 2000)
        agent.start()
        shown = subprocess.run(
            ["ps", "-o", "comm=", "-p", f"{agent.supervisor.pid},{agent.worker.pid}"], capture_output=True, text=True, check=True
        )
        assert sorted(shown.stdout.split()) == ["tailrace-agent", "tailrace-worker"]
        assert agent.supervisor.memory_info().rss < 25 << 20
        killed = agent.signal_worker(signal.SIGKILL)
        agent.write(2000, 2000)
        took = agent.replaced(killed, within=60)
        (pause,) = re.findall(r"the next one starts in ([\d.]+) s", agent.agent.log())
        worked = sum(agent.worker.cpu_times()[:2])
        print(f"replaced after {took:.2f} s: a pause of {pause} s and {worked:.2f} s of CPU until it was at work")
        assert float(pause) + worked < 5  # what a machine that has nothing else to do needs
        assert took < 5 * 3
        agent.wait_for_lines(4000)
        assert sorted(agent.found()) == list(range(4000))
        before = agent.worker.pid
        agent.supervisor.send_signal(signal.SIGHUP)
        agent.replaced(before, within=60)
        agent.write(4000, 100)
        agent.wait_for_lines(4100)
        assert sorted(agent.found()) == list(range(4100))
        assert [report["why"] for report in agent.reports()] == ["killed by SIGKILL"]
        assert "LOGTAIL_CRASH_ALARM" in agent.agent.log()


def test_a_stopped_worker_is_hung_and_replaced_in_its_patience(tmp_path: Path):
    with SupervisedAgent(tmp_path, settings="hang_secs: 5\n") as agent:
        agent.write(0, 1000)
        agent.start()
        agent.wait_for_lines(1000)
        stopped = agent.signal_worker(signal.SIGSTOP)
        agent.write(1000, 1000)
        agent.replaced(stopped, within=60)
        agent.wait_for_lines(2000)
        assert sorted(agent.found()) == list(range(2000))
        [report] = agent.reports()
        assert report["why"].startswith("hung: it has reported nothing for ")
        assert any("most recent call first" in line for line in report["trace"])


def test_the_end_of_the_supervisor_is_the_end_of_its_worker(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        agent.write(0, 1000)
        agent.start()
        worker = agent.worker
        agent.supervisor.kill()
        agent.agent.process.wait()
        worker.wait(30)
        agent.start()
        agent.wait_for_lines(1000)
        assert sorted(agent.found()) == list(range(1000))


def test_a_worker_that_lost_its_supervisor_reads_deleted_files_to_their_ends_first(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        agent.write(0, 100)
        agent.start()
        agent.wait_for_lines(100)
        worker = agent.worker
        worker.suspend()
        agent.write(100, 40_000)
        agent.log.unlink()
        agent.supervisor.kill()
        agent.agent.process.wait()
        agent.write(40_100, 100)  # a new file of that name
        worker.resume()
        worker.wait(60)
        agent.start()
        agent.wait_for_lines(40_200)
        assert sorted(agent.found()) == list(range(40_200))


def test_a_pipeline_that_was_set_aside_goes_on_when_it_is_released(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        worker = Worker(agent.home, [load_file(tmp_path / "pipelines" / "app.json")])
        [at_work] = worker._at_work(worker._pipelines())
        (agent.home / "agent").mkdir(exist_ok=True)
        quarantine.save(Quarantine(pipelines=[Suspect("app", at_work.version)]), agent.home)
        agent.also("other")
        agent.write(0, 100)
        agent.write(1000, 10, agent.agent.logs / "other.txt")
        agent.start()
        wait_for(lambda: agent.found("other") == list(range(1000, 1010)), "the other pipeline")
        assert agent.found() == []
        assert main(["agent", "release", "--home", str(agent.home), "--output", "csv"]) == 0
        assert main(["agent", "release", "nothing", "--home", str(agent.home)]) == 2
        assert main(["agent", "release", "app", "--home", str(agent.home)]) == 0
        agent.wait_for_lines(100)
        assert sorted(agent.found()) == list(range(100))
        assert agent.record()["restarts"] == 0


def test_a_ledger_of_a_newer_release_keeps_no_worker_from_starting_and_is_kept(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        (agent.home / "agent").mkdir(exist_ok=True)
        (agent.home / "agent" / "quarantine.json").write_text('{"v": 99, "of": "a newer release"}')
        (agent.home / "last-good").write_bytes(b"\xff\xfe")
        agent.write(0, 100)
        agent.start()
        agent.wait_for_lines(100)
        assert sorted(agent.found()) == list(range(100))
        assert (agent.home / "agent" / "quarantine.json.set-aside").read_text() == '{"v": 99, "of": "a newer release"}'
        assert "what was set aside is not known any more" in agent.agent.log()


@pytest.mark.long
def test_a_worker_that_does_not_stop_is_killed_in_time(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        agent.write(0, 100)
        agent.start()
        agent.wait_for_lines(100)
        worker = agent.worker
        worker.suspend()
        agent.supervisor.terminate()
        agent.agent.process.wait(STOP_SECS * 3)
        assert not worker.is_running()
        agent.write(100, 100)
        agent.start()
        agent.wait_for_lines(200)
        assert sorted(agent.found()) == list(range(200))


def test_one_supervisor_has_a_home_and_a_wrong_config_is_told_at_once(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        (tmp_path / "pipelines" / "app.json").write_text("{}")
        assert agent.agent.start().wait(60) == 2
        assert "error: " in agent.agent.log()
    with SupervisedAgent(tmp_path) as agent:
        agent.start()
        with SupervisedAgent(tmp_path) as other:
            assert other.agent.start().wait(60) == 1
            assert f"the process with pid {agent.supervisor.pid} works on it" in other.agent.log()
        agent.supervisor.terminate()
        assert agent.agent.process.wait(30) == 0


def test_of_a_deleted_file_that_is_behind_a_killed_worker_loses_nothing(tmp_path: Path):
    with SupervisedAgent(tmp_path, settings="cpu_usage_limit: 0.1\n") as agent:
        agent.write(0, 100)
        agent.start()
        agent.wait_for_lines(100)
        with agent.log.open("rb") as opened:  # the writer's own handle
            agent.log.unlink()
            wait_for(lambda: os.fstat(opened.fileno()).st_nlink == 0)
            wait_for(lambda: any(is_deleted(handle) for handle in Path(f"/proc/{agent.supervisor.pid}/fd").iterdir()), "kept")
            killed = agent.signal_worker(signal.SIGKILL)
            with open(f"/proc/self/fd/{opened.fileno()}", "ab") as out:
                out.write(b"".join(LINE % number for number in range(100, 3000)))
        agent.write(3000, 100)
        agent.replaced(killed, within=60)
        agent.wait_for_lines(3100)
        assert sorted(agent.found()) == list(range(3100))


def is_deleted(handle: Path) -> bool:
    try:
        return str(handle.readlink()).endswith("app.log (deleted)")
    except OSError:
        return False


def test_a_range_that_kills_three_workers_is_delivered_raw_and_all_else_runs(tmp_path: Path):
    with SupervisedAgent(tmp_path, [FAULTY]) as agent:
        agent.also("other")
        agent.write(0, 50)
        agent.write(1000, 50, agent.agent.logs / "other.txt")
        agent.start()
        agent.wait_for_lines(50)
        with agent.log.open("ab") as out:
            out.write(b"50 abort\n")
        agent.wait_for_lines(51)
        agent.write(51, 9)
        agent.write(1050, 10, agent.agent.logs / "other.txt")
        agent.wait_for_lines(60)
        assert sorted(agent.found()) == list(range(60))
        wait_for(lambda: sorted(agent.found("other")) == list(range(1000, 1060)), "the other pipeline")
        assert [report["why"] for report in agent.reports()] == ["killed by SIGABRT"] * 3
        assert {work["pipeline"] for report in agent.reports() for work in report["at_work"]} == {"app"}
        raw = [json.loads(line) for line in agent.out.read_bytes().splitlines() if b"__raw_log__" in line]
        assert any("50 abort" in json.dumps(event) for event in raw)


def test_a_pipeline_whose_input_fails_three_times_is_set_aside_and_all_else_runs(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        agent.agent.pipeline("bad", flushers=[{"Type": "flusher_file", "FilePath": f"{agent.out}.bad"}], Type="input_faulty")
        agent.write(0, 100)
        agent.agent.start()
        agent.wait_for_lines(100)
        wait_for(lambda: "`bad` 3 times: it is set aside" in agent.agent.log(), agent.agent.log(), 60)
        agent.write(100, 100)
        agent.wait_for_lines(200)
        assert sorted(agent.found()) == list(range(200))
        why = "exit code 1, because the input of the pipeline `bad` failed: ValueError: nobody expected this"
        assert [report["why"] for report in agent.reports()] == [why] * 3
        assert [one.pipeline for one in quarantine.load(agent.home).pipelines] == ["bad"]


@pytest.mark.long
def test_a_processor_that_never_returns_is_hung_and_named(tmp_path: Path):
    with SupervisedAgent(tmp_path, [FAULTY], settings="hang_secs: 5\n") as agent:
        agent.write(0, 50)
        agent.start()
        agent.wait_for_lines(50)
        worker = agent.worker.pid
        with agent.log.open("ab") as out:
            out.write(b"50 hang\n")
        agent.replaced(worker, within=120)
        report = agent.reports()[0]
        assert report["why"].startswith("hung: it has worked on one range for ")
        assert report["at_work"][0]["pipeline"] == "app"
        assert any("tailrace_faulty" in line for line in report["trace"])


@pytest.mark.long
@pytest.mark.parametrize(("word", "cores"), [("spin", 0.1), ("leak", 1)])
def test_a_worker_that_stays_over_its_limits_is_replaced_without_loss(tmp_path: Path, word: str, cores: float):
    """Its own start takes a second of CPU, which counts, too: who is to be over the other limit alone has room for it."""
    faulty = {**FAULTY, "GrowsByMib": 120}
    settings = f"over_limit_secs: 10\ncpu_usage_limit: {cores}\nmem_usage_limit: 128\n"
    with SupervisedAgent(tmp_path, [faulty], settings=settings) as agent:
        agent.write(0, 50)
        agent.start()
        agent.wait_for_lines(50)
        worker = agent.worker.pid
        with agent.log.open("ab") as out:
            out.write(f"50 {word}\n".encode())
        agent.wait_for_lines(51)
        agent.replaced(worker, within=90)
        agent.write(51, 49)
        agent.wait_for_lines(100)
        assert sorted(agent.found()) == list(range(100))
        assert agent.reports()[0]["why"].startswith("over its limit: it " + {"spin": "used", "leak": "holds"}[word])

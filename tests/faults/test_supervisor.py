"""Whatever becomes of the worker, its supervisor starts another one in time, and nothing is lost or there twice."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.supervised import SupervisedAgent

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
        assert agent.replaced(killed, within=60) < 5 * 3
        agent.wait_for_lines(4000)
        assert sorted(agent.found()) == list(range(4000))
        assert [report["why"] for report in agent.reports()] == ["killed by SIGKILL"]


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

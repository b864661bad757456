"""Settings that a real agent gets of its machine group, while it runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.settings import startup
from tests.conftest import RunningServer
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_managed import GROUP, Managed

PATIENCE_SECS = 120.0


@pytest.fixture
def managed(tmp_path: Path, server: RunningServer) -> Iterator[Managed]:
    agent = Managed(tmp_path, server, server.fresh_name("settings"))
    agent.joined()
    yield agent
    agent.stop()


def tailrace(managed: Managed, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tailrace.cli.main", *words, "--project", managed.project, "--home", str(managed.server.home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECS, check=False)


def outcome(managed: Managed) -> str:
    rows: list[dict[str, Any]] = managed.server.call("GET", f"/projects/{managed.project}/agents").json()["agents"]
    return str(rows[0]["settings"][0]["outcome"]) if rows and rows[0]["settings"] else ""


def value(managed: Managed, key: str) -> tuple[Any, str]:
    """What holds on the machine, and where it comes from."""
    known = startup.load(managed.home, environment={})
    return getattr(known.settings, key), known.origins.get(key, "default")


def test_they_hold_while_the_agent_runs_below_what_its_machine_says(managed: Managed) -> None:
    managed.settings(max_bytes_per_sec=5_000_000)
    managed.apply()
    managed.write("one")
    managed.start()
    wait_for(lambda: managed.found("*") == ["one"], "its line", PATIENCE_SECS)
    sessions = managed.log().count("agent is at work")
    done = tailrace(managed, "group", "settings", GROUP, "--set", "cpu_usage_limit=0.7", "--set", "max_bytes_per_sec=1")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: outcome(managed).startswith("applied"), "its outcome", PATIENCE_SECS)
    assert outcome(managed) == "applied: `max_bytes_per_sec` stays as another place has it: agent.yaml"
    assert value(managed, "cpu_usage_limit") == (0.7, f"server, {managed.project}@{GROUP}")
    assert value(managed, "max_bytes_per_sec") == (5_000_000, "agent.yaml")
    managed.write("two")
    wait_for(lambda: len(managed.found("*")) >= 2, "the line after it", PATIENCE_SECS)

    assert (
        tailrace(managed, "group", "settings", GROUP, "--set", "send_request_concurrency=3", "--unset", "max_bytes_per_sec").returncode == 0
    )
    wait_for(lambda: managed.log().count("agent is at work") > sessions, "another session", PATIENCE_SECS)
    wait_for(lambda: outcome(managed) == "applied", "its outcome", PATIENCE_SECS)
    managed.write("three")
    wait_for(lambda: len(managed.found("*")) >= 3, "the line after that", PATIENCE_SECS)
    assert managed.found("*") == ["one", "three", "two"]


def test_what_a_server_may_not_give_is_refused_with_all_reasons(managed: Managed) -> None:
    done = tailrace(managed, "group", "settings", GROUP, "--set", "allowed_roots=[/]", "--set", "cpu_usage_limit=-1")
    assert done.returncode == 1
    assert [word in done.stderr for word in ("allowed_roots", "cpu_usage_limit")] == [True, True], done.stderr
    assert "gives no settings" in tailrace(managed, "group", "settings", GROUP).stderr

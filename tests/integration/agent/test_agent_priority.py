"""Pipelines that share a bandwidth which does not do for all: one goes first, the other goes on; and a rate is a pipeline's own."""

import json
import subprocess

from tests.integration.agent.running import wait_for

FILES, LINES, LINE = 30, 50, 1_000


def pipeline(agent, name, priority, **options):
    """Reads files of its own."""
    agent.pipeline(name, flushers=[agent.to_sink(**options)], FilePaths=[f"{agent.logs}/{name}*.log"])
    path = agent.directory / "pipelines" / f"{name}.json"
    path.write_text(json.dumps({"global": {"Priority": priority}, **json.loads(path.read_text())}))


def test_the_first_class_is_sent_mostly_and_the_last_is_sent_all_along(agent, sink):
    agent.enrol()
    agent.settings(max_bytes_per_sec=500_000)
    for name, priority in (("last", 0), ("first", 1)):
        for number in range(FILES):
            (agent.logs / f"{name}-{number}.log").write_text(f"{name} {'x' * (LINE - len(name) - 2)}\n" * LINES)
        pipeline(agent, name, priority, Logstore=name, Batch={"MinSizeBytes": 20_000})  # one file, one request
    agent.run_to_the_end(60)
    names = [content.split()[0] for content in sink.contents()]
    whole = FILES * LINES
    assert (names.count("first"), names.count("last")) == (whole, whole)
    assert names[:whole].count("first") > whole * 2 // 3
    assert names[:whole].count("last") > 0, "it did not wait for the other one to be done"


def test_each_pipeline_has_its_rate_for_itself(agent, sink):
    agent.enrol()
    for name in ("one", "two"):
        (agent.logs / f"{name}.log").write_text(f"{name}\n")
        pipeline(agent, name, 0, MaxSendRate=10_000_000)
    agent.start()
    wait_for(lambda: len(sink.contents()) == 2)
    shown = subprocess.run(
        [*agent.command, "agent", "status", "targets", "--home", agent.home, "--output", "json"], capture_output=True, text=True, check=True
    ).stdout
    agent.stop()
    assert len([line for line in shown.splitlines() if line.startswith("{")]) == 2, shown

"""`tailrace import-ilogtail`: a real agent goes on where a Logtail stood, each line once."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.agent.logtail import Logtail
from tests.integration.agent.running import ROOT, Agent, wait_for
from tests.integration.agent.sink import Sink
from tests.integration.agent.test_agent_managed import Managed

PARTIAL = 4


@pytest.fixture
def logtail(tmp_path: Path, agent: Agent) -> Logtail:
    """With one config, for the files of `agent.logs`; the agent reads what is put into its home."""
    agent.enrol()
    (agent.home / "pipelines").symlink_to(agent.directory / "pipelines")
    made = Logtail(tmp_path / "ilogtail")
    made.config("app", agent.logs)
    return made


def take_over(agent: Agent, logtail: Logtail, *words: str, code: int = 0) -> list[dict[str, str]]:
    """The rows that the command prints."""
    command = [sys.executable, "-m", "tailrace.cli.main", "import-ilogtail", str(logtail.directory), "--home", str(agent.home)]
    done = subprocess.run([*command, "--output", "json", *words], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == code, (done.stdout, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def write(path: Path, first: int, count: int) -> int:
    """Append lines; the size of the file then."""
    with path.open("a") as file:
        file.writelines(f"line {number:04}\n" for number in range(first, first + count))
    return path.stat().st_size


def lines(first: int, count: int) -> list[str]:
    return [f"line {number:04}" for number in range(first, first + count)]


def test_what_logtail_has_read_is_not_sent_again_and_the_rest_is_sent_once(agent: Agent, sink: Sink, logtail: Logtail) -> None:
    path = agent.logs / "a.log"
    offset = write(path, 0, 200)
    logtail.has_read(path, offset)
    logtail.stop()
    size = write(path, 200, 100)  # while nobody reads
    rows = take_over(agent, logtail)
    assert [row["outcome"] for row in rows if row["what"] == "file"] == [f"taken: goes on at {offset:,} of {size:,} bytes (app)"]
    agent.run_to_the_end()
    assert sorted(sink.contents()) == lines(200, 100)
    write(path, 300, 10)
    agent.run_to_the_end()
    assert sorted(sink.contents()) == lines(200, 110)


@pytest.mark.parametrize("how", ["rename", "copy and truncate", "rename and compress"])
def test_a_file_that_was_rotated_meanwhile_is_read_to_its_end_and_the_next_one_from_its_beginning(
    agent: Agent, sink: Sink, logtail: Logtail, how: str
) -> None:
    path, rotated = agent.logs / "a.log", agent.logs / "a.log.1"
    logtail.has_read(path, write(path, 0, 200))
    logtail.stop()
    write(path, 200, 50)
    if how == "copy and truncate":
        shutil.copyfile(path, rotated)
        os.truncate(path, 0)
    else:
        path.rename(rotated)
    if how == "rename and compress":
        (agent.logs / "a.log.1.gz").write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()
    write(path, 250, 50)
    take_over(agent, logtail)
    agent.run_to_the_end()
    assert list(sink.contents()) == lines(200, 100)


def test_files_that_came_after_logtail_are_read_from_their_beginning(agent: Agent, sink: Sink, logtail: Logtail) -> None:
    logtail.stop()
    write(agent.logs / "before.log", 0, 5)  # it has not found it any more
    take_over(agent, logtail)
    write(agent.logs / "after.log", 5, 5)
    agent.run_to_the_end()
    assert sorted(sink.contents()) == lines(0, 10)


def test_doing_it_again_changes_nothing(agent: Agent, sink: Sink, logtail: Logtail) -> None:
    path = agent.logs / "a.log"
    logtail.has_read(path, write(path, 0, 20))
    logtail.stop()
    write(path, 20, 20)
    take_over(agent, logtail)
    agent.run_to_the_end()
    take_over(agent, logtail)
    write(path, 40, 5)
    agent.run_to_the_end()
    assert sorted(sink.contents()) == lines(20, 25)


def test_a_dry_run_tells_and_leaves_all_as_it_is(agent: Agent, logtail: Logtail) -> None:
    path = agent.logs / "a.log"
    logtail.has_read(path, write(path, 0, 20))
    logtail.stop(cpu_usage_limit=0.6)
    before = {file: file.stat().st_mtime_ns for file in agent.home.rglob("*") if file.is_file()}
    rows = take_over(agent, logtail, "--dry-run")
    assert {row["what"] for row in rows} >= {"config", "file", "setting"}
    files = {file: file.stat().st_mtime_ns for file in agent.home.rglob("*") if file.is_file()}
    assert {file: at for file, at in files.items() if file.name != "lock"} == {
        file: at for file, at in before.items() if file.name != "lock"
    }
    assert not (agent.home / "agent" / "checkpoint.db").exists()


def test_what_cannot_be_taken_over_is_listed_with_the_reason(agent: Agent, logtail: Logtail) -> None:
    logtail.config("off", agent.logs, enable=False)
    logtail.config("stream", agent.logs, log_type="streamlog")
    logtail.config("two", agent.logs, regex=["(a)", "(b)"])
    logtail.config("odd", agent.logs, "*.txt", unheard_of=5)
    gone = agent.logs / "gone.log"
    logtail.has_read(gone, write(gone, 0, 5))
    logtail.has_read(gone, 10, config="nobody's")
    gone.unlink()
    logtail.stop(cpu_usage_limit=0.6, mem_usage_limit="much", data_server_list=[{"cluster": "x"}], check_point_dump_interval=60)
    (logtail.directory / "user_defined_id").write_text("web-servers\n\nshop\n")
    unsent = logtail.directory / "logtail_buffer_file_1764000000"
    unsent.write_bytes(b"x" * 10)
    rows = take_over(agent, logtail, code=PARTIAL)
    told = {(row["what"], row["name"].rpartition("$")[2]): row["outcome"] for row in rows}
    assert told["data", str(unsent)].startswith("not taken: it holds 10 bytes that Logtail has not sent: start Logtail, ")
    assert told["config", "off"] == "not taken: it is switched off"
    assert told["config", "stream"] == "not taken: `log_type` is `streamlog`: this release has no such input"
    assert told["config", "two"] == "not taken: it has several patterns (`regex`), one is possible"
    assert told["key", "odd"] == "not taken: `unheard_of` has no meaning here"
    assert told["file", str(gone)] == "not taken: it is gone, and no copy of it is there; 50 bytes of it were read (app)"
    assert told["positions", "nobody's"] == "not taken: no pipeline here was made of that config (1 file)"
    assert told["setting", "cpu_usage_limit"] == "taken"
    assert told["setting", "mem_usage_limit"].startswith("not taken: ")
    assert told["setting", "data_server_list"] == "not taken: there is no such setting here"
    assert told["setting", "check_point_dump_interval"] == "not taken: positions are durable before anything is sent"
    assert (agent.home / "user_defined_id").read_text() == "web-servers\nshop\n"
    assert json.loads((agent.home / "config.d" / "ilogtail.json").read_text()) == {"cpu_usage_limit": 0.6}


def test_an_agent_that_runs_has_to_be_stopped_first(agent: Agent, logtail: Logtail) -> None:
    logtail.stop()
    agent.pipeline()
    agent.start()
    wait_for((agent.home / "run" / "agent.sock").exists, agent.log())
    assert take_over(agent, logtail, code=1) == []


def push(server, agent: Managed, logtail: Logtail, group: str, *, code: int = 0) -> list[str]:
    """The outcomes that the command prints."""
    secret = {"TAILRACE_KEY_ID": server.key_id, "TAILRACE_KEY_SECRET": server.key_secret, "TAILRACE_ENDPOINT": server.endpoint}
    command = [sys.executable, "-m", "tailrace.cli.main", "import-ilogtail", str(logtail.directory), "--home", str(agent.home)]
    words = ["--push", "--group", group, "--output", "json"]
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env={**os.environ, **secret}
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return [json.loads(line)["outcome"] for line in done.stdout.splitlines()]


@pytest.fixture
def joined(server, tmp_path: Path) -> tuple[Managed, Logtail]:
    """An agent of a project of its own, and a Logtail that has read 20 of 40 lines for that project."""
    project = server.fresh_name("moved")
    agent = Managed(tmp_path / "agent", server, project).joined()
    logtail = Logtail(tmp_path / "ilogtail")
    logtail.config("app", agent.logs, project_name=project)
    path = agent.logs / "a.log"
    logtail.has_read(path, write(path, 0, 20), config_name=f"##1.0##{project}$app")
    logtail.stop()
    write(path, 20, 20)
    return agent, logtail


def test_configs_are_pushed_to_a_server_and_come_back_to_the_agent(server, joined: tuple[Managed, Logtail]) -> None:
    agent, logtail = joined
    (logtail.directory / "user_defined_id").write_text("web-servers\n")
    outcomes = push(server, agent, logtail, "moved")
    assert "taken: saved as `app`" in outcomes
    assert "taken: applied to the machine group `moved`" in outcomes
    assert not list((agent.home / "pipelines").glob("*"))
    agent.start()
    wait_for(lambda: agent.found("*") == lines(20, 20), "the rest, each once", timeout=60)
    write(agent.logs / "a.log", 40, 1)
    wait_for(lambda: agent.found("*") == lines(20, 21), "what is new", timeout=60)
    agent.stop()


def test_a_logtail_that_was_known_by_its_address_is_in_a_group_by_address(server, joined: tuple[Managed, Logtail]) -> None:
    agent, logtail = joined
    push(server, agent, logtail, "moved")
    logtail.config("app", agent.logs, "*.txt", project_name=agent.project)
    logtail.stop()
    outcomes = push(server, agent, logtail, "moved", code=PARTIAL)
    assert any(one.startswith("not taken: the server has a config `app` that says something else") for one in outcomes), outcomes
    agent.start()
    wait_for(lambda: agent.found("*") == lines(20, 20), "the rest, each once", timeout=60)
    agent.stop()


def test_a_group_that_has_not_the_machine_is_not_taken_for_one_that_collects(server, joined: tuple[Managed, Logtail]) -> None:
    agent, logtail = joined
    ids = logtail.directory / "user_defined_id"
    ids.write_text("web-servers\n")
    push(server, agent, logtail, "moved")
    ids.write_text("other\n")
    (agent.home / "user_defined_id").unlink()
    outcomes = push(server, agent, logtail, "moved", code=PARTIAL)
    why = "not taken: this machine is not in the machine group `moved`, which has not its user-defined ids: `other`"
    assert any(one.startswith(why) for one in outcomes), outcomes

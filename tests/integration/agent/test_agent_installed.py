"""The agent as it is installed: what `install` makes, what runs then and as whom, and what `uninstall` leaves."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace import __version__
from tailrace.cli.main import main
from tests.conftest import RunningServer
from tests.integration.agent.machine import COMMAND, Machine

pytestmark = pytest.mark.peer  # it mounts: the same that installs packages may do that

PIPELINE = """
mkdir -m 700 /run/app && echo 'a line' > /run/app/a.log && chmod 600 /run/app/a.log
echo '{"inputs": [{"Type": "input_file", "FilePaths": ["/run/app/*.log"], "TailingAllMatchedFiles": true}],
  "flushers": [{"Type": "flusher_file", "FilePath": "/var/lib/tailrace/out/lines"}]}' > /etc/tailrace/pipelines/app.json
"""
CAPABILITY = f"{1 << 2:016x}"
"""CAP_DAC_READ_SEARCH and no other, as /proc/PID/status shows it (linux/capability.h)."""
BY_USERADD = re.compile(r"/etc/((passwd|group|shadow|gshadow|subuid|subgid)-? |\.pwd\.lock )|/var/(cache|log/journal|lib/systemd)/")
"""What `useradd`, `userdel` and `update-rc.d` change besides: back-up copies, sizes and stamps of their own files."""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine() as made:
        yield made


def test_installed_it_runs_as_its_user_with_one_capability_and_leaves_what_it_says(machine: Machine):
    before = machine.tree()
    said = machine.run(f"HTTPS_PROXY=http://me:secret@proxy:3128 {COMMAND} agent install")
    assert "put a pipeline into /etc/tailrace/pipelines" in said
    assert "goes through the proxy proxy:3128, the service does not: write `https_proxy` into /etc/tailrace/agent.yaml" in said
    assert "secret@" not in said
    machine.run(PIPELINE)
    assert machine.run("tailrace agent start") == "the agent is at work\n"
    assert machine.run("ps -o user=,comm= -C tailrace-agent,tailrace-worker").split() == [
        *("tailrace", "tailrace-agent"),
        *("tailrace", "tailrace-worker"),
    ]
    status = machine.run("cat /proc/$(cat /run/tailrace-agent.pid)/status /proc/$(pgrep tailrace-worker)/status")
    assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\t(\w+)$", status, re.MULTILINE) == [CAPABILITY] * 8
    assert re.findall(r"^NoNewPrivs:\t(\d)$", status, re.MULTILINE) == ["1", "1"]
    machine.run("for try in $(seq 100); do grep -q 'a line' /var/lib/tailrace/out/lines && exit 0; sleep 0.1; done; exit 1")
    assert "1 pipeline, 1 target; 1 event in" in machine.run("tailrace agent status")  # the installed home is found by itself
    asked = machine.run("tailrace agent doctor")  # as the agent, with its capability: the log is for root only
    assert "[ OK ] files: pipeline `app`: files that fit and can be read: 1" in asked
    assert "another user" not in asked
    assert machine.run("find /var/lib/tailrace /var/log/tailrace ! -user tailrace ! -path '*/versions/*'") == ""
    stranger = machine.run(
        "setpriv --reuid nobody --regid nogroup --clear-groups sh -c 'tailrace agent status; tailrace agent doctor'", code=1
    )
    assert "error: this user may not ask the agent of `/var/lib/tailrace`" in stranger
    assert "[Warning] home: this user may not look into `/var/lib/tailrace`" in stranger
    machine.run("tailrace agent stop; chmod 600 /run/app/a.log; tailrace agent import --again /run/app/a.log; tailrace agent start")
    assert machine.run("find /var/lib/tailrace /var/log/tailrace ! -user tailrace ! -path '*/versions/*'") == ""
    assert machine.run("/etc/init.d/tailrace-agent status") == "tailrace-agent is running\n"
    machine.run("tailrace agent restart")
    machine.run("tailrace agent stop")
    machine.run("/etc/init.d/tailrace-agent status", code=3)
    machine.run("ps -o comm= -C tailrace-agent,tailrace-worker", code=1)

    said = machine.run("tailrace agent uninstall")
    assert "kept: /var/lib/tailrace, /etc/tailrace, /var/log/tailrace, the user tailrace" in said
    left = machine.tree() - before
    kept = ("/etc/tailrace/", "/var/lib/tailrace/", "/var/log/tailrace/")
    assert sorted(path for path in left if not path.startswith(kept) and not BY_USERADD.match(path)) == []
    assert {path for path in left if re.search(r"versions|current|last-good|program|supervisor\.json", path)} == set()
    assert any(path.startswith("/etc/tailrace/secret/agent.json ") for path in left)

    machine.tailrace("agent uninstall --purge")
    after = machine.tree()
    assert sorted(path for path in after ^ before if not BY_USERADD.match(path)) == []
    machine.run("id tailrace", code=1)
    assert "no agent is installed here" in machine.tailrace("agent uninstall", code=1)


def test_under_systemd_it_is_a_service_that_is_ready_watched_and_started_again():
    with Machine(systemd=True) as machine:
        machine.tailrace("agent install")
        machine.run(PIPELINE)
        assert machine.run("tailrace agent start") == "the agent is at work\n"
        shown = machine.run("systemctl show tailrace-agent -p ActiveState -p StatusText -p WatchdogUSec -p User")
        assert re.search(r"StatusText=collecting, worker \d+", shown), shown
        assert {"ActiveState=active", "WatchdogUSec=30s", "User=tailrace"} <= set(shown.splitlines())
        machine.run("for try in $(seq 100); do grep -q 'a line' /var/lib/tailrace/out/lines && exit 0; sleep 0.1; done; exit 1")
        status = machine.run("cat /proc/$(systemctl show -P MainPID tailrace-agent)/status /proc/$(pgrep tailrace-worker)/status")
        assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\t(\w+)$", status, re.MULTILINE) == [CAPABILITY] * 8
        before = machine.run("systemctl show -P MainPID tailrace-agent")
        machine.run(f"kill -9 {before}")
        again = f'[ "$(systemctl show -P MainPID tailrace-agent)" -gt {before.strip()} ] && systemctl is-active --quiet tailrace-agent'
        machine.run(f"for try in $(seq 600); do {again} && exit 0; sleep 0.1; done; exit 1")
        machine.run("echo 'another line' >> /run/app/a.log")
        machine.run("for try in $(seq 300); do grep -q another /var/lib/tailrace/out/lines && exit 0; sleep 0.1; done; exit 1")
        assert machine.run("grep -c line /var/lib/tailrace/out/lines") == "2\n"
        machine.run("tailrace agent restart")
        machine.run("tailrace agent stop")
        machine.run("ps -o comm= -C tailrace-agent,tailrace-worker", code=1)
        machine.tailrace("agent uninstall --purge")
        assert "could not be found" in machine.run("systemctl status tailrace-agent", code=4)
        machine.run("ls /etc/systemd/system/multi-user.target.wants/tailrace-agent.service /var/lib/tailrace", code=2)


def test_with_a_token_it_joins_in_the_same_go_and_starts(machine: Machine, server: RunningServer):
    server.make_logstore("installed", "app", {"line": {"token": [" "]}})
    token = server.call("POST", "/tokens", {"project": "installed"}).json()["token"]
    said = machine.tailrace(f"agent install --server https://127.0.0.1:{server.tls_port} --token -", stdin=f"{token}\n")
    assert "joined: this agent may write to all logstores of project installed" in said
    assert said.endswith("the agent is at work\n")
    assert machine.run("stat -c '%U %a' /etc/tailrace/secret/agent.json") == "tailrace 600\n"
    assert token not in machine.run("cat /etc/tailrace/installed.json /var/log/tailrace/*")
    wrong = machine.tailrace("agent install --server https://127.0.0.1:1 --token -", code=1, stdin=f"{token}\n")
    assert "installed, but not joined: cannot reach the server" in wrong


def test_an_agent_that_cannot_start_says_why(machine: Machine):
    machine.tailrace("agent install")
    said = machine.run("tailrace agent start", code=1)
    assert "error: the agent does not start" in said
    assert "there is no pipeline in `/var/lib/tailrace/pipelines`" in said


def test_what_keeps_it_from_starting_is_what_is_said(machine: Machine):
    machine.tailrace("agent install")
    machine.run("tailrace agent start", code=1)
    machine.run(PIPELINE + "echo 'cpu_usage_limt: 3' > /etc/tailrace/agent.yaml")
    said = machine.run("tailrace agent start", code=2)
    assert "agent.yaml:1 cpu_usage_limt: unknown key" in said
    assert "there is no pipeline" not in said
    machine.run("rm /etc/tailrace/agent.yaml; rm -r /var/lib/tailrace/agent; touch /var/lib/tailrace/agent")
    said = machine.run("tailrace agent start", code=1)
    assert "there is no pipeline" not in said
    machine.run("rm /var/lib/tailrace/agent; tailrace agent uninstall; ls /usr/local/bin/tailrace", code=2)


def test_a_second_installation_keeps_what_there_is_and_root_is_a_choice(machine: Machine):
    machine.tailrace("agent install --no-start")
    machine.run(PIPELINE)
    machine.run("echo 'working_hostname: mine' > /etc/tailrace/agent.yaml; tailrace agent start")
    first = machine.run("cat /etc/tailrace/secret/agent.json")
    assert machine.tailrace("agent install --root").endswith("the agent is at work\n")
    assert machine.run("cat /etc/tailrace/secret/agent.json; cat /etc/tailrace/agent.yaml") == f"{first}working_hostname: mine\n"
    assert machine.run("ps -o user= -C tailrace-agent,tailrace-worker").split() == ["root", "root"]
    machine.tailrace("agent install")
    assert machine.run("ps -o user= -C tailrace-agent,tailrace-worker").split() == ["tailrace", "tailrace"]
    program = f"/usr/local/lib/tailrace/{__version__}"
    machine.run(f"touch {program}/mark; chmod 700 /usr/local/lib/tailrace")
    assert "the user `tailrace` cannot run the program" in machine.tailrace("agent install", code=1)
    assert machine.run(f"ls {program}/mark; chmod 755 /usr/local/lib/tailrace; ls /usr/local/lib/tailrace").split() == [
        f"{program}/mark", __version__, "program",
    ]  # fmt: skip
    assert machine.run("tailrace agent restart") == "the agent is at work\n"
    machine.run(f"mv {program} {program}.old")  # as an installation leaves it that is cut off at its worst moment
    machine.tailrace("agent install")
    assert machine.run(f"ls -d {program}*").split() == [program]
    assert machine.run("find /var/lib/tailrace /var/log/tailrace /etc/tailrace/secret ! -user tailrace ! -path '*/versions/*'") == ""


def test_the_unit_is_what_systemd_understands_and_safe(machine: Machine):
    machine.tailrace("agent install --service both --no-start")
    assert machine.run("systemd-analyze verify /etc/systemd/system/tailrace-agent.service") == ""
    shown = machine.run("systemd-analyze security --offline=true --threshold=25 /etc/systemd/system/tailrace-agent.service")
    assert "Overall exposure level for tailrace-agent.service" in shown
    unit = machine.run("cat /etc/systemd/system/tailrace-agent.service")
    assert "AmbientCapabilities=CAP_DAC_READ_SEARCH\nCapabilityBoundingSet=CAP_DAC_READ_SEARCH\n" in unit
    assert "@" not in unit.replace("@system-service", "")


def test_a_package_is_written_below_its_directory_and_names_it_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["agent", "install", "--destdir", str(tmp_path), "--prefix", "/usr"]) == 0
    assert "/usr/lib/tailrace" in capsys.readouterr().out
    top = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")}
    assert top == {"etc/init.d", "etc/tailrace", "usr/bin", "usr/lib", "var/lib", "var/log"}
    assert (tmp_path / "usr/bin/tailrace").resolve() == tmp_path / "usr/lib/tailrace" / __version__ / "bin/tailrace"
    texts = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink() and "site-packages" not in path.parts]
    assert [str(path) for path in texts if str(tmp_path) in path.read_text()] == []
    assert json.loads((tmp_path / "etc/tailrace/installed.json").read_text())["user"] == "tailrace"
    program = tmp_path / "usr/lib/tailrace" / __version__
    shown = subprocess.run(
        [program / "bin" / "python", "-I", "-m", "tailrace.cli.agent.worker", "--self-test"], capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert not list(program.rglob("chdb*"))
    assert main(["agent", "uninstall", "--destdir", str(tmp_path), "--purge"]) == 0
    assert list(tmp_path.iterdir()) == []

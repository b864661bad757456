"""`tailrace agent doctor` on the machine, its limits and rights, and on what runs there: broken set-ups, made for real."""

import os
import signal
import socket
from pathlib import Path

import pytest

from tailrace.agent.doctor import examine, look, scene
from tailrace.server.auth.authority import Authority
from tests.integration.agent.patient import POWERLESS, Patient, holding
from tests.integration.agent.tls_server import joined, serving


def test_a_file_without_the_right_to_read_it(patient: Patient) -> None:
    patient.log.chmod(0)
    told = patient.told(*POWERLESS)
    assert f"pipeline `app`: this user cannot read `{patient.log}`" in told["files"]
    assert "usermod -aG adm" in told["files"]


def test_a_directory_without_the_right_to_search_it(patient: Patient) -> None:
    patient.log.parent.chmod(0)
    told = patient.told(*POWERLESS)
    patient.log.parent.chmod(0o700)
    assert f"this user cannot search `{patient.log.parent}`" in told["files"]


def test_a_home_that_is_not_the_users(patient: Patient) -> None:
    (patient.home / "agent").chmod(0o500)
    told = patient.told(*POWERLESS)
    assert f"cannot write in `{patient.home}/agent`: permission denied" in told["home"]
    assert "chown -R" in told["home"]


def test_a_home_that_this_user_may_not_look_into(patient: Patient) -> None:
    patient.home.chmod(0)
    told = patient.told(*POWERLESS)
    patient.home.chmod(0o700)
    assert told == {
        "home": f"this user may not look into `{patient.home}`: ask as the agent's user, or as root: `sudo tailrace agent doctor`"
    }


def test_a_secret_that_others_may_read(patient: Patient, authority: Authority) -> None:
    patient.known_as(joined(authority, "https://127.0.0.1:1"))
    (patient.home / "secret" / "agent.json").chmod(0o644)
    ((text, remedy),) = patient.warnings("home")
    assert text == f"other users may read `agent.json` in `{patient.home}/secret`"
    assert "chmod 600" in remedy


def test_few_open_files(patient: Patient) -> None:
    told = patient.told("prlimit", "--nofile=200:200")
    assert "may open 200 files" in told["open files"]
    assert "LimitNOFILE" in told["open files"]


def test_an_unknown_time_zone(patient: Patient) -> None:
    patient.environment["TZ"] = "Europe/Atlantis"
    ((text, remedy),) = patient.warnings("time zone")
    assert "the time zone `Europe/Atlantis` of the variable TZ is not known here" in text
    assert "timedatectl" in remedy


@pytest.mark.peer  # a namespace of its own, where limits and mounts can be changed
@pytest.mark.parametrize(("key", "words"), [("instances", "no instance of inotify left"), ("watches", "no watch of inotify left")])
def test_no_room_for_watches(patient: Patient, key: str, words: str) -> None:
    lower = ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > /proc/sys/user/max_inotify_{key}; exec "$@"', "sh"]
    told = patient.told(*lower)
    assert words in told["inotify"]
    assert f"sysctl -w fs.inotify.max_user_{key}=" in told["inotify"]


def mounted(patient: Patient, options: str, then: str) -> list[str]:
    """Runs what follows where the home lies on a small disk of its own, on which `then` has been done."""
    home = patient.home
    steps = [f"cp -a {home} {home}.was", f"mount -t tmpfs -o {options} tmpfs {home}", f"cp -a {home}.was/. {home}/", then]
    script = " && ".join([*steps, 'exec "$@"'])
    return ["unshare", "--user", "--mount", "--map-root-user", "sh", "-c", script, "sh"]


@pytest.mark.peer
def test_a_full_disk(patient: Patient) -> None:
    told = patient.told(*mounted(patient, "size=1m", f"(cat /dev/zero > {patient.home}/other || true) 2> /dev/null"))
    assert f"cannot write in `{patient.home}`: no space left on device" in told["home"] or "no space left" in told["home"]
    assert "make room on that disk" in told["home"]
    assert "only 0 MB" in told["disk"]


@pytest.mark.peer
def test_a_read_only_disk(patient: Patient) -> None:
    told = patient.told(*mounted(patient, "size=8m", f"mount -o remount,ro {patient.home}"))
    assert "read-only file system" in told["home"]
    assert "mount -o remount,rw" in told["home"]


def test_wrong_settings_and_pipelines_end_name_their_place(patient: Patient) -> None:
    patient.sends_to("http://127.0.0.1:1")
    (patient.home / "agent.yaml").write_text("cpu_usage_limt: 1\n")
    (patient.home / "pipelines" / "bad.yaml").write_text("inputs: []\n")
    with patient.work():
        ((settings, hint),) = patient.warnings("settings")
        assert f"{patient.home}/agent.yaml:1 cpu_usage_limt: unknown key" in settings
        assert "`cpu_usage_limit`" in hint
        assert any("bad.yaml" in text for text, _ in patient.warnings("pipelines"))


def test_no_pipeline(patient: Patient) -> None:
    (patient.home / "pipelines" / "app.json").unlink()
    ((text, remedy),) = patient.warnings("pipelines")
    assert text == f"there is no pipeline in `{patient.home}/pipelines`, and no server has given one"
    assert "config generate" in remedy


def test_no_home_at_all(tmp_path: Path) -> None:
    found = list(examine(look(tmp_path / "none")))
    assert found[0].text == f"there is no home in `{tmp_path}/none`"
    assert "`--home`" in found[0].remedy


def test_a_worker_that_is_stopped(patient: Patient) -> None:
    with patient.work() as process:
        os.kill(process.pid, signal.SIGSTOP)
        ((text, remedy),) = patient.warnings("agent")
    assert text == f"the worker, process {process.pid}, is stopped: it does nothing"
    assert f"kill -CONT {process.pid}" in remedy


def test_a_worker_that_does_not_answer(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "ANSWER_SECS", 0.2)
    with patient.work() as process, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(patient.home / "run" / "agent.sock"))
        silent.listen()
        ((text, _),) = patient.warnings("agent")
    assert text == f"the worker, process {process.pid}, does not answer: it is busy, or hangs"


def test_two_agents_on_one_home(patient: Patient) -> None:
    with patient.work() as worker, holding(patient.home / "agent" / "supervisor.lock") as stranger:
        ((text, remedy),) = patient.warnings("agent")
    assert f"process {worker.pid} works on it, and the supervisor {stranger.pid} waits" in text
    assert "`--home`" in remedy


def test_a_supervisor_without_a_worker(patient: Patient) -> None:
    with holding(patient.home / "agent" / "supervisor.lock") as supervisor:
        ((text, remedy),) = patient.warnings("agent")
    assert f"the supervisor runs, process {supervisor.pid}, and its worker does not" in text
    assert "supervisor.log" in remedy


def test_exit_codes_tell_configs_servers_and_the_rest_apart(patient: Patient, authority: Authority, tmp_path: Path) -> None:
    with patient.work(), serving(authority, tmp_path) as (address, _):
        patient.known_as(joined(authority, address))
        codes = [
            patient.sends_to(address).run().returncode,
            patient.sends_to("https://127.0.0.1:1", AccessKeyId="i", AccessKeySecret="s").run().returncode,
        ]
        patient.sends_to(address)
        (patient.home / "agent.yaml").write_text("no_such_setting: 1\n")
        codes.append(patient.run().returncode)
    codes.append(patient.run().returncode)
    assert codes == [0, 3, 2, 1]

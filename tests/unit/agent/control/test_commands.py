"""What a server told the agent to do once is done once, whatever happens to the agent in between."""

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tailrace import telemetry
from tailrace.agent.control.commands import AtWork, Commands, Done
from tailrace.agent.control.doers import LogLevels, Restarting, Sampling
from tailrace.agent.control.ledger import HEARD_SECS, REMEMBERED_SECS, Ledger, Taken
from tailrace.agent.control.results import lay_down
from tailrace.agent.identity.identity import AgentIdentity, JoinedServer
from tailrace.agent.platform import current
from tailrace.agent.supervision import Supervision
from tailrace.errors import ApiError, StateError, UnreachableError
from tailrace.wire.commands import KINDS, LogLevel, Restart, Sample
from tailrace.wire.control import CommandDetail, ConfigStatus
from tests.integration.agent.running import wait_for

SERVER = "s" * 32


def told(id_: str = "c1", *, secs: int = 60, **detail: Any) -> CommandDetail:
    document = {"kind": "restart", **detail}
    return CommandDetail(id_, json.dumps(document).encode(), int(time.time()) + secs, {"project": b"shop", "secs_left": str(secs).encode()})


class Counting:
    """Counts how often it began; `ends` is what it says then."""

    def __init__(self, ends: Done | None = None) -> None:
        self.began, self.ends = 0, ends

    def begin(self, _at: AtWork) -> Done | None:
        self.began += 1
        return self.ends

    def follow(self, at: AtWork) -> Done | None:
        return None if at.here else Done("went on")


class Agent:
    """One start of an agent on a home, with one kind of command."""

    def __init__(self, home: Path, doer: Any, *, allowed: Any = KINDS, joined: int = 1) -> None:
        self.laid: list[bytes] = []
        self.trouble: Exception | None = None
        self.attempts = 0
        self.ledger = Ledger(home)
        self.commands = Commands(self.ledger, dict.fromkeys(KINDS, doer), allowed=allowed, lay_down=self.lay_down, joined=lambda: joined)

    def lay_down(self, _command: Taken, data: bytes) -> None:
        self.attempts += 1
        if self.trouble is not None:
            raise self.trouble
        self.laid.append(data)

    def said(self) -> dict[str, tuple[int, str]]:
        return {info.name: (info.status, info.message) for info in self.commands.infos(SERVER)}

    def until(self, status: ConfigStatus, id_: str = "c1") -> str:
        """What it says of the command when it is so."""
        with self.commands.at_work():
            wait_for(lambda: self.said()[id_][0] == status, "the command", 60)
        return self.said()[id_][1]


def test_a_server_hears_first_of_what_is_open_and_then_of_what_ended_last(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.take(SERVER, [told(id_) for id_ in ("c1", "c2", "c3", "c4")])
    known = {one.id: one for one in ledger.open}
    for place, id_ in enumerate(("c3", "c1")):
        path = ledger._path(ledger.put(replace(known[id_], state="done")))
        os.utime(path, (2_000_000_000 + place,) * 2)
    for one in (ledger, Ledger(tmp_path)):
        said = [info.name for info in one.infos(SERVER)]
        assert (sorted(said[:2]), said[2:]) == (["c2", "c4"], ["c1", "c3"])


def test_a_command_is_done_once_and_told_until_no_server_sends_it_again(tmp_path: Path) -> None:
    doer = Counting(Done("fine"))
    agent = Agent(tmp_path, doer)
    agent.commands.take(SERVER, [told()])
    assert agent.said() == {"c1": (ConfigStatus.APPLYING, "")}
    assert agent.until(ConfigStatus.APPLIED) == "fine"
    agent.commands.take(SERVER, [told()])
    again = Agent(tmp_path, doer)
    again.commands.take(SERVER, [told()])
    assert (again.said(), doer.began) == ({"c1": (ConfigStatus.APPLIED, "fine")}, 1)


def test_an_end_is_told_for_a_day_and_until_the_server_has_heard_it(tmp_path: Path) -> None:
    now = [1e9]
    ledger = Ledger(tmp_path, lambda: now[0])
    ledger.take(SERVER, [told()])
    now[0] += 10 * REMEMBERED_SECS  # an import took so long
    ledger.heard(SERVER, ledger.infos(SERVER))
    ended = ledger.put(replace(ledger.open[0], state="done", message="all of it"))
    assert ended.ended_at == now[0]
    for passed in (REMEMBERED_SECS + 1, 10 * REMEMBERED_SECS):  # the server is away
        now[0] += passed
        ledger.forget([SERVER])
        assert [info.message for info in ledger.infos(SERVER)] == ["all of it"]
    ledger.heard(SERVER, ledger.infos(SERVER))
    ledger.forget([SERVER])
    assert [info.message for info in ledger.infos(SERVER)] == ["all of it"], "the server may be killed before it has kept that"
    now[0] += HEARD_SECS + 1
    ledger.forget([SERVER])
    assert (ledger.infos(SERVER), list((tmp_path / "agent" / "commands").iterdir())) == ([], [])


def test_what_ended_is_remembered_for_a_day_although_the_server_has_heard_it(tmp_path: Path) -> None:
    now = [1e9]
    ledger = Ledger(tmp_path, lambda: now[0])
    ledger.put(Taken(SERVER, "c1", "shop", "{}", now[0] - 10 * REMEMBERED_SECS, "done"))
    ledger.heard(SERVER, ledger.infos(SERVER))
    now[0] += REMEMBERED_SECS - 1
    ledger.forget([SERVER])
    assert len(ledger.infos(SERVER)) == 1
    ledger.forget([])
    assert ledger.infos(SERVER) == [], "the agent has left the server"


def test_what_was_begun_before_a_restart_is_not_begun_again(tmp_path: Path) -> None:
    doer = Counting()
    agent = Agent(tmp_path, doer)
    agent.commands.take(SERVER, [told()])
    with agent.commands.at_work():
        wait_for(lambda: doer.began, "its begin", 60)
    again = Agent(tmp_path, doer)
    assert (again.until(ConfigStatus.APPLIED), doer.began) == ("went on", 1)


def test_a_sample_that_a_restart_cut_off_says_so(tmp_path: Path) -> None:
    agent = Agent(tmp_path, Sampling(current()))
    agent.ledger.put(Taken(SERVER, "c1", "shop", json.dumps({"kind": "sample", "path": "/etc/hosts"}), time.time() + 60, "running"))
    assert "started anew in the middle" in agent.until(ConfigStatus.FAILED)


def test_what_came_too_late_is_not_done(tmp_path: Path) -> None:
    doer, ledger = Counting(Done("")), Ledger(tmp_path)
    ledger.put(Taken(SERVER, "c1", "shop", "{}", time.time() - 1))
    agent = Agent(tmp_path, doer)
    assert ("too late" in agent.until(ConfigStatus.FAILED), doer.began) == (True, 0)


def test_the_machines_administrator_says_what_servers_may_command(tmp_path: Path) -> None:
    agent = Agent(tmp_path, Counting(Done("")), allowed=["sample"])
    agent.commands.take(SERVER, [told()])
    assert agent.until(ConfigStatus.FAILED) == "the settings of the machine do not allow `restart` (`server_commands`)"


@pytest.mark.parametrize("detail", [{"kind": "run", "command": "id"}, {"kind": "sample"}, {"kind": "restart", "shell": "id"}])
def test_what_is_no_command_is_refused(tmp_path: Path, detail: dict[str, Any]) -> None:
    agent = Agent(tmp_path, Counting(Done("")))
    agent.commands.take(SERVER, [told(**detail)])
    assert agent.until(ConfigStatus.FAILED) == "this release does not know the command"


@pytest.mark.parametrize(("kind", "status"), [("log-level", ConfigStatus.FAILED), ("import", ConfigStatus.APPLIED)])
def test_of_several_servers_none_commands_the_agent_as_a_whole(tmp_path: Path, kind: str, status: ConfigStatus) -> None:
    agent = Agent(tmp_path, Counting(Done("fine")), joined=2)
    agent.commands.take(SERVER, [told(kind=kind, **({"config": "app", "paths": ["/var/log/app.log"]} if kind == "import" else {}))])
    said = agent.until(status)
    assert ("belongs to several servers" in said, said == "fine") == (kind != "import", kind == "import")


class Surprised:
    """Goes wrong as nobody foresaw."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def begin(self, _at: AtWork) -> Done | None:
        raise self._error

    follow = begin


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug")])
def test_what_nobody_foresaw_in_a_command_ends_that_command_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("tailrace.agent.bystander.PAUSE_SECS", 0.01)
    ended: list[object] = []
    monkeypatch.setattr("threading.excepthook", ended.append)
    agent = Agent(tmp_path, Surprised(error))
    agent.commands.take(SERVER, [told("c1"), told("c2")])
    with agent.commands.at_work():
        wait_for(lambda: [status for status, _ in agent.said().values()] == [ConfigStatus.FAILED] * 2, "both", 60)
    assert (ended, {message for _, message in agent.said().values()}) == (
        [],
        {"it went wrong in a way that is not foreseen; the log of the agent says how"},
    )


TROUBLES = [UnreachableError("away"), ApiError(503, "ServerBusy", ""), ApiError(429, "", ""), ApiError(400, "RequestTimeout", "")]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_result_is_laid_down_before_the_command_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    monkeypatch.setattr("tailrace.agent.control.commands.RETRY_SECS", 0.0)
    agent = Agent(tmp_path, Counting(Done("3 bytes", b"abc")))
    agent.trouble = trouble
    agent.commands.take(SERVER, [told()])
    with agent.commands.at_work():
        wait_for(lambda: agent.attempts > 1, "another attempt", 60)
        agent.trouble = None
        wait_for(lambda: agent.laid, "the result", 60)
        wait_for(lambda: agent.said()["c1"] == (ConfigStatus.APPLIED, "3 bytes"), "the end", 60)
    assert agent.laid == [b"abc"]


def test_a_result_that_the_server_refuses_is_the_commands_failure(tmp_path: Path) -> None:
    agent = Agent(tmp_path, Counting(Done("", b"abc")))
    agent.trouble = ApiError(400, "PostBodyTooLarge", "too long")
    agent.commands.take(SERVER, [told()])
    assert agent.until(ConfigStatus.FAILED) == "the server does not take the result: too long"


def test_a_name_of_a_server_is_never_a_path_and_a_damaged_file_is_no_reason_to_stop(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.take(SERVER, [told("../../etc/passwd"), told("c2")])
    files = sorted((tmp_path / "agent" / "commands").iterdir())
    assert [len(path.stem) for path in files] == [32, 32]
    for text in ("{", "[]", '{"format": 9}', '{"format": 1, "state": 5}'):
        files[0].write_text(text)
        assert len(Ledger(tmp_path).open) == 1


def test_a_message_that_is_no_utf8_is_written_out(tmp_path: Path) -> None:
    name = b"/srv/caf\xe9.log".decode("utf-8", "surrogateescape")
    put = Ledger(tmp_path).put(Taken(SERVER, "c1", "shop", "{}", 0.0, "failed", f"no file `{name}`"))
    assert put.message == "no file `/srv/caf\\udce9.log`"
    assert Ledger(tmp_path).infos(SERVER)[0].message == put.message


def test_what_is_nested_without_end_is_no_command(tmp_path: Path) -> None:
    depth, agent = 100_000, Agent(tmp_path, Counting(Done("")))
    agent.commands.take(SERVER, [CommandDetail("c1", b'{"kind":' + b"[" * depth + b"]" * depth + b"}", int(time.time()) + 60)])
    assert agent.until(ConfigStatus.FAILED) == "this release does not know the command"


def test_a_key_that_cannot_be_used_is_no_full_disk() -> None:
    joined = JoinedServer("s1", ["127.0.0.1:1"], roots=["no root"], certificate="none")
    with pytest.raises(UnreachableError, match="key and certificate cannot be used"):
        lay_down(AgentIdentity("a1", [], {"s1": joined}, key="none"), Taken("s1", "c1", "shop", "", 0.0), b"abc")


def test_a_restart_is_over_when_another_process_begins(tmp_path: Path) -> None:
    asked: list[int] = []
    doer, command = Restarting(lambda: asked.append(1)), Taken(SERVER, "c1", "shop", "", 0.0)
    at = AtWork(command, Restart())
    assert (doer.begin(at), doer.follow(at), len(asked)) == (None, None, 1)
    assert doer.follow(AtWork(command, Restart(), here=False)) == Done("the worker was started anew")
    with pytest.raises(StateError, match="without a supervisor"):
        Restarting(None).begin(at)


def test_a_worker_that_is_not_at_work_yet_is_not_ended_for_a_restart() -> None:
    asked, supervision = list[int](), Supervision()
    doer, at = Restarting(lambda: asked.append(1), lambda: supervision.is_at_work), AtWork(Taken(SERVER, "c1", "shop", "", 0.0), Restart())
    assert (doer.begin(at), asked) == (Done("the worker has just started"), [])
    supervision.at_work()
    assert (doer.begin(at), asked) == (None, [1])


def test_a_log_level_holds_for_its_time_also_over_a_restart() -> None:
    ours = logging.getLogger("tailrace")
    usual = telemetry.change_level("warning")
    try:
        command, detail = Taken(SERVER, "c1", "shop", "", 0.0, began_at=time.time()), LogLevel(secs=600)
        LogLevels().begin(AtWork(command, detail))
        assert ours.level == logging.DEBUG
        telemetry.override_level("")  # the process ends
        again = LogLevels()
        assert again.follow(AtWork(command, detail, here=False)) is None
        assert telemetry.change_level("error") == "warning", "what a command changes is not what is usual"
        assert ours.level == logging.DEBUG, "a setting that arrives meanwhile holds when the command is over"
        other, over = (Taken(SERVER, id_, "shop", "", 0.0, began_at=time.time() - 601) for id_ in ("c2", "c1"))
        assert again.follow(AtWork(other, detail)) == Done("another command has changed the level since")
        assert again.follow(AtWork(over, detail)) == Done("logged from level debug on for 600 s")
        assert ours.level == logging.ERROR
        telemetry.change_level("info")
        again.begin(AtWork(other, detail))
        again.follow(AtWork(other, detail))
        assert ours.level == logging.INFO, "a second command goes back to what is usual by then"
    finally:
        telemetry.override_level("")
        telemetry.change_level(usual)


def sampled(tmp_path: Path, text: bytes, **detail: Any) -> list[str]:
    path = tmp_path / "app.log"
    path.write_bytes(text)
    done = Sampling(current()).begin(AtWork(Taken(SERVER, "c1", "shop", "", 0.0), Sample(path=str(path), **detail)))
    assert done is not None
    return json.loads(done.result)["lines"]


def test_a_sample_is_whole_lines_of_either_end(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100_000))
    assert sampled(tmp_path, text, lines=2) == ["line 99998", "line 99999"]
    assert sampled(tmp_path, text, lines=2, of="start") == ["line 0", "line 1"]
    assert sampled(tmp_path, b"one\ntwo") == ["one", "two"]
    assert sampled(tmp_path, b"one\ntwo", of="start") == ["one", "two"]
    assert sampled(tmp_path, b"") == []
    assert sampled(tmp_path, b"\xff\n\x00\n") == ["\\xff", "\x00"]
    assert [len(line) for line in sampled(tmp_path, b"x" * 300_000)] == [262_144]


@pytest.mark.parametrize("path", ["/etc/shadow", "/proc/self/environ", "no-such-file"])
def test_a_sample_is_of_what_the_agent_may_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "allowed").mkdir()
    platform = current(roots=[tmp_path / "allowed"])
    (tmp_path / "allowed" / "link").symlink_to("/etc/passwd")
    for one in (path if path.startswith("/") else str(tmp_path / "allowed" / path), str(tmp_path / "allowed" / "link")):
        with pytest.raises(OSError, match=r"forbids|No such file"):
            Sampling(platform).begin(AtWork(Taken(SERVER, "c1", "shop", "", 0.0), Sample(path=one)))

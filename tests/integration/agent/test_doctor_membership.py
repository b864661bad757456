"""`tailrace agent doctor` on keys and on what the server says of the agent."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aliyun.log import MachineGroupDetail

from tailrace.agent.doctor import examine, look
from tailrace.server.auth.authority import Authority
from tests.conftest import RunningServer
from tests.integration.agent.patient import Patient
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_joins import Remote
from tests.integration.agent.tls_server import joined, serving


def test_a_project_that_the_agent_has_not_joined(patient: Patient, authority: Authority) -> None:
    patient.known_as(joined(authority, "https://127.0.0.1:1")).sends_to("https://127.0.0.1:1", Project="shop")
    ((text, remedy),) = patient.warnings("keys")
    assert text == "there is no key for project `shop` at `https://127.0.0.1:1`"
    assert "tailrace agent token create --project shop" in remedy


def test_a_damaged_identity(patient: Patient) -> None:
    (patient.home / "secret" / "agent.json").write_text('{"format": 3')
    ((text, remedy),) = patient.warnings("keys")
    assert "does not hold an agent's identity" in text
    assert "from a backup" in remedy


@pytest.fixture
def member(tmp_path: Path, server: RunningServer) -> Iterator[Remote]:
    """An agent that has joined and does not run; `.patient` looks at its home."""
    member = Remote(tmp_path / "member", server, server.fresh_name("member")).joined()
    (member.home / "pipelines").mkdir(exist_ok=True)
    (member.directory / "pipelines" / "app.json").rename(member.home / "pipelines" / "app.json")
    yield member
    if member.process and member.process.poll() is None:
        member.kill()


def warnings(home: Path, check: str) -> list[tuple[str, str]]:
    return [(one.text, one.remedy) for one in examine(look(home)) if one.level == "warning" and one.check == check]


def test_an_agent_that_the_server_has_revoked(member: Remote, server: RunningServer) -> None:
    assert warnings(member.home, "membership") == []
    agent = member.identity["agent_id"]
    server.call("POST", f"/agents/{agent}/revoke")
    ((text, remedy),) = warnings(member.home, "membership")
    assert "has revoked this agent" in text
    assert f"`tailrace agent reinstate {agent}`" in remedy


def test_an_agent_that_may_not_write_to_a_project_any_more(member: Remote, server: RunningServer) -> None:
    server.call("DELETE", f"/agents/{member.identity['agent_id']}/projects/{member.project}")
    ((text, remedy),) = warnings(member.home, "membership")
    assert text == f"the server does not let this agent write to logstore `app` of project `{member.project}`"
    assert f"tailrace agent token create --project {member.project}" in remedy


def test_asking_how_an_agent_stands_starts_none_and_gives_nothing(member: Remote, server: RunningServer) -> None:
    before = (member.home / "secret" / "agent.json").read_bytes()
    assert warnings(member.home, "keys") == warnings(member.home, "membership") == []
    assert (member.home / "secret" / "agent.json").read_bytes() == before
    assert sorted(path.name for path in (member.home / "secret").iterdir()) == sorted(["agent.json", *upgrade_roots(member)])


def upgrade_roots(member: Remote) -> list[str]:
    return [path.name for path in (member.home / "secret").glob("*.upgrade-root.json")]


def test_a_quota_that_is_used_up_and_a_logstore_that_is_not_there(member: Remote, server: RunningServer) -> None:
    quota = {"write_bytes_per_sec": 1}
    assert server.call("PUT", f"/projects/{member.project}/quota", quota).status == 200
    pipeline = json.loads((member.home / "pipelines" / "app.json").read_text())
    pipeline["flushers"] = [member.to(member.project)]
    (member.directory / "pipelines" / "app.json").write_text(json.dumps(pipeline))
    pipeline["flushers"] = [{**member.to(member.project), "Logstore": "none"}]
    pipeline["inputs"][0]["AllowingIncludedByMultiConfigs"] = True
    (member.directory / "pipelines" / "none.json").write_text(json.dumps(pipeline))
    member.start()

    def said() -> str:
        member.write("x" * 100)
        return "\n".join(": ".join(one) for one in warnings(member.home, "delivery"))

    wait_for(lambda: "WriteQuotaExceed" in said() and "LogStoreNotExist" in said(), member.log(), 60)
    assert "raise the quota" in said()
    assert "make it on the server" in said()
    assert warnings(member.home, "agent") == warnings(member.home, "connection") == []
    shell = {"https_proxy": "http://user:secret@proxy.example.org:3128"}
    ((text, remedy),) = [
        (one.text, one.remedy)
        for one in examine(look(member.home, environment=shell))
        if one.level == "warning" and one.check == "connection"
    ]
    assert "was started with no proxy for `https`, this command with the proxy `proxy.example.org:3128`" in text
    assert "write `https_proxy` into HOME/agent.yaml" in remedy
    member.kill()
    assert "no agent runs on this home" in warnings(member.home, "agent")[0][0]


def test_a_group_that_names_this_machine_and_does_not_have_it(patient: Patient, authority: Authority, tmp_path: Path) -> None:
    kept_out = {"project": "demo", "name": "web", "reason": "it runs windows, the group's agents run linux"}
    facts = {"state": "enrolled", "projects": [{"project": "demo", "logstores": ["*"]}], "reported": True, "addresses": ["10.0.0.7"]}
    with serving(authority, tmp_path, answer={**facts, "kept_out": [kept_out]}) as (address, _):
        patient.sends_to(address).known_as(joined(authority, address))
        ((text, remedy),) = patient.warnings("membership")
        assert "goes by `10.0.0.7`" in patient.said("membership")
    assert text == "the machine group `demo/web` names this machine, and does not have it: it runs windows, the group's agents run linux"
    assert "a group for each system" in remedy


def test_a_machine_that_is_in_no_group(member: Remote, server: RunningServer) -> None:
    (member.home / "pipelines" / "app.json").unlink()
    (member.home / "user_defined_id").write_text("web-servers\n")
    server.client().create_machine_group(member.project, MachineGroupDetail("web", "userdefined", ["other-servers"]))
    member.start()

    def said(level: str) -> str:
        found = [one for one in examine(look(member.home)) if (one.check, one.level) == ("membership", level)]
        return "\n".join(f"{one.text}: {one.remedy}" for one in found)

    wait_for(lambda: "no machine group of its projects has this machine" in said("warning"), member.log(), 60)
    assert "`web-servers`" in said("warning")
    assert "HOME/user_defined_id" in said("warning")
    server.client().update_machine_group(member.project, MachineGroupDetail("web", "userdefined", ["web-servers"]))
    assert f"it belongs to the machine groups `{member.project}/web`" in said("ok")
    assert said("warning") == ""

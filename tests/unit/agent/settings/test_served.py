"""What servers give of settings holds below what the machine says, as a whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.settings import startup
from tailrace.agent.settings.in_force import InForce
from tailrace.agent.settings.served import NAME, ServedStore
from tailrace.agent.settings.settings import AgentSettings
from tailrace.wire.control import DELETED, ConfigDetail, ConfigInfo, ConfigStatus

SERVER = "s" * 32


def told(number: int, name: str = "shop@web", **values: Any) -> ConfigDetail:
    return ConfigDetail(name, number, json.dumps(values).encode())


class Agent:
    """One start of an agent on a home."""

    def __init__(self, home: Path) -> None:
        def load(served: Any = None) -> startup.Startup:
            return startup.load(home, environment={}, served=served)

        self.settings = load().settings
        self.taken: list[AgentSettings] = []
        self.in_force = InForce(ServedStore(home, load), load, self.take_over)

    def take_over(self, settings: AgentSettings) -> None:
        self.settings = settings
        self.taken.append(settings)

    def take(self, *updates: ConfigDetail) -> list[ConfigInfo]:
        self.in_force.take(SERVER, updates)
        return self.in_force.infos(SERVER)


def test_what_a_server_gives_holds_at_once_and_from_the_next_start_on(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    assert agent.take(told(1, cpu_usage_limit=0.8, log_level="debug")) == [ConfigInfo("shop@web", 1, ConfigStatus.APPLIED)]
    assert (agent.settings.cpu_usage_limit, agent.settings.log_level) == (0.8, "debug")
    again = Agent(tmp_path)
    assert again.settings.cpu_usage_limit == 0.8
    assert startup.load(tmp_path, environment={}).origins["cpu_usage_limit"] == "server, shop@web"
    assert again.take(told(1, cpu_usage_limit=0.8, log_level="debug")) == agent.in_force.infos(SERVER)
    assert again.taken == [], "the same again changes nothing"
    assert again.take(ConfigDetail("shop@web", DELETED)) == []
    assert again.settings.cpu_usage_limit == 0.4
    assert Agent(tmp_path).settings.cpu_usage_limit == 0.4


def test_what_the_machine_says_wins_and_the_server_hears_so(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("cpu_usage_limit: 0.2\n")
    agent = Agent(tmp_path)
    (info,) = agent.take(told(1, cpu_usage_limit=0.8, mem_usage_limit=512))
    assert (info.status, info.message) == (ConfigStatus.APPLIED, "`cpu_usage_limit` stays as another place has it: agent.yaml")
    assert (agent.settings.cpu_usage_limit, agent.settings.mem_usage_limit) == (0.2, 512)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"allowed_roots": ["/"]}, "allowed_roots"),
        ({"cpu_usage_limit": 0.5, "mem_usage_limit": 1}, "mem_usage_limit"),
        ({"http_proxy": "http://evil.example"}, "http_proxy"),
        ({"log_level": "loud"}, "log_level"),
        (["x"], ""),
    ],
)
def test_what_a_server_may_not_give_is_refused_as_a_whole_and_the_values_before_hold(tmp_path: Path, values: Any, reason: str) -> None:
    agent = Agent(tmp_path)
    agent.take(told(1, cpu_usage_limit=0.8))
    (info,) = agent.take(ConfigDetail("shop@web", 2, json.dumps(values).encode()))
    assert (info.version, info.status, reason in info.message) == (2, ConfigStatus.FAILED, True), info.message
    assert agent.settings.cpu_usage_limit == 0.8
    assert Agent(tmp_path).settings.cpu_usage_limit == 0.8


def test_what_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (info,) = Agent(tmp_path).take(ConfigDetail("shop@web", 1, b"[" * 100_000))
    assert (info.status, info.message) == (ConfigStatus.FAILED, "is nested too deep")


def test_while_the_machines_own_settings_are_wrong_nothing_is_refused_and_all_waits(tmp_path: Path) -> None:
    agent, own = Agent(tmp_path), tmp_path / "agent.yaml"
    agent.take(told(1, cpu_usage_limit=0.8))
    own.write_text("cpu_usage_limit: much\n")
    (info,) = agent.take(told(2, cpu_usage_limit=0.9))
    assert (info.version, info.status) == (2, ConfigStatus.FAILED)
    assert info.message.startswith(f"waits until this machine's own settings are right: {own}:1 cpu_usage_limit: ")
    agent.in_force.try_again()
    assert (agent.settings.cpu_usage_limit, agent.in_force.infos(SERVER)) == (0.8, [info])
    own.unlink()
    assert Agent(tmp_path).in_force.infos(SERVER) == [ConfigInfo("shop@web", 1, ConfigStatus.APPLIED)], "it is sent again"
    agent.in_force.try_again()
    assert agent.in_force.infos(SERVER) == [ConfigInfo("shop@web", 2, ConfigStatus.APPLIED)]
    assert (agent.settings.cpu_usage_limit, Agent(tmp_path).settings.cpu_usage_limit) == (0.9, 0.9)


def test_what_is_withdrawn_while_the_machines_own_settings_are_wrong_is_withdrawn_when_they_are_right(tmp_path: Path) -> None:
    agent, own = Agent(tmp_path), tmp_path / "agent.yaml"
    agent.take(told(1, cpu_usage_limit=0.8))
    own.write_text("cpu_usage_limit: much\n")
    agent.take(told(2, cpu_usage_limit=0.9))
    assert agent.take(ConfigDetail("shop@web", DELETED)) == []
    agent.in_force.belong_to([])
    assert agent.settings.cpu_usage_limit == 0.8
    own.unlink()
    agent.in_force.try_again()
    assert agent.settings.cpu_usage_limit == 0.4


def test_of_two_groups_the_first_by_name_wins(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    first, second = agent.take(told(1, "shop@b", cpu_usage_limit=0.9, mem_usage_limit=512), told(2, "shop@a", cpu_usage_limit=0.8))
    assert (agent.settings.cpu_usage_limit, agent.settings.mem_usage_limit) == (0.8, 512)
    assert (first.message, second.message) == ("", "`cpu_usage_limit` stays as another place has it: server, shop@a")


def test_settings_of_a_server_that_was_left_are_forgotten(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.take(told(1, cpu_usage_limit=0.8))
    agent.in_force.belong_to([SERVER])
    assert agent.settings.cpu_usage_limit == 0.8
    agent.in_force.belong_to([])
    assert agent.settings.cpu_usage_limit == 0.4


def test_of_several_servers_none_has_a_say_also_after_a_restart(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.take(told(1, cpu_usage_limit=0.8))
    agent.in_force.belong_to([SERVER, "t" * 32])
    assert (agent.settings.cpu_usage_limit, Agent(tmp_path).settings.cpu_usage_limit) == (0.4, 0.4)
    (info,) = agent.take(told(2, cpu_usage_limit=0.9))
    assert (info.version, info.message) == (2, "none of it holds while this agent belongs to several servers")
    assert agent.settings.cpu_usage_limit == 0.4
    agent.in_force.belong_to([SERVER])
    assert (agent.settings.cpu_usage_limit, agent.in_force.infos(SERVER)[0].message) == (0.9, "")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 9}', '{"format": 1, "served": [{"server": 5}]}'])
def test_a_damaged_file_keeps_no_agent_from_starting(tmp_path: Path, text: str) -> None:
    Agent(tmp_path).take(told(1, cpu_usage_limit=0.8))
    (tmp_path / "agent" / NAME).write_text(text)
    agent = Agent(tmp_path)
    assert agent.settings.cpu_usage_limit == 0.4
    agent.take(told(1, cpu_usage_limit=0.8))
    assert agent.settings.cpu_usage_limit == 0.8

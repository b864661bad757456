"""Which settings agents get of their groups."""

import json

import pytest

from tailrace.errors import ApiError
from tailrace.server.fleet.instance_configs import InstanceConfigs
from tailrace.wire.control import DELETED, ConfigInfo, FetchConfigRequest, HeartbeatResponse
from tests.unit.server.fleet.parts import Bench

LIMITS = {"cpu_usage_limit": 0.8}


def given(answer: HeartbeatResponse) -> dict[str, object]:
    updates = answer.instance_config_updates
    return {one.name: json.loads(one.detail) if one.version != DELETED else None for one in updates}


async def test_the_agents_of_a_group_get_its_settings_until_they_have_them(bench: Bench) -> None:
    await bench.group("shop", "web", "10.0.0.1")
    await bench.settings.save(bench.collection.group("shop", "web"), LIMITS, "me")
    answer = bench.beat("a1", ip="10.0.0.1")
    assert given(answer) == {"shop@web": LIMITS}
    assert given(bench.beat("a2", ip="10.0.0.2")) == {}
    held = [ConfigInfo(one.name, one.version) for one in answer.instance_config_updates]
    assert given(bench.beat("a1", ip="10.0.0.1", settings=held)) == {}
    asked = FetchConfigRequest(instance_configs=held)
    assert bench.heartbeats.fetch("a1", asked).instance_config_updates == answer.instance_config_updates
    await bench.settings.save(bench.collection.group("shop", "web"), {"cpu_usage_limit": 0.9}, "me")
    assert given(bench.short_beat("a1")) == {"shop@web": {"cpu_usage_limit": 0.9}}
    await bench.settings.save(bench.collection.group("shop", "web"), {}, "me")
    assert given(bench.beat("a1", ip="10.0.0.1", settings=held)) == {"shop@web": None}


async def test_an_agent_of_several_projects_gets_them_from_none(bench: Bench) -> None:
    await bench.group("shop", "web", "10.0.0.1")
    await bench.settings.save(bench.collection.group("shop", "web"), LIMITS, "me")
    held = [ConfigInfo(one.name, one.version) for one in bench.beat("a1", ip="10.0.0.1").instance_config_updates]
    await bench.project("bank", "a1")
    assert given(bench.beat("a1", ip="10.0.0.1", settings=held)) == {"shop@web": None}


async def test_only_what_a_server_may_give_is_saved_and_all_mistakes_are_told(bench: Bench) -> None:
    await bench.group("shop", "web", "10.0.0.1")
    group = bench.collection.group("shop", "web")
    with pytest.raises(ApiError) as refused:
        await bench.settings.save(group, {"allowed_roots": ["/"], "cpu_usage_limit": -1}, "me")
    assert [word in refused.value.message for word in ("allowed_roots", "cpu_usage_limit")] == [True, True]
    assert bench.settings.of(group).version == 0
    with pytest.raises(ApiError) as unreadable:
        await bench.settings.save(group, {"log_level": "\ud800"}, "me")
    assert unreadable.value.message.encode()


async def test_they_outlive_the_server_and_end_with_their_group(bench: Bench) -> None:
    await bench.group("shop", "web", "10.0.0.1")
    group = bench.collection.group("shop", "web")
    first = await bench.settings.save(group, LIMITS, "me")
    assert await bench.settings.save(group, LIMITS, "you") == first, "the same again makes no version"
    again = InstanceConfigs(bench.transactions, bench.waking)
    await again.open()
    assert again.of(group) == first
    await bench.collection.delete_group("shop", "web")
    with pytest.raises(ApiError) as gone:
        await bench.settings.save(group, {"cpu_usage_limit": 0.9}, "me")
    assert gone.value.error_code == "MachineGroupNotExist"
    after = InstanceConfigs(bench.transactions, bench.waking)
    await after.open()
    assert after.of(group).version == 0


async def test_a_group_with_the_id_of_one_that_is_no_more_has_none_of_its_settings(bench: Bench) -> None:
    await bench.group("shop", "web", "10.0.0.1")
    first = bench.collection.group("shop", "web")
    await bench.settings.save(first, LIMITS, "me")
    await bench.collection.delete_group("shop", "web")
    await bench.group("shop", "web", "10.0.0.1")
    await bench.settings.save(bench.collection.group("shop", "web"), {}, "me")
    assert bench.settings.of(bench.collection.group("shop", "web")).version == 0
    assert given(bench.beat("a1", ip="10.0.0.1")) == {}
    await bench.settings.save(bench.collection.group("shop", "web"), LIMITS, "me")
    bench.collection.project_deleted("shop")
    assert bench.settings.of(first).version == 0


async def test_settings_are_there_although_the_clock_was_set_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.group("shop", "web", "10.0.0.1")
    group = bench.collection.group("shop", "web")
    monkeypatch.setattr("tailrace.server.fleet.instance_configs.time.time", lambda: group.created - 3600.0)
    await bench.settings.save(group, LIMITS, "me")
    assert given(bench.beat("a1", ip="10.0.0.1")) == {"shop@web": LIMITS}

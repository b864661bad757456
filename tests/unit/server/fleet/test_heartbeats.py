"""From saved configs and groups to what each agent is told to run."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from tailrace.server.db.collection import Collection
from tailrace.server.fleet.membership import Unresolved
from tailrace.server.fleet.waking import PORTION
from tailrace.wire.control import (
    DELETED,
    ConfigInfo,
    FetchConfigRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestFlag,
    ResponseFlag,
)
from tests.unit.server.fleet.parts import CLASSIC, PIPELINE, Bench


def names(answer: HeartbeatResponse) -> list[str]:
    assert answer.common_response.status == 0
    return [update.name for update in answer.continuous_pipeline_config_updates]


def held(answer: HeartbeatResponse) -> list[ConfigInfo]:
    return [ConfigInfo(update.name, update.version) for update in answer.continuous_pipeline_config_updates]


async def test_an_agent_gets_the_configs_of_the_groups_that_it_belongs_to(bench: Bench) -> None:
    await bench.group("shop", "by-ip", "10.0.0.1")
    await bench.group("shop", "by-id", "web", by="userdefined")
    await bench.config("shop", "one", "by-ip")
    await bench.config("shop", "two", "by-id", document=CLASSIC, form="classic")
    await bench.config("shop", "unused")
    assert names(bench.beat("a1", ip="10.0.0.1", ids=("db", "web"))) == ["shop@two", "shop@one"]
    assert names(bench.beat("a2", ip="10.0.0.1")) == ["shop@one"]
    assert names(bench.beat("a2", ip="10.0.0.2", ids=("10.0.0.1",))) == []


async def test_what_it_runs_already_is_not_sent_again_and_what_it_shall_not_run_is_deleted(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    runs = held(bench.beat("a1", ip="10.0.0.1"))
    assert names(bench.beat("a1", ip="10.0.0.1", held=runs)) == []
    await bench.collection.change_config("shop", "one", CLASSIC, "key")
    (update,) = bench.beat("a1", ip="10.0.0.1", held=runs).continuous_pipeline_config_updates
    assert (update.name, update.extra["config_version"]) == ("shop@one", b"2")
    assert update.version != runs[0].version
    await bench.collection.remove("shop", "all", "one")
    (gone,) = bench.beat("a1", ip="10.0.0.1", held=runs).continuous_pipeline_config_updates
    assert (gone.name, gone.version, gone.detail) == ("shop@one", DELETED, b"")


async def test_a_pipeline_arrives_with_the_server_the_project_and_the_groups_topic_in_it(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1", topic="payments")
    await bench.config("shop", "one", "all", document={**PIPELINE, "global": {"TopicType": "machine_group_topic"}})
    (update,) = bench.beat("a1", ip="10.0.0.1").continuous_pipeline_config_updates
    for part in (b'"Endpoint":"https://logs.example:9481"', b'"Project":"shop"', b'"TopicFormat":"payments"', b'"configName":"shop@one"'):
        assert part in update.detail


async def test_a_label_is_worth_nothing_without_a_grant_for_the_project(bench: Bench) -> None:
    await bench.project("bank", "b1")
    await bench.group("bank", "all", "10.0.0.1")
    await bench.config("bank", "one", "all")
    assert names(bench.beat("a1", ip="10.0.0.1")) == []
    assert names(bench.beat("b1", ip="10.0.0.1")) == ["bank@one"]
    group = bench.collection.group("bank", "all")
    assert [report.agent for report in bench.membership.members(group)] == ["b1"]
    await bench.roster.revoke_agent("b1", 5)
    # Nothing is told of the other project's agent, not even that it is there.
    assert bench.membership.unresolved(group) == [Unresolved("10.0.0.1", "b1", "it was revoked")]


async def test_windows_and_linux_are_never_in_one_group(bench: Bench) -> None:
    await bench.group("shop", "all", "web", "gone", by="userdefined")
    await bench.config("shop", "one", "all")
    assert names(bench.beat("a1", ids=("web",), system="linux")) == ["shop@one"]
    assert names(bench.beat("a2", ids=("web",), system="Windows Server 2022")) == []
    group = bench.collection.group("shop", "all")
    assert bench.membership.unresolved(group) == [
        Unresolved("web", "a2", "it runs windows server 2022, the group's agents run linux"),
        Unresolved("gone", "", "no agent has reported this user-defined id"),
    ]
    own, other = bench.reports.get("a1"), bench.reports.get("a2")
    assert own is not None
    assert other is not None
    assert list(bench.membership.kept_out(own)) == []
    assert [(one.name, reason) for one, reason in bench.membership.kept_out(other)] == [
        ("all", "it runs windows server 2022, the group's agents run linux")
    ]


async def test_an_agent_of_another_project_does_not_decide_on_a_groups_system(bench: Bench) -> None:
    await bench.project("bank", "b1")
    await bench.group("shop", "all", "web", by="userdefined")
    await bench.config("shop", "one", "all")
    assert names(bench.beat("b1", ids=("web",), system="windows")) == []
    assert names(bench.beat("a1", ids=("web",), system="linux")) == ["shop@one"]


async def test_a_version_that_no_agent_can_run_leaves_the_one_before_alone_and_a_disabled_one_does_not(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    runs = held(bench.beat("a1", ip="10.0.0.1"))
    await bench.collection.change_config("shop", "one", {**PIPELINE, "inputs": [{"Type": "service_canal"}]}, "key")
    assert names(bench.beat("a1", ip="10.0.0.1", held=runs)) == []
    await bench.collection.change_config("shop", "one", {**PIPELINE, "enable": False}, "key")
    assert [one.version for one in bench.beat("a1", ip="10.0.0.1", held=runs).continuous_pipeline_config_updates] == [DELETED]
    assert names(bench.beat("a1", ip="10.0.0.1")) == []


async def test_a_short_beat_says_that_nothing_changed(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    bench.beat("a1", ip="10.0.0.1")
    await bench.config("shop", "one", "all")
    bench.now = 1010.0
    assert names(bench.short_beat("a1")) == ["shop@one"]
    report = bench.reports.get("a1")
    assert report is not None
    assert (report.first_beat, report.last_beat, report.address) == (1000, 1010, "10.0.0.1")


@pytest.mark.parametrize("skip", [0, 2], ids=["replayed", "lost"])
async def test_after_a_beat_that_was_lost_or_sent_again_the_full_state_is_asked_for(bench: Bench, skip: int) -> None:
    bench.beat("a1", ip="10.0.0.1")
    assert bench.short_beat("a1", skip=skip).flags == ResponseFlag.REPORT_FULL_STATE
    bench.beat("a1", ip="10.0.0.1")
    assert bench.short_beat("a1").flags == 0


async def test_an_agent_that_the_server_does_not_remember_is_asked_for_its_full_state(bench: Bench) -> None:
    bench.sequences["a1"] = 7
    answer = bench.short_beat("a1")
    assert (answer.flags, answer.continuous_pipeline_config_updates) == (ResponseFlag.REPORT_FULL_STATE, [])


async def test_nobody_beats_in_anothers_name(bench: Bench) -> None:
    answer = bench.heartbeats.answer("a1", HeartbeatRequest(instance_id=b"a2", flags=RequestFlag.FULL_STATE))
    assert answer.common_response.status == 400
    assert bench.reports.get("a2") is None


async def test_details_that_are_too_large_for_one_answer_are_fetched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.server.fleet.heartbeats.MAX_INLINE_BYTES", 100)
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    answer = bench.beat("a1", ip="10.0.0.1")
    (update,) = answer.continuous_pipeline_config_updates
    assert (answer.flags, update.detail) == (ResponseFlag.FETCH_CONTINUOUS, b"")
    asked = FetchConfigRequest(continuous_pipeline_configs=[ConfigInfo(update.name, update.version), ConfigInfo("shop@secret")])
    (fetched,) = bench.heartbeats.fetch("a1", asked).continuous_pipeline_config_updates
    assert (fetched.version, b"flusher_sls" in fetched.detail) == (update.version, True)


async def test_what_no_agent_of_this_release_can_run_is_not_delivered(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "later", "all", document={**PIPELINE, "inputs": [{"Type": "service_canal"}]})
    await bench.config("shop", "now", "all")
    assert names(bench.beat("a1", ip="10.0.0.1")) == ["shop@now"]


async def test_everything_is_there_after_a_restart(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1", topic="t")
    await bench.config("shop", "one", "all")
    await bench.collection.change_config("shop", "one", CLASSIC, "other")
    again = Collection(bench.transactions, bench.vault)
    await again.open()
    for get in (Collection.configs, Collection.groups):
        assert get(again, "shop") == get(bench.collection, "shop")
    assert [config.name for config in again.configs_of(again.group("shop", "all"))] == ["one"]
    versions = await again.config_versions("shop", "one")
    assert [(one.version, one.author, one.document) for one in versions] == [(2, "other", CLASSIC), (1, "key", PIPELINE)]


async def test_saving_the_same_again_makes_no_version(bench: Bench) -> None:
    await bench.config("shop", "one")
    before = bench.waking.state(["shop"])
    assert (await bench.collection.change_config("shop", "one", dict(PIPELINE), "key")).version == 1
    assert bench.waking.state(["shop"]) == before


async def test_who_waits_is_woken_by_a_change_in_one_of_its_projects_only(bench: Bench) -> None:
    await bench.project("bank")
    shop, bank = bench.waking.state(["shop"]), bench.waking.state(["bank"])
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    assert await bench.waking.wait(["shop"], shop, 60) != shop
    assert await bench.waking.wait(["bank"], bank, 0.01) == bank


async def test_a_beat_to_which_there_is_nothing_to_say_is_answered_when_there_is_something(bench: Bench) -> None:
    await bench.project("bank")
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    runs = held(bench.beat("a1", ip="10.0.0.1"))
    bench.beat("a1", ip="10.0.0.1", held=runs)
    beat = HeartbeatRequest(sequence_num=bench.reports.get("a1").sequence + 1, instance_id=b"a1")
    waiting = asyncio.create_task(bench.heartbeats.held("a1", beat, 3600))
    await bench.config("shop", "another")
    await bench.config("bank", "elsewhere")
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done(), "what does not concern it says nothing to it"
    await bench.collection.change_config("shop", "one", CLASSIC, "key")
    (update,) = (await waiting).continuous_pipeline_config_updates
    assert (update.name, update.extra["config_version"]) == ("shop@one", b"2")


async def test_a_held_beat_is_answered_at_once_where_there_is_something_to_say_and_after_its_time_where_there_is_not(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    bench.beat("a1", ip="10.0.0.1")
    beat = HeartbeatRequest(sequence_num=bench.reports.get("a1").sequence + 1, instance_id=b"a1")
    assert names(await bench.heartbeats.held("a1", beat, 3600)) == ["shop@one"]
    unknown = await bench.heartbeats.held("a2", HeartbeatRequest(sequence_num=7, instance_id=b"a2"), 3600)
    assert unknown.flags == ResponseFlag.REPORT_FULL_STATE
    bench.beat("a2", ip="10.0.0.2")
    beat = HeartbeatRequest(sequence_num=bench.reports.get("a2").sequence + 1, instance_id=b"a2")
    assert names(await bench.heartbeats.held("a2", beat, 0.01)) == []


async def test_whom_a_change_concerns_are_woken_in_portions_and_the_loop_goes_on_between_them(bench: Bench) -> None:
    since, woken = bench.waking.state(["shop"]), 0

    async def wait() -> None:
        nonlocal woken
        await bench.waking.wait(["shop"], since, 3600)
        woken += 1

    waiting = [asyncio.create_task(wait()) for _ in range(10 * PORTION)]
    await asyncio.sleep(0)
    bench.waking.changed("shop")
    bench.waking.changed("shop")  # who is due already is not woken twice
    turns = [0]
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0)
        turns.append(woken)
    assert woken == 10 * PORTION
    assert max(after - before for before, after in pairwise(turns)) == PORTION


async def test_who_does_not_wait_any_more_is_not_woken(bench: Bench) -> None:
    since = bench.waking.state(["shop"])
    waiting = [asyncio.create_task(bench.waking.wait(["shop"], since, 3600)) for _ in range(3 * PORTION)]
    await asyncio.sleep(0)
    bench.waking.changed("shop")
    for task in waiting[: 2 * PORTION]:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert ended[2 * PORTION :] == [bench.waking.state(["shop"])] * PORTION


async def revoked(bench: Bench) -> None:
    await bench.roster.revoke_agent("a1", 5)


async def taken_over(bench: Bench) -> None:
    await bench.roster.change_agent(replace(bench.roster.known_agent("a1"), boot_id="another start"))


@pytest.mark.parametrize("happens", [revoked, taken_over])
async def test_a_held_beat_tells_an_agent_that_may_not_ask_any_more_nothing(
    bench: Bench, happens: Callable[[Bench], Awaitable[None]]
) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    runs = held(bench.beat("a1", ip="10.0.0.1", boot_id="b1"))
    bench.beat("a1", ip="10.0.0.1", held=runs, boot_id="b1")
    beat = HeartbeatRequest(sequence_num=bench.reports.get("a1").sequence + 1, instance_id=b"a1")
    waiting = asyncio.create_task(bench.heartbeats.held("a1", beat, 3600))
    await asyncio.sleep(0)
    await happens(bench)
    await bench.collection.remove("shop", "all", "one")
    assert names(await waiting) == [], "nothing is deleted in its name"


@pytest.mark.parametrize(
    ("named", "said"),
    [("2001:DB8::1", "2001:db8:0:0::1"), ("fe80::0A", "fe80::a"), ("::ffff:10.0.0.1", "10.0.0.1"), ("10.0.0.1", "::FFFF:10.0.0.1")],
)
async def test_an_address_is_the_same_however_it_is_written(bench: Bench, named: str, said: str) -> None:
    await bench.group("shop", "all", named)
    await bench.config("shop", "one", "all")
    assert names(bench.beat("a1", ip=said)) == ["shop@one"]
    group = bench.collection.group("shop", "all")
    assert [report.agent for report in bench.membership.members(group)] == ["a1"]
    assert bench.membership.unresolved(group) == []

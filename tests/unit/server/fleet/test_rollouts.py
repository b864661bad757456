"""A version goes out in stages, stops where it fails, and goes on after the server was killed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tailrace.errors import ApiError, BusyError
from tailrace.server.db.records import Config
from tailrace.server.fleet import rollouts
from tailrace.server.fleet.rollout import Rollout
from tailrace.server.fleet.rollouts import Plan, Rollouts
from tailrace.wire.control import ConfigInfo, ConfigStatus
from tests.unit.server.fleet.parts import PIPELINE, Bench

NAME = "shop@one"
NEXT = {**PIPELINE, "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/*.log"], "MaxDirSearchDepth": 3}]}
OTHER = {**NEXT, "inputs": [{**NEXT["inputs"][0], "MaxDirSearchDepth": 7}]}
AGENTS = tuple(f"a{number:02d}" for number in range(20))


class Fleet:
    """Twenty agents that run at once whatever they are given, but for those that cannot."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.broken, self.away, self.lag = bench, set[str](), set[str](), dict[str, int]()
        self.old = 0
        self.held: dict[str, ConfigInfo] = {}

    async def begin(self, *stages: str, **options: int) -> int:
        bench = self.bench
        await bench.project("fleet", *AGENTS)
        await bench.group("shop", "all", "10.0.0.1")
        for agent in AGENTS:
            await bench.join(agent, "shop")
        await bench.config("shop", "one", "all")
        self.beat()
        (self.old,) = {info.version for info in self.held.values()}
        plan = Plan(stages, **{"soak_secs": 60, **options})
        return (await bench.rollouts.begin(bench.projects["shop"], "one", NEXT, "key", plan)).id

    def beat(self) -> None:
        for agent in AGENTS:
            if agent in self.away:
                continue
            held = [self.held[agent]] if agent in self.held else []
            answer = self.bench.beat(agent, ip="10.0.0.1", held=held, lag_bytes=self.lag.get(agent, 0))
            for update in answer.continuous_pipeline_config_updates:
                fails = agent in self.broken and b'"MaxDirSearchDepth":3' in update.detail
                status, message = (ConfigStatus.FAILED, "no such user") if fails else (ConfigStatus.APPLIED, "")
                self.held[agent] = ConfigInfo(NAME, update.version, status, message)

    async def pass_(self, seconds: float) -> None:
        """Time goes by; agents beat every 10 s."""
        until = self.bench.now + seconds
        while self.bench.now < until:
            self.bench.now += 10
            self.beat()
            await self.bench.rollouts.look()

    @property
    def new(self) -> set[str]:
        """Agents that have been given the new version."""
        return {agent for agent, info in self.held.items() if info.version != self.old}

    def state(self, id_: int) -> tuple[str, int]:
        rollout = self.bench.rollouts.get("shop", id_)
        return rollout.state, rollout.stage


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    return Fleet(bench)


async def test_each_stage_waits_until_the_one_before_has_run_well_for_a_while(fleet: Fleet) -> None:
    id_ = await fleet.begin("1", "25%", "50%")
    assert (fleet.new, fleet.state(id_)) == (set(), ("running", 0))
    await fleet.pass_(60)
    assert (len(fleet.new), fleet.state(id_)) == (1, ("running", 0))
    first = fleet.new
    for stage, count in ((1, 5), (2, 10), (3, 20)):
        await fleet.pass_(80)
        assert (len(fleet.new), fleet.state(id_)[1]) == (count, stage)
        assert first <= fleet.new
    await fleet.pass_(100)
    assert fleet.state(id_) == ("done", 3)


async def test_a_bad_version_stops_at_the_first_stage_and_the_rest_keep_the_one_before(fleet: Fleet) -> None:
    fleet.broken = set(AGENTS)
    id_ = await fleet.begin("2", "50%")
    await fleet.pass_(600)
    assert (len(fleet.new), fleet.state(id_)) == (2, ("stopped", 0))
    assert fleet.bench.rollouts.get("shop", id_).reason.startswith("2 agents cannot run it: `a")
    assert fleet.bench.rollouts.get("shop", id_).reason.endswith("no such user")
    await fleet.bench.rollouts.roll_back("shop", id_, "key")
    fleet.broken = set()
    await fleet.pass_(20)
    assert (fleet.new, fleet.state(id_)[0]) == (set(), "rolled back")


async def test_so_many_failures_as_are_allowed_do_not_stop_it(fleet: Fleet) -> None:
    fleet.broken = {"a03", "a04"}
    id_ = await fleet.begin("100%", max_failures=2)
    await fleet.pass_(100)
    assert fleet.state(id_) == ("done", 0)


async def test_lag_that_grows_with_the_version_stops_it_and_lag_from_before_does_not(fleet: Fleet) -> None:
    fleet.lag = dict.fromkeys(AGENTS, 50 * 1_048_576)
    id_ = await fleet.begin("1", max_lag_bytes=10 * 1_048_576)
    await fleet.pass_(30)
    assert fleet.state(id_)[0] == "running"
    (agent,) = fleet.bench.rollouts.get("shop", id_).admitted
    fleet.lag[agent] += 11 * 1_048_576
    await fleet.pass_(10)
    assert fleet.state(id_)[0] == "stopped"
    assert fleet.bench.rollouts.get("shop", id_).reason == f"agent `{agent}` falls behind with it: by 11 MB"


async def test_silent_agents_do_not_hold_it_up(fleet: Fleet) -> None:
    id_ = await fleet.begin("100%")
    fleet.away = {"a07"}
    await fleet.pass_(150)
    assert (fleet.state(id_)[0], len(fleet.new)) == ("done", 19)


async def test_a_paused_one_waits_and_a_resumed_one_goes_on(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    await fleet.bench.rollouts.pause("shop", id_)
    await fleet.pass_(300)
    assert (len(fleet.new), fleet.state(id_)) == (1, ("paused", 0))
    with pytest.raises(ApiError, match="is paused, not running"):
        await fleet.bench.rollouts.pause("shop", id_)
    await fleet.bench.rollouts.resume("shop", id_)
    await fleet.pass_(300)
    assert (len(fleet.new), fleet.state(id_)[0]) == (20, "done")


async def test_a_stopped_one_that_is_resumed_puts_up_with_what_failed(fleet: Fleet) -> None:
    fleet.broken = set(AGENTS)
    id_ = await fleet.begin("1", "5")
    await fleet.pass_(30)
    assert fleet.state(id_)[0] == "stopped"
    fleet.broken = set()
    await fleet.bench.rollouts.resume("shop", id_)
    await fleet.pass_(400)
    assert fleet.state(id_)[0] == "done"


async def test_a_server_that_was_killed_in_the_middle_goes_on_with_the_same_agents(fleet: Fleet) -> None:
    id_ = await fleet.begin("1", "25%")
    await fleet.pass_(100)
    before, had = fleet.bench.rollouts.get("shop", id_), fleet.new
    assert (len(had), before.stage) == (5, 1)
    bench = fleet.bench
    again = Rollouts(bench.transactions, bench.collection, bench.reports, bench.membership, bench.waking, clock=lambda: bench.now)
    await again.open()
    bench.take(again)
    assert again.get("shop", id_) == before
    fleet.beat()
    assert fleet.new == had
    await fleet.pass_(300)
    assert (fleet.state(id_)[0], len(fleet.new)) == ("done", 20)


async def test_a_server_that_was_killed_before_the_version_was_saved_forgets_the_rollout(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    bench, rollout = fleet.bench, fleet.bench.rollouts.get("shop", 1)
    await bench.collection.change_config("shop", "one", PIPELINE, "key")
    again = Rollouts(bench.transactions, bench.collection, bench.reports, bench.membership, bench.waking)
    await again.open()
    assert again.get("shop", id_).state == "superseded"
    assert again.version_for(bench.collection.config("shop", "one"), "a19") == bench.collection.config("shop", "one")
    assert rollout.version == 2


async def test_whoever_changes_the_config_meanwhile_overrules_it(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    await fleet.pass_(10)
    await fleet.bench.collection.change_config("shop", "one", OTHER, "key")
    await fleet.pass_(20)
    assert (fleet.state(id_)[0], len(fleet.new)) == ("superseded", 20)


async def test_there_is_one_at_a_time_and_stages_are_checked(fleet: Fleet) -> None:
    await fleet.begin("1")
    bench = fleet.bench
    with pytest.raises(ApiError, match="is not over"):
        await bench.rollouts.begin(bench.projects["shop"], "one", NEXT, "key", Plan(("1",)))
    for stages in ((), ("0",), ("5 %",), ("1",) * 21):
        with pytest.raises(ApiError, match="stages are"):
            await bench.rollouts.begin(bench.projects["shop"], "one", NEXT, "key", Plan(stages))


async def test_what_the_config_is_already_goes_nowhere(fleet: Fleet) -> None:
    await fleet.begin("1")
    await fleet.pass_(400)
    bench = fleet.bench
    same = await bench.rollouts.begin(bench.projects["shop"], "one", NEXT, "key", Plan(("1",)))
    assert (same.state, bench.collection.config("shop", "one").version) == ("superseded", 2)


async def test_nobody_gets_a_bad_version_while_it_is_rolled_back(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.broken = set(AGENTS)
    id_ = await fleet.begin("2", "50%")
    await fleet.pass_(60)
    had, bench, changed = set(fleet.new), fleet.bench, fleet.bench.waking.changed
    seen: list[set[str]] = []

    def beat_at_once(project: str) -> None:
        changed(project)
        fleet.beat()
        seen.append(set(fleet.new))

    monkeypatch.setattr(bench.waking, "changed", beat_at_once)
    await bench.rollouts.roll_back("shop", id_, "key")
    assert len(had) == 2
    assert seen
    assert all(new <= had for new in seen)


async def test_a_roll_back_that_cannot_be_saved_changes_nothing(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.broken = set(AGENTS)
    id_ = await fleet.begin("2", "50%")
    await fleet.pass_(60)
    with monkeypatch.context() as full:
        full.setattr(fleet.bench.collection, "change_config", _full)
        with pytest.raises(BusyError):
            await fleet.bench.rollouts.roll_back("shop", id_, "key")
    await fleet.pass_(60)
    assert (len(fleet.new), fleet.state(id_)) == (2, ("stopped", 0))


async def test_a_rollout_whose_version_cannot_be_saved_ends_at_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.begin("1")
    await fleet.pass_(400)
    bench = fleet.bench
    with monkeypatch.context() as full:
        full.setattr(bench.collection, "change_config", _full)
        full.setattr(bench.rollouts, "_run", _second(bench.rollouts._run))
        with pytest.raises(BusyError):
            await bench.rollouts.begin(bench.projects["shop"], "one", OTHER, "key", Plan(("1",)))
    saved = await bench.collection.change_config("shop", "one", OTHER, "key")
    assert all(bench.rollouts.version_for(saved, agent) == saved for agent in AGENTS)
    await bench.rollouts.look()
    again = Rollouts(bench.transactions, bench.collection, bench.reports, bench.membership, bench.waking)
    await again.open()
    assert again.of("shop")[0].state == "superseded"


async def test_whoever_saves_while_a_rollout_begins_goes_first(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.begin("1")
    await fleet.pass_(400)
    bench, save = fleet.bench, fleet.bench.collection.change_config

    async def overtaken(project: str, name: str, document: dict, author: str, **options: Any) -> Config:
        await save(project, name, OTHER, "another")
        return await save(project, name, document, author, **options)

    monkeypatch.setattr(bench.collection, "change_config", overtaken)
    with pytest.raises(ApiError, match="was changed meanwhile") as refused:
        await bench.rollouts.begin(bench.projects["shop"], "one", PIPELINE, "key", Plan(("1",)))
    assert (refused.value.status, refused.value.error_code) == (409, "ConfigChanged")
    assert bench.collection.config("shop", "one").document == OTHER
    assert bench.rollouts.of("shop")[0].state == "superseded"


async def test_rollouts_go_on_after_the_database_was_away(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.begin("1")
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise BusyError("the disk is full")
        raise OperationalError("update", {}, ValueError("locked"))

    monkeypatch.setattr(rollouts, "LOOK_SECS", 0.001)
    monkeypatch.setattr(fleet.bench.rollouts, "look", look)
    async with fleet.bench.rollouts.running(), asyncio.timeout(30):
        while looks < 3:
            await asyncio.sleep(0.001)
    assert looks >= 3


async def test_a_version_that_is_not_enabled_settles_when_the_agents_have_stopped(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    await fleet.pass_(400)
    off = await fleet.bench.rollouts.begin(fleet.bench.projects["shop"], "one", {**NEXT, "enable": False}, "key", Plan(("100%",), 0))
    assert off.id == id_ + 1
    for agent in AGENTS:
        fleet.bench.beat(agent, ip="10.0.0.1")
    await fleet.bench.rollouts.look()
    assert fleet.state(off.id) == ("done", 0)


async def test_time_in_which_it_was_paused_is_no_time_of_running_well(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    await fleet.pass_(20)
    await fleet.bench.rollouts.pause("shop", id_)
    await fleet.pass_(300)
    await fleet.bench.rollouts.resume("shop", id_)
    await fleet.pass_(20)
    assert (len(fleet.new), fleet.state(id_)) == (1, ("running", 0))


async def test_a_server_that_was_killed_before_the_first_agents_were_chosen_chooses_them(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(rollout: Rollout) -> Rollout:
        return rollout

    with monkeypatch.context() as death:
        death.setattr(fleet.bench.rollouts, "_admit", killed)
        id_ = await fleet.begin("1", "50%", soak_secs=0)
    bench = fleet.bench
    again = Rollouts(bench.transactions, bench.collection, bench.reports, bench.membership, bench.waking, clock=lambda: bench.now)
    await again.open()
    bench.take(again)
    await again.look()
    assert (fleet.state(id_), len(again.get("shop", id_).admitted)) == (("running", 0), 1)


async def test_an_agent_that_falls_silent_with_the_version_has_failed_unless_its_machine_comes_and_goes(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    (agent,) = fleet.bench.rollouts.get("shop", id_).admitted
    fleet.beat()  # in the same second
    fleet.away = {agent}
    await fleet.pass_(50)
    assert fleet.state(id_) == ("stopped", 0)
    assert fleet.bench.rollouts.get("shop", id_).reason == f"an agent cannot run it: `{agent}`: it has been silent since it got the version"
    fleet.away = set()
    fleet.bench.beat(agent, ip="10.0.0.1", held=[fleet.held[agent]], ephemeral=True)
    fleet.away = {agent}
    await fleet.bench.rollouts.resume("shop", id_)
    await fleet.pass_(50)
    progress = await fleet.bench.rollouts.progress(fleet.bench.rollouts.get("shop", id_))
    assert [one.outcome for one in progress if one.agent == agent] == ["silent"]


async def test_a_project_that_was_deleted_takes_its_rollouts_along(fleet: Fleet) -> None:
    id_ = await fleet.begin("1")
    fleet.bench.collection.project_deleted("shop")
    fleet.bench.rollouts.project_deleted("shop")
    await fleet.bench.rollouts.look()
    assert fleet.bench.rollouts.of("shop") == []
    with pytest.raises(ApiError, match=f"no rollout {id_}"):
        fleet.bench.rollouts.get("shop", id_)


async def _full(*_arguments: object, **_options: object) -> Config:
    raise BusyError("the metadata cannot be written: the disk is full")


def _second(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The first statement is done; for the next ones the disk is full."""
    done: list[object] = []

    async def once(*arguments: object) -> Any:
        if done:
            raise BusyError("the disk is full")
        done.append(arguments)
        return await run(*arguments)

    return once

"""How an agent is: one status at a time, through silence, retirement, a restart of the server and a copied disk."""

from dataclasses import asdict, replace

import pytest

from tailrace.errors import BusyError
from tailrace.server.fleet.keeping import ReportKeeper
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.roll import Filter
from tailrace.server.fleet.status import EPHEMERAL_RETIRE_SECS, LAG_BYTES, RETIRE_SECS, SILENT_SECS, Status
from tailrace.wire.control import ConfigInfo, ConfigStatus, ResponseFlag
from tailrace.wire.vitals import MAX_ALARMS, MAX_TEXT, VitalAlarm, Vitals, decode, encode
from tests.unit.server.fleet.parts import Bench

APPLIED, APPLYING = ConfigInfo("shop@one", 7, ConfigStatus.APPLIED), ConfigInfo("shop@one", 8, ConfigStatus.APPLYING)
FAILED = ConfigInfo("shop@two", 9, ConfigStatus.FAILED, "no such user")


def status(bench: Bench, agent: str = "a1") -> tuple[str, str, int]:
    one = bench.roll.entry(bench.roster.known_agent(agent), "shop").standing
    return one.status.value, one.reason, one.since


@pytest.mark.parametrize(
    ("held", "vitals", "expected"),
    [
        ((), {}, ("healthy", "")),
        ((APPLIED,), {"state": "ok"}, ("healthy", "")),
        ((APPLIED,), {"state": "degraded", "trouble": "the disk is full"}, ("degraded", "the disk is full")),
        ((APPLYING,), {"state": "degraded"}, ("applying", "shop@one")),
        ((APPLYING, FAILED), {}, ("failed to apply", "shop@two: no such user")),
        ((FAILED,), {"lag_bytes": 5 * LAG_BYTES}, ("lagging", "320 MB are written and not read")),
        ((), {"waiting_secs": 7000}, ("lagging", "what was read has waited 117 min for its delivery")),
    ],
)
async def test_the_worst_that_holds_is_the_status(bench: Bench, held: tuple[ConfigInfo, ...], vitals: dict, expected: tuple) -> None:
    bench.beat("a1", held=held, **vitals)
    assert status(bench)[:2] == expected


async def test_it_says_since_when_and_only_a_change_of_status_begins_anew(bench: Bench) -> None:
    assert status(bench) == ("new", "it has not reported yet", 0)
    bench.beat("a1")
    bench.now = 1010.0
    bench.beat("a1", state="degraded", trouble="one")
    bench.now = 1020.0
    bench.beat("a1", state="degraded", trouble="two")
    assert status(bench) == ("degraded", "two", 1010)


async def test_silence_is_noticed_and_ends_with_a_beat(bench: Bench) -> None:
    bench.beat("a1")
    bench.now += SILENT_SECS + 1
    assert status(bench) == ("silent", "no heartbeat for 36 s", 1000)
    bench.beat("a1")
    assert status(bench)[0] == "healthy"


@pytest.mark.parametrize(("ephemeral", "secs"), [(False, RETIRE_SECS), (True, EPHEMERAL_RETIRE_SECS)])
async def test_a_silent_agent_retires_leaves_its_groups_and_comes_back_as_the_same(bench: Bench, ephemeral: bool, secs: int) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    bench.beat("a1", ip="10.0.0.1", ephemeral=ephemeral)
    bench.now += secs - 1
    assert bench.reports.retire() == []
    bench.now += 2
    assert bench.reports.retire() == ["a1"]
    assert (status(bench)[0], bench.membership.members(bench.collection.group("shop", "all"))) == ("retired", [])
    assert bench.short_beat("a1").flags == ResponseFlag.REPORT_FULL_STATE
    bench.beat("a1", ip="10.0.0.1")
    assert [one.agent for one in bench.membership.members(bench.collection.group("shop", "all"))] == ["a1"]
    assert [(one.agent.id, one.standing.status) for one in bench.roll.entries("shop")] == [("a1", Status.HEALTHY), ("a2", Status.NEW)]


async def test_a_server_that_starts_again_knows_its_agents_and_asks_none_of_them_twice(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    alarm = VitalAlarm("SEND_DATA_FAIL_ALARM", "cannot send", 3, 990)
    bench.beat("a1", ip="10.0.0.1", ids=("web",), held=(APPLIED, FAILED), boot_id="b1", state="ok", alarms=[alarm])
    bench.beat("a2")
    keeper = ReportKeeper(bench.transactions, bench.reports, bench.roster)
    await keeper.save(beats=True)
    bench.short_beat("a1")
    await keeper.save(beats=True)
    bench.reports.forget("a2")
    await keeper.save(beats=False)
    again = Reports(lambda: bench.now)
    await ReportKeeper(bench.transactions, again, bench.roster).open()
    kept = bench.reports.get("a1")
    assert kept is not None
    assert list(again) == [replace(kept, sequence=0)]
    assert [one.agent for one in again.carriers("web", by_address=False)] == ["a1"]


async def test_silence_counts_only_while_the_server_listens(bench: Bench) -> None:
    bench.beat("a1")
    await ReportKeeper(bench.transactions, bench.reports, bench.roster).save(beats=True)
    bench.now += 3600
    again = Reports(lambda: bench.now)
    await ReportKeeper(bench.transactions, again, bench.roster).open()
    (report,) = again
    assert again.standing(report).status is Status.HEALTHY
    bench.now += SILENT_SECS + 1
    assert again.standing(report).status is Status.SILENT


async def test_reports_that_cannot_be_kept_for_now_are_kept_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_arguments: object) -> None:
        raise BusyError("the disk is full")

    keeper = ReportKeeper(bench.transactions, bench.reports, bench.roster)
    bench.beat("a1")
    with monkeypatch.context() as disk:
        disk.setattr(keeper, "_run", full)
        async with keeper.running():
            pass
    assert bench.reports.unsaved == {"a1"}
    await keeper.save(beats=False)
    again = Reports(lambda: bench.now)
    await ReportKeeper(bench.transactions, again, bench.roster).open()
    assert [one.agent for one in again] == ["a1"]


async def test_half_of_a_surrogate_pair_is_no_text(bench: Bench) -> None:
    vitals = decode(b'{"trouble": "a\\ud800b", "alarms": [{"kind": "\\udfff"}]}')
    assert (vitals.trouble, vitals.alarms) == ("a?b", [VitalAlarm("?", count=0)])
    bench.beat("a1")
    (report,) = bench.reports
    stored = {**report.document(), "reason": "a\ud800b", "vitals": {**asdict(Vitals()), "trouble": "\ud800"}}
    kept = Report.of(stored)
    assert (kept.reason, kept.vitals.trouble) == ("a?b", "?")


async def test_what_another_release_kept_is_forgotten(bench: Bench) -> None:
    with pytest.raises((KeyError, TypeError)):
        Report.of({"agent": "a1", "colour": "red"})


async def test_a_copied_disk_is_noticed_refused_and_shown(bench: Bench) -> None:
    await bench.group("shop", "all", "10.0.0.1")
    await bench.config("shop", "one", "all")
    await bench.roster.change_agent(replace(bench.roster.known_agent("a1"), boot_id="b1"))
    bench.beat("a1", ip="10.0.0.1", boot_id="b1")
    refused = bench.beat("a1", ip="10.9.9.9", boot_id="b2")
    assert (refused.common_response.status, refused.continuous_pipeline_config_updates) == (409, [])
    assert status(bench)[:2] == ("degraded", "another machine claims its id: host-a1 10.9.9.9")
    report = bench.reports.get("a1")
    assert report is not None
    assert report.address == "10.0.0.1"
    bench.now += 61
    bench.beat("a1", ip="10.0.0.1", boot_id="b1")
    assert status(bench)[0] == "healthy"


async def test_what_an_agent_says_is_bounded(bench: Bench) -> None:
    long = "x" * 100_000
    many = [ConfigInfo(f"shop@{number}", 1, ConfigStatus.FAILED, long) for number in range(5000)]
    bench.beat("a1", ids=tuple(str(number) for number in range(5000)), held=many, trouble="y" * 900)
    report = bench.reports.get("a1")
    assert report is not None
    assert (len(report.user_defined_ids), len(report.continuous)) == (100, 1000)
    assert {len(info.message) for info in report.continuous.values()} == {1024}
    assert len(report.vitals.trouble) == MAX_TEXT


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"state": 7, "lag_bytes": "x", "alarms": 3}', b"\xff" * 99, b"[" * 20_000])
def test_vitals_that_are_none_say_nothing(said: bytes) -> None:
    assert decode(said) == Vitals()


def test_vitals_survive_the_way() -> None:
    vitals = Vitals("b1", "degraded", "full", True, 1, 2, 3, 4, 5, [VitalAlarm("A", "m", 2, 3)] * MAX_ALARMS)
    assert decode(encode(vitals)) == vitals
    assert decode(b'{"lag_bytes": -5, "in_events": 99999999999999999999999}') == Vitals(in_events=(1 << 63) - 1)


async def test_a_project_sees_nothing_of_what_an_agent_does_for_others(bench: Bench) -> None:
    await bench.project("bank", "a1")
    secret = ConfigInfo("bank@gold", 3, ConfigStatus.FAILED, "the vault is empty")
    neutral = ("degraded", "it has trouble that is not of this project alone")
    alarm = VitalAlarm("SEND_DATA_FAIL_ALARM", "cannot send to bank/gold", 3, 990)
    for trouble in ("bank@gold: no room", "sls:h:9481/bank/gold: refused", "sls:h:9481/bank/x: a/shop/b", "server h: away"):
        for held in ((APPLIED, secret), ()):
            bench.beat("a1", held=held, state="degraded", trouble=trouble, alarms=[alarm])
            assert (status(bench)[:2], bench.roll.entry(bench.roster.known_agent("a1"), "shop").alarms) in [(neutral, []), (neutral, ())]
    for trouble in ("shop@one: no room", "sls:h:9481/shop/app: refused"):
        bench.beat("a1", held=(APPLIED, secret), state="degraded", trouble=trouble)
        assert status(bench)[:2] == ("degraded", trouble)
    bench.beat("a1", held=(APPLIED, secret))
    assert [one.agent.id for one in bench.roll.entries("shop", Filter(config="gold"))] == []


async def test_the_list_is_filtered_by_each_of_the_filters(bench: Bench) -> None:
    await bench.group("shop", "web", "w", by="userdefined")
    bench.beat("a1", ip="10.0.0.1", ids=("w",), held=(APPLIED,))
    for wanted in (
        Filter(group="web"),
        Filter(host="HOST-*1"),
        Filter(ip="10.0.0.1"),
        Filter(user_defined_id="w"),
        Filter(config="one"),
        Filter(status="healthy"),
    ):
        assert [one.agent.id for one in bench.roll.entries("shop", wanted)] == ["a1"], wanted
    assert [one.agent.id for one in bench.roll.entries("shop", Filter(status="new"))] == ["a2"]


async def test_why_a_machine_is_not_in_a_group_or_does_not_collect(bench: Bench) -> None:
    def reason(machine: str, **of: str) -> str:
        return next((one.what for one in bench.roll.why("shop", machine, **of) if not one.ok), "")

    await bench.group("shop", "web", "w", by="userdefined")
    assert reason("10.0.0.1") == "no agent of project `shop` goes by `10.0.0.1`"
    assert reason("a1") == "it has never reported"
    bench.beat("a1", ip="10.0.0.1", ids=("v",))
    assert "it carries `v`, the group names `w`" in reason("10.0.0.1", group="web")
    bench.beat("a1", ip="10.0.0.1", ids=("w",))
    assert reason("10.0.0.1", group="web") == "no config is applied to a group that it belongs to"
    await bench.config("shop", "one", "web")
    assert reason("w") == "config `one` has not reached it yet"
    version = bench.beat("a1", ip="10.0.0.1", ids=("w",)).continuous_pipeline_config_updates[0].version
    bench.beat("a1", ip="10.0.0.1", ids=("w",), held=(ConfigInfo("shop@one", version, ConfigStatus.APPLIED),))
    assert reason("host-a1", config="one", group="web") == ""
    await bench.roster.revoke_agent("a1", 5)
    assert reason("a1", group="web") == "it was revoked"

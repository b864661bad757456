"""What agents are told to do once, and what the server makes of what they say about it."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tailrace.errors import ApiError
from tailrace.server.db.sealing import seal_anew, seal_clear_documents
from tailrace.server.db.tables import CommandResultRow
from tailrace.server.fleet.command import Command, Outcome, State
from tailrace.server.fleet.commands import KEPT_SECS, SILENT_SECS, Commands
from tailrace.server.fleet.keeping import ReportKeeper
from tailrace.server.fleet.management import open_management
from tailrace.wire.control import ConfigInfo, ConfigStatus, HeartbeatResponse
from tests.unit.server.fleet.parts import Bench

RESTART = {"kind": "restart"}
IMPORT = {"kind": "import", "config": "one", "paths": ["/var/log/old"]}


async def give(bench: Bench, *agents: str, secs: int = 100, detail: Any = RESTART, project: str = "shop", others: Any = None) -> Command:
    return await bench.commands.give(project, detail, [Outcome("", agent) for agent in agents], "me", secs, others=others)


def sent(answer: HeartbeatResponse) -> list[str]:
    assert answer.common_response.status == 0
    return [one.name for one in answer.onetime_pipeline_config_updates]


def states(bench: Bench, command: Command) -> dict[str, tuple[str, str]]:
    return {one.agent: (one.state, one.message) for one in bench.commands.outcomes(command)}


def has(command: Command, status: ConfigStatus = ConfigStatus.APPLYING, message: str = "") -> list[ConfigInfo]:
    return [ConfigInfo(command.id, 1, status, message)]


async def test_a_command_is_sent_until_the_agent_has_it_and_to_nobody_else(bench: Bench) -> None:
    bench.beat("a1")
    bench.beat("a2")
    command = await give(bench, "a1")
    assert (sent(bench.short_beat("a1")), sent(bench.short_beat("a2"))) == ([command.id], [])
    assert sent(bench.beat("a1")) == [command.id], "the answer was lost"
    assert sent(bench.beat("a1", commands=has(command))) == []
    assert states(bench, command) == {"a1": ("running", "")}
    assert sent(bench.short_beat("a1")) == []
    bench.beat("a1", commands=has(command, ConfigStatus.APPLIED, "the worker was started anew"))
    assert states(bench, command) == {"a1": ("done", "the worker was started anew")}


async def test_what_an_agent_is_told_names_the_project_and_how_long_it_may_begin(bench: Bench) -> None:
    command = await give(bench, "a1", secs=60)
    bench.now += 20
    (told,) = bench.beat("a1").onetime_pipeline_config_updates
    assert (json.loads(told.detail), told.expire_time, told.extra) == (RESTART, command.expires, {"project": b"shop", "secs_left": b"40"})


async def test_only_who_is_waiting_is_woken(bench: Bench) -> None:
    before = [bench.waking.state([name, "shop"]) for name in ("@a1", "@a2")]
    await give(bench, "a1")
    after = [bench.waking.state([name, "shop"]) for name in ("@a1", "@a2")]
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, False]


async def test_one_that_was_away_gets_it_until_it_expires(bench: Bench) -> None:
    first, second = await give(bench, "a1", secs=100), await give(bench, "a1", secs=10)
    bench.now += 50
    assert sent(bench.beat("a1")) == [first.id]
    bench.commands.expire()
    assert states(bench, second) == {"a1": ("expired", "the agent did not ask in time")}
    bench.now += 51
    assert sent(bench.beat("a1")) == []


async def test_what_an_agent_says_counts_also_after_it_expired(bench: Bench) -> None:
    command = await give(bench, "a1", secs=10)
    bench.beat("a1")
    bench.now += 11
    bench.commands.expire()
    bench.beat("a1", commands=has(command, ConfigStatus.FAILED, "no"))
    assert states(bench, command) == {"a1": ("failed", "no")}
    bench.beat("a1", commands=has(command, ConfigStatus.APPLIED, "yes"))
    assert states(bench, command) == {"a1": ("failed", "no")}, "it has ended, and ends once"


async def test_an_agent_that_has_forgotten_what_it_began_with_has_failed(bench: Bench) -> None:
    command = await give(bench, "a1")
    bench.beat("a1", commands=has(command))
    assert sent(bench.beat("a1")) == []
    assert states(bench, command)["a1"][0] == "failed"
    assert "older state" in states(bench, command)["a1"][1]


async def test_a_cancelled_command_is_not_sent_and_who_has_it_goes_on(bench: Bench) -> None:
    command = await give(bench, "a1", "a2")
    bench.beat("a2", commands=has(command))
    await bench.commands.cancel(command)
    assert sent(bench.beat("a1")) == []
    assert {agent: state for agent, (state, _) in states(bench, command).items()} == {"a1": "cancelled", "a2": "running"}


async def test_all_of_it_outlives_the_server(bench: Bench) -> None:
    waiting, over = await give(bench, "a1"), await give(bench, "a2")
    bench.beat("a2", commands=has(over, ConfigStatus.APPLIED, "fine"))
    await bench.commands.keep_result("a1", waiting.id, b"PK\x03\x04")
    await bench.commands.save()
    again = Commands(bench.transactions, bench.vault, bench.reports, bench.waking, clock=lambda: bench.now)
    await again.open()
    assert [one.id for one in again.of("shop")] == [one.id for one in bench.commands.of("shop")]
    assert again.outcomes(over) == bench.commands.outcomes(over)
    assert [one.name for one in again.due("a1", ["shop"])] == [waiting.id]
    assert again.outcomes(waiting)[0].result_bytes == 4
    assert await again.result(waiting, "a1") == b"PK\x03\x04"


async def test_a_result_lies_encrypted_also_one_that_an_older_release_has_kept(bench: Bench) -> None:
    command = await give(bench, "a1", "a2")
    for agent in ("a1", "a2"):
        await bench.commands.keep_result(agent, command.id, f"lines of {agent}".encode())

    def kept(session: Session) -> dict[str, bytes | None]:
        return {row.agent_id: row.result for row in session.scalars(select(CommandResultRow))}

    def as_before(session: Session) -> None:
        row = session.get_one(CommandResultRow, (command.id, "a2"))
        row.result, row.is_sealed = b"lines of a2", False

    await bench.transactions.run(as_before)
    assert await bench.commands.result(command, "a2") == b"lines of a2"
    assert await bench.transactions.run(seal_clear_documents, bench.vault) == 1
    assert await bench.transactions.run(seal_clear_documents, bench.vault) == 0
    bench.vault.add_master_key()
    await bench.transactions.run(seal_anew, bench.vault)
    bench.vault.forget_old_keys()
    assert not [data for data in (await bench.transactions.run(kept)).values() if data is None or b"lines" in data]
    assert [await bench.commands.result(command, agent) for agent in ("a1", "a2")] == [b"lines of a1", b"lines of a2"]


async def test_who_is_at_it_for_weeks_and_beats_goes_on(bench: Bench) -> None:
    command = await give(bench, "a1", "a2", secs=10)
    for agent in ("a1", "a2"):
        bench.beat(agent, commands=has(command))
    for _ in range(40):
        bench.now += 86_400
        bench.short_beat("a1")
        bench.commands.expire()
        await bench.commands.save()
    assert {agent: state for agent, (state, _) in states(bench, command).items()} == {"a1": "running", "a2": "failed"}
    bench.beat("a1", commands=has(command, ConfigStatus.APPLIED, "fine"))
    assert states(bench, command)["a1"] == ("done", "fine")


async def test_a_result_is_taken_of_those_who_were_asked_and_only_while_they_are_at_it(bench: Bench) -> None:
    command = await give(bench, "a1")
    for agent, code in (("a2", "CommandNotExist"), ("a1", "CommandEnded")):
        if agent == "a1":
            bench.beat("a1", commands=has(command, ConfigStatus.APPLIED))
        with pytest.raises(ApiError) as refused:
            await bench.commands.keep_result(agent, command.id, b"{}")
        assert refused.value.error_code == code


async def test_the_oldest_results_and_commands_make_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.server.fleet.commands.MOST_RESULT_BYTES", 10)
    first, second = await give(bench, "a1"), await give(bench, "a1")
    await bench.commands.keep_result("a1", min(first, second, key=lambda one: (one.created, one.id)).id, b"x" * 6)
    await bench.commands.keep_result("a1", max(first, second, key=lambda one: (one.created, one.id)).id, b"y" * 6)
    assert sorted(one.result_bytes for command in (first, second) for one in bench.commands.outcomes(command)) == [0, 6]

    monkeypatch.setattr("tailrace.server.fleet.commands.MOST_OUTCOMES", 2)
    with pytest.raises(ApiError) as refused:
        await give(bench, "a1")
    assert refused.value.error_code == "CommandQuotaExceed", "those that wait are not given up"
    await bench.commands.cancel(first)
    third = await give(bench, "a1")
    assert {one.id for one in bench.commands.of("shop")} == {second.id, third.id}


async def test_old_ones_are_forgotten_and_those_of_a_deleted_project_at_once(bench: Bench) -> None:
    command = await give(bench, "a1", secs=10)
    bench.now += 11 + KEPT_SECS
    bench.commands.expire()
    await bench.commands.save()
    assert bench.commands.of("shop") == []
    await bench.project("bank", "b1")
    other = await give(bench, "b1", project="bank")
    bench.commands.project_deleted("bank")
    assert sent(bench.beat("b1")) == []
    for project, id_ in (("shop", command.id), ("bank", other.id)):
        with pytest.raises(ApiError):
            bench.commands.get(project, id_)


async def test_a_project_that_is_taken_from_an_agent_commands_it_no_more(bench: Bench) -> None:
    await bench.project("bank", "a1")
    await give(bench, "a1", project="bank")
    await bench.roster.revoke_grant("a1", "bank")
    assert sent(bench.beat("a1")) == []


async def test_what_concerns_a_whole_agent_is_not_done_once_it_works_for_a_project_more(bench: Bench) -> None:
    whole, own = await give(bench, "a1"), await give(bench, "a1", detail=IMPORT)
    await bench.project("bank", "a1")
    known = await give(bench, "a1", others={"a1": ["bank"]})
    assert sorted(sent(bench.beat("a1"))) == sorted([own.id, known.id])
    assert states(bench, whole) == {"a1": ("failed", "the agent has come to work for another project since it was given")}
    await bench.commands.save()
    again = Commands(bench.transactions, bench.vault, bench.reports, bench.waking, clock=lambda: bench.now)
    await again.open()
    assert [again.get("shop", one.id).projects("a1") for one in (whole, known)] == [{"shop"}, {"shop", "bank"}]


async def test_one_answer_holds_the_oldest_as_far_as_they_fit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.server.fleet.commands.MOST_SENT_BYTES", 250)
    given: list[Command] = []
    for _ in range(3):
        given.append(await give(bench, "a1", detail={**IMPORT, "paths": ["/" + "x" * 60]}))
        bench.now += 1
    assert sent(bench.beat("a1")) == [one.id for one in given[:2]]
    assert sent(bench.beat("a1", commands=[*has(given[0]), *has(given[1])])) == [given[2].id]
    larger = await give(bench, "a2", detail={**IMPORT, "paths": ["/" + "x" * 300]})
    assert sent(bench.beat("a2")) == [larger.id], "one that fits into no answer is sent alone"


async def test_what_commands_of_a_project_say_is_bounded_and_their_number_on_an_agent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailrace.server.fleet.commands.MOST_DETAIL_BYTES", 1000)
    first = await give(bench, "a1", detail={**IMPORT, "paths": ["/" + "x" * 500]})
    with pytest.raises(ApiError) as refused:
        await give(bench, "a1", detail={**IMPORT, "paths": ["/" + "y" * 500]})
    assert refused.value.error_code == "CommandQuotaExceed"
    await bench.commands.cancel(first)
    second = await give(bench, "a1", detail={**IMPORT, "paths": ["/" + "y" * 500]})
    assert [one.id for one in bench.commands.of("shop")] == [second.id], "what is over makes room"

    monkeypatch.setattr("tailrace.server.fleet.commands.MOST_OPEN", 1)
    third = await give(bench, "a1", "a2")
    assert states(bench, third) == {"a1": ("failed", "1 commands of the project have not ended on it yet"), "a2": ("waiting", "")}


async def test_what_a_report_says_of_a_command_counts_although_the_server_was_killed_before_it_was_kept(bench: Bench) -> None:
    command = await give(bench, "a1")
    bench.beat("a1", commands=has(command, ConfigStatus.APPLIED, "fine"))
    await ReportKeeper(bench.transactions, bench.reports, bench.roster).save(beats=True)
    parts = bench.transactions, bench.vault, bench.roster, bench.collection, bench.waking
    again = await open_management(*parts, endpoint="https://logs.example:9481")
    assert [(one.state, one.message) for one in again.commands.outcomes(command)] == [("done", "fine")]


async def test_each_ends_at_its_time_however_long_nothing_had_to(bench: Bench) -> None:
    late, early = await give(bench, "a1", secs=100), await give(bench, "a1", secs=10)
    begun = await give(bench, "a2", secs=10)
    bench.beat("a2", commands=has(begun))

    def then(secs: int) -> tuple[State, ...]:
        bench.now += secs
        bench.commands.expire()
        return tuple(bench.commands.outcomes(one)[0].state for one in (early, late, begun))

    assert then(9) == ("waiting", "waiting", "running")
    assert then(1) == ("expired", "waiting", "running")
    soon = await give(bench, "a1", secs=5)
    assert then(5) == ("expired", "waiting", "running")
    assert states(bench, soon)["a1"][0] == "expired"
    assert then(85) == ("expired", "expired", "running")
    assert then(SILENT_SECS) == ("expired", "expired", "failed")

"""Commands to agents: given once, sent to each agent until it says that it has it, never after they expire, kept with what became of them.

The agent remembers what it was told, so that nothing runs twice; what it says counts, whatever is kept here.
"""

import asyncio
import json
import math
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.auth.vault import Vault
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet import command_statements as statements
from tailrace.server.fleet.alongside import alongside
from tailrace.server.fleet.command import ENDED, MAX_MESSAGE, Command, Outcome, State, said
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.waking import Waking
from tailrace.wire.commands import LEFT, PROJECT
from tailrace.wire.control import AgentCapability, CommandDetail

LOOK_SECS: Final = 1.0
KEPT_SECS: Final = 30 * 86_400
"""How long a command is kept after it expired."""
SILENT_SECS: Final = 7 * 86_400
"""An agent that has begun with a command and is not heard of for so long after it expired has not come to its end."""
MOST_OUTCOMES: Final = 100_000
"""Of one project; the oldest commands make room for new ones."""
MOST_DETAIL_BYTES: Final = 64 * 1_048_576
"""What agents are told, of one project: it is kept in memory as long as the command."""
MOST_OPEN: Final = 100
"""Of one project on one agent, which tells how all of them are with each full beat."""
MOST_SENT_BYTES: Final = 1_048_576
"""In one answer; the rest follows when the agent has these."""
MOST_RESULT_BYTES: Final = 268_435_456
"""Of one project; the oldest results make room for new ones."""

log = telemetry.logger("server.commands")


class Commands:
    """One per server. Changing raises ApiError."""

    def __init__(
        self, transactions: Transactions, vault: Vault, reports: Reports, waking: Waking, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._run = transactions.run
        self._vault = vault
        self._reports = reports
        self._waking = waking
        self._clock = clock
        self._all: dict[str, Command] = {}
        self._outcomes: dict[str, dict[str, Outcome]] = {}
        """Command → agent → what became of it."""
        self._open: dict[str, set[str]] = {}
        """Agent → commands that have not ended on it."""
        self._unsaved: set[tuple[str, str]] = set()
        self._sizes: dict[str, int] = {}
        """Command → bytes that it takes in memory, without its outcomes."""
        self._look_at = math.inf
        """Nothing that is open is over before then."""

    async def open(self) -> None:
        known, outcomes = await self._run(statements.commands)
        for command in known:
            self._add(command)
        for one in outcomes:
            self._put(one)

    # --- asking -----------------------------------------------------------------------------------------------------------------
    def of(self, project: str) -> list[Command]:
        """The latest first."""
        found = [one for one in self._all.values() if one.project == project]
        return sorted(found, key=lambda one: (one.created, one.id), reverse=True)

    def get(self, project: str, id_: str) -> Command:
        """ApiError 404 CommandNotExist."""
        found = self._all.get(id_)
        if found is None or found.project != project:
            raise ApiError(404, "CommandNotExist", f"there is no command `{id_}` in project `{project}`")
        return found

    def outcomes(self, command: Command) -> list[Outcome]:
        """By agent."""
        found = self._outcomes[command.id]
        return [found[agent] for agent in sorted(found)]

    def is_for(self, command: Command, agent: str) -> bool:
        return agent in self._outcomes[command.id]

    def states(self, command: Command) -> dict[str, int]:
        """How many agents are how far."""
        return dict(Counter[str](one.state for one in self._outcomes[command.id].values()))

    async def result(self, command: Command, agent: str) -> bytes:
        """ApiError 404 ResultNotExist."""
        found = await self._run(statements.result, self._vault, command.id, agent)
        if found is None:
            raise ApiError(404, "ResultNotExist", f"agent `{agent}` has laid down no result of command `{command.id}`")
        return found

    # --- changing ---------------------------------------------------------------------------------------------------------------
    async def give(
        self,
        project: str,
        detail: Mapping[str, Any],
        agents: Sequence[Outcome],
        author: str,
        secs: int,
        *,
        others: Mapping[str, Sequence[str]] | None = None,
    ) -> Command:
        """`agents`: for whom, with no command's id yet; those that cannot take it have failed already. `others`: `Command.others`."""
        now = int(self._clock())
        command = Command(secrets.token_hex(8), project, detail, author, now, now + secs, others or {})
        outcomes = [replace(self._admitted(one, project), command=command.id, changed=now) for one in agents]
        await self._make_room(project, len(outcomes), _size(command))
        await self._run(statements.insert_command, command, outcomes)
        self._add(command)
        for one in outcomes:
            self._put(one)
            self._waking.agent_changed(one.agent)
        return command

    async def cancel(self, command: Command) -> None:
        """Agents that have it go on with it."""
        waiting = [one for one in self._outcomes[command.id].values() if one.state == "waiting"]
        gone = [replace(one, state="cancelled", changed=int(self._clock())) for one in waiting]
        await self._run(statements.save_outcomes, gone)
        for one in gone:
            if self._outcome(one.command, one.agent).state == "waiting":
                self._put(one)

    async def keep_result(self, agent: str, id_: str, data: bytes) -> None:
        """Durable on return. ApiError 404 CommandNotExist, 409 CommandEnded."""
        command, outcome = self._all.get(id_), self._outcomes.get(id_, {}).get(agent)
        if command is None or outcome is None:
            raise ApiError(404, "CommandNotExist", f"there is no command `{id_}` for agent `{agent}`")
        if outcome.state in ENDED:
            raise ApiError(409, "CommandEnded", f"command `{id_}` has ended on agent `{agent}`")
        await self._make_room_for(command.project, len(data))
        await self._run(statements.put_result, self._vault, id_, agent, data)
        if id_ in self._all:
            self._put(replace(self._outcome(id_, agent), result_bytes=len(data)))

    # --- heartbeats -------------------------------------------------------------------------------------------------------------
    def due(self, agent: str, projects: Iterable[str]) -> list[CommandDetail]:
        """What an agent has not taken yet, the oldest first, as much of it as goes into one answer.

        What concerns the agent as a whole was allowed for the projects that it worked for then; when there are others now it has failed.
        """
        now, theirs = self._clock(), set(projects)
        found = [self._all[id_] for id_ in self._open.get(agent, ()) if self._outcome(id_, agent).state == "waiting"]
        found = [one for one in found if one.expires > now and one.project in theirs]
        due, held = list[CommandDetail](), 0
        for one in sorted(found, key=lambda one: (one.created, one.id)):
            if one.is_whole and theirs - one.projects(agent):
                self._move(self._outcome(one.id, agent), "failed", "the agent has come to work for another project since it was given")
                continue
            sent = _sent(one, now)
            held += len(sent.detail)
            if due and held > MOST_SENT_BYTES:
                break
            due.append(sent)
        return due

    def heard(self, report: Report) -> None:
        """What an agent says, in full, of the commands that it has; what it does not speak of any more has come to nothing."""
        self.recall(report)
        for id_ in list(self._open.get(report.agent, ())):
            outcome = self._outcome(id_, report.agent)
            if outcome.state == "running" and id_ not in report.onetime:
                self._move(outcome, "failed", "the agent does not know it any more: its home is another one, or an older state of it")

    def recall(self, report: Report) -> None:
        """What a report says of commands; one that was kept may say more than what was kept of the commands."""
        for id_, info in report.onetime.items():
            if id_ in self._all and report.agent in self._outcomes[id_]:
                self._move(self._outcome(id_, report.agent), *said(info))

    def forget_agent(self, agent: str) -> None:
        """It was purged."""
        for id_ in list(self._open.get(agent, ())):
            self._move(self._outcome(id_, agent), "failed", "the agent was forgotten")

    def project_deleted(self, project: str) -> None:
        """The catalog has deleted it in the database, and with it its commands."""
        self._drop([one.id for one in self._all.values() if one.project == project])

    # --- going on ---------------------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Within it commands expire, and what agents say of them is kept; all of it at the end."""
        try:
            async with alongside(self._look_on()):
                yield
        finally:
            await self.save()

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECS)
            self.expire()
            await self.save()

    def expire(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = math.inf
        for agent, ids in list(self._open.items()):
            for outcome in [self._outcome(id_, agent) for id_ in ids]:
                if (ends := self._ends(outcome)) > now:
                    self._look_at = min(self._look_at, ends)
                elif outcome.state == "waiting":
                    self._move(outcome, "expired", outcome.message or "the agent did not ask in time")
                else:
                    self._move(outcome, "failed", "nothing was heard of it any more")

    def _ends(self, outcome: Outcome) -> int:
        """When what is open on an agent is over, unless the agent says something before. An import of a long history runs on for weeks, and
        an agent whose beats still come is at it: it would say that it has ended."""
        expires = self._all[outcome.command].expires
        if outcome.state == "waiting":
            return expires
        report = self._reports.get(outcome.agent)
        return max(expires, report.last_beat if report is not None else 0) + SILENT_SECS

    async def save(self) -> None:
        """What has changed; and forget what is old."""
        changed, self._unsaved = self._unsaved, set()
        old = [one.id for one in self._all.values() if one.expires + KEPT_SECS <= self._clock() and self._is_over(one)]
        try:
            if changed:
                known = [found for id_, agent in changed if (found := self._outcomes.get(id_, {}).get(agent))]
                await self._run(statements.save_outcomes, known)
            if old:
                await self._run(statements.delete_commands, old)
                self._drop(old)
        except (TailraceError, SQLAlchemyError) as error:  # the agents remember, and say it again to a server that starts anew
            self._unsaved |= changed
            log.warning("cannot keep what became of commands", reason=str(error))

    def _is_over(self, command: Command) -> bool:
        """On all of its agents."""
        return all(command.id not in self._open.get(agent, ()) for agent in self._outcomes[command.id])

    def _admitted(self, outcome: Outcome, project: str) -> Outcome:
        """One more on an agent; it has failed when the agent has too many already."""
        ours = sum(self._all[id_].project == project for id_ in self._open.get(outcome.agent, ()))
        if outcome.state != "waiting" or ours < MOST_OPEN:
            return outcome
        return replace(outcome, state="failed", message=f"{MOST_OPEN} commands of the project have not ended on it yet")

    async def _make_room(self, project: str, count: int, size: int) -> None:
        """For so many outcomes of a command of so many bytes. ApiError 403 CommandQuotaExceed while those that are open take it all."""
        known = self.of(project)
        held, held_bytes = count + sum(len(self._outcomes[one.id]) for one in known), size + sum(self._sizes[one.id] for one in known)
        gone: list[str] = []
        for one in reversed(known):
            if held <= MOST_OUTCOMES and held_bytes <= MOST_DETAIL_BYTES:
                break
            if self._is_over(one):
                held, held_bytes = held - len(self._outcomes[one.id]), held_bytes - self._sizes[one.id]
                gone.append(one.id)
        if held > MOST_OUTCOMES:
            raise ApiError(403, "CommandQuotaExceed", f"commands of project `{project}` wait for {MOST_OUTCOMES:,} agents already")
        if held_bytes > MOST_DETAIL_BYTES:
            message = f"commands of project `{project}` that have not ended say {MOST_DETAIL_BYTES:,} bytes already"
            raise ApiError(403, "CommandQuotaExceed", message)
        if gone:
            await self._run(statements.delete_commands, gone)
            self._drop(gone)

    async def _make_room_for(self, project: str, size: int) -> None:
        """For a result of so many bytes."""
        kept = [one for command in reversed(self.of(project)) for one in self.outcomes(command) if one.result_bytes]
        held, gone = size + sum(one.result_bytes for one in kept), list[Outcome]()
        for one in kept:
            if held <= MOST_RESULT_BYTES:
                break
            held -= one.result_bytes
            gone.append(one)
        if gone:
            await self._run(statements.drop_results, gone)
            for one in gone:
                self._put(replace(self._outcome(one.command, one.agent), result_bytes=0))

    # --- memory -----------------------------------------------------------------------------------------------------------------
    def _add(self, command: Command) -> None:
        self._all[command.id], self._outcomes[command.id], self._sizes[command.id] = command, {}, _size(command)

    def _outcome(self, id_: str, agent: str) -> Outcome:
        return self._outcomes[id_][agent]

    def _move(self, outcome: Outcome, state: State, message: str) -> None:
        if outcome.state in ENDED or (outcome.state, outcome.message) == (state, message):
            return
        self._put(replace(outcome, state=state, message=message[:MAX_MESSAGE], changed=int(self._clock())))
        self._unsaved.add((outcome.command, outcome.agent))

    def _put(self, outcome: Outcome) -> None:
        if outcome.command not in self._outcomes:
            return  # it was deleted meanwhile
        self._outcomes[outcome.command][outcome.agent] = outcome
        if outcome.state in ("waiting", "running"):
            self._open.setdefault(outcome.agent, set()).add(outcome.command)
            self._look_at = min(self._look_at, self._ends(outcome))
        else:
            self._close(outcome.command, outcome.agent)

    def _close(self, id_: str, agent: str) -> None:
        if (found := self._open.get(agent)) is not None:
            found.discard(id_)
            if not found:
                del self._open[agent]

    def _drop(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            self._all.pop(id_, None)
            self._sizes.pop(id_, None)
            for agent in self._outcomes.pop(id_, {}):
                self._close(id_, agent)


def _size(command: Command) -> int:
    return len(json.dumps(command.detail)) + len(json.dumps(command.others))


def _sent(command: Command, now: float) -> CommandDetail:
    extra = {PROJECT: command.project.encode(), LEFT: str(max(1, int(command.expires - now))).encode()}
    return CommandDetail(command.id, json.dumps(command.detail).encode(), command.expires, extra)


def reached(report: Report | None, agent: str) -> Outcome:
    """An agent that is to have a command; one whose release takes none has failed."""
    if report is not None and not report.capabilities & AgentCapability.ONETIME:
        return Outcome("", agent, "failed", "its release takes no commands")
    return Outcome("", agent)

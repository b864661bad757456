"""After our own state was lost, rolled back or forked: servers are asked where our streams end (DESIGN §4.3, Agent 4).

Each is asked by itself, and only lanes that send there wait for its answer. What has caught up is kept per target: while one server is out
for days, the streams of the others go on, and must not be taken for rolled back at each start.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from tailrace import telemetry
from tailrace.agent.aside import aside
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.control.stored import stored_ends
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.streams import StreamTable
from tailrace.errors import ApiError, UnreachableError
from tailrace.pipeline.contract import Flusher

ANSWER_SECS: Final = 60.0
"""All of one answer; a server that takes longer is asked again."""
LOOK_SECS: Final = 0.1


class CatchingUp:
    """Of one session; it belongs to the event loop."""

    def __init__(
        self, identity: AgentIdentity, streams: StreamTable, checkpoint: CheckpointWriter, *, rolled_back: bool, caught_up: Iterable[str]
    ) -> None:
        self._identity = identity
        self._streams = streams
        self._checkpoint = checkpoint
        self.rolled_back = rolled_back
        self._caught_up = set(caught_up)
        self._asking: dict[tuple[str, str], asyncio.Task[None]] = {}

    def is_behind(self, target: str) -> bool:
        """Whether our own state may be older than what has arrived at a target."""
        return self.rolled_back and target not in self._caught_up

    async def asked(self, flusher: Flusher) -> None:
        """Until the server there has said where our streams end, where it has to be asked."""
        enrolment = enrolment_of(flusher, self._identity)
        if not (flusher.recognises_repeats and enrolment and self.is_behind(flusher.destination)):
            return
        where = enrolment.endpoint, enrolment.project
        if where not in self._asking:
            self._asking[where] = asyncio.create_task(self._ask(enrolment))
        await asyncio.shield(self._asking[where])

    async def taken_up(self, lanes: Sequence[Lane]) -> bool:
        """Once the inputs of lanes have taken up what the server said: their target has caught up. False when one of them ends before."""
        while self.rolled_back and not all(lane.stopping or lane.is_at_work for lane in lanes):  # noqa: ASYNC110 - inputs are threads
            await asyncio.sleep(LOOK_SECS)
        if any(lane.stopping for lane in lanes):
            return False
        if self.rolled_back:
            self._caught_up |= {lane.target.flusher.destination for lane in lanes}
            self._checkpoint.caught_up(self._caught_up)
        return True

    def look(self, present: Iterable[str]) -> None:
        """It is over when all targets have caught up: those that are `present`, and those that only streams name, whose pipelines do not
        run at the moment."""
        if self.rolled_back and {*present, *self._streams.targets} <= self._caught_up:
            self.rolled_back = False
            self._checkpoint.caught_up()

    def stop(self) -> None:
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, enrolment: Enrolment) -> None:
        wait = Backoff()
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECS):
                    ends = await aside(lambda: stored_ends(self._identity, enrolment), f"ask {enrolment.endpoint}")
            except (UnreachableError, ApiError, TimeoutError) as error:
                reason, hint = ("it has not answered in time", "") if isinstance(error, TimeoutError) else (error.message, error.hint)
                telemetry.alarm(
                    "CHECKPOINT_ALARM",
                    "cannot ask the server where our streams end; pipelines that send there wait",
                    endpoint=enrolment.endpoint,
                    project=enrolment.project,
                    reason=reason,
                    hint=hint,
                )
            else:
                self._streams.stored_ends.update(ends)
                telemetry.resolved("CHECKPOINT_ALARM", endpoint=enrolment.endpoint, project=enrolment.project)
                return
            await asyncio.sleep(wait.failed())


def enrolment_of(flusher: Flusher, identity: AgentIdentity) -> Enrolment | None:
    """With the server that a flusher sends to; None where there is none, or it is no server of ours."""
    endpoint, project = getattr(flusher.config, "url", ""), getattr(flusher.config, "project", "")
    return identity.enrolment(endpoint, project) if endpoint and project else None

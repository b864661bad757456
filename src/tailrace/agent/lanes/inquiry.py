"""Prepared ranges whose bytes are gone: the server may have them all the same, when only its answer was lost (DESIGN §4.3, Agent 4).

They keep their place in their streams until the server has said what it has; nothing else waits for that. What it has is acknowledged then,
and only what it does not have is counted as lost.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from itertools import chain

from tailrace.agent.control.stored import stored_ranges
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.lanes.catching_up import enrolment_of
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.streams import Entry, Stream
from tailrace.errors import ApiError, UnreachableError
from tailrace.pipeline.contract import Range

Ask = Callable[[str], Sequence[tuple[int, int]]]
"""Stream id → the ranges `[start, end)` of it that the target has stored whole. UnreachableError, ApiError."""


def nothing_stored(_stream: str) -> Sequence[tuple[int, int]]:
    """A target that knows no identities cannot say what it has: what is gone counts as lost."""
    return ()


class Inquiry:
    """Of one lane. `ask`: what the server says that the lane sends to."""

    def __init__(self, lane: Lane, ask: Ask) -> None:
        self._lane = lane
        self._ask = ask
        self._open: dict[Stream, list[Entry]] = {}

    def add(self, stream: Stream, done: Range) -> None:
        """Put in a range that cannot be read again, before what follows it in its stream."""
        stream.is_proven = True  # what follows does not wait for the answer
        stream.committed_end = done.start if stream.committed_end is None else stream.committed_end
        entry = Entry(stream, done, 1, 1)
        self._lane.target.submit(entry, [], self._lane.input.on_durable)
        self._open.setdefault(stream, []).append(entry)

    def start(self) -> None:
        """Ask, on a thread of its own. The lane's input must have been started: it keeps the count of what is lost."""
        if self._open:
            threading.Thread(target=self.run, name=f"ask {self._lane.pipeline}", daemon=True).start()

    def run(self) -> None:
        """Ask, here, until there is an answer; when the lane stops before, another one asks again."""
        while self._open:
            stream = next(iter(self._open))
            stored = self._answer(stream.id)
            if stored is None:
                break
            for entry in self._open.pop(stream):
                if not _covers(stored, entry.range):
                    self._lane.lost(stream, entry.range)
                self._lane.target.settle(entry)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the next session asks
            for entry in chain.from_iterable(self._open.values()):
                self._lane.target.read_again(entry)

    def _answer(self, stream: str) -> Sequence[tuple[int, int]] | None:
        """None when the lane stopped before there was one."""
        wait = Backoff()
        while True:
            try:
                return self._ask(stream)
            except (UnreachableError, ApiError) as error:
                message = "cannot ask the server what it has of a stream whose bytes are gone here"
                self._lane.alarm("CHECKPOINT_ALARM", message, stream=stream, reason=error.message, hint=error.hint)
            if self._lane.pause(wait.failed()):
                return None


def inquiry_of(lane: Lane, identity: AgentIdentity, epoch: bytes) -> Inquiry:
    """At the server that the lane sends to, and at no other one: those that do not answer are none of its business."""
    enrolment = enrolment_of(lane.target.flusher, identity)
    if enrolment is None or not lane.target.flusher.recognises_repeats:
        return Inquiry(lane, nothing_stored)
    return Inquiry(lane, lambda stream: stored_ranges(identity, enrolment, epoch, stream))


def _covers(stored: Sequence[tuple[int, int]], done: Range) -> bool:
    return any(start <= done.start and done.end <= end for start, end in stored)

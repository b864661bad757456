"""Ranges that were to come from the spool and cannot: they go back to their sources (DESIGN §4.3, Agent 2).

A lane of their streams reads them. Whatever becomes of it meanwhile, the next one goes on where it stopped; and where no pipeline has these
streams any more, a replay-only lane does. So none is forgotten while the agent runs: what follows a forgotten one would wait for it.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from tailrace.agent.aside import aside
from tailrace.agent.assembly import Assembly
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.replay import Replay
from tailrace.agent.lanes.streams import Entry
from tailrace.errors import TailraceError

ROOM_SECS: Final = 0.05
AGAIN_SECS: Final = 5.0
"""How long a source is left alone when the system is short of something."""

Key: TypeAlias = tuple[Target, str]
"""Target, input key."""


class ReadingAgain:
    """Of one session, on its event loop. `replay` is made for a lane; `make_lane` makes a replay-only one, or says why it cannot."""

    def __init__(self, parts: Assembly, replay: Callable[[Lane], Replay], make_lane: Callable[[Target, Entry], Lane | None]) -> None:
        self._parts = parts
        self._replay = replay
        self._make_lane = make_lane
        self._waiting: dict[Key, list[Entry]] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._over = False

    def add(self, target: Target, entry: Entry) -> None:
        """Read one range again, which is under way to `target`."""
        if self._over:  # it stays prepared: the next session has it
            return
        key = target, entry.stream.row.input
        self._waiting.setdefault(key, []).append(entry)
        if key not in self._tasks:
            self._start(key)

    def stop(self) -> None:
        """Before the lanes are stopped."""
        self._over = True
        for task in self._tasks.values():
            task.cancel()

    def _start(self, key: Key) -> None:
        self._tasks[key] = task = asyncio.create_task(self._read(key))
        task.add_done_callback(lambda task: self._done(key, task))

    async def _read(self, key: Key) -> None:
        target, waiting = key[0], self._waiting[key]
        while waiting:
            lane, is_present = self._present(key), True
            if lane is None:
                lane, is_present = self._make_lane(target, waiting[0]), False
            if lane is None:
                waiting.clear()
                return
            replay = self._replay(lane)
            try:
                await aside(lambda replay=replay: _put_in(replay, waiting), f"read again {lane.pipeline}")
                if is_present:
                    replay.inquiry.start()
                else:
                    await aside(replay.inquiry.run, f"ask {lane.pipeline}")
            finally:
                if not is_present:
                    lane.stop(0.0)
            if not is_present and lane.failure:
                waiting.clear()  # it has said so, and the ranges stay prepared

    def _present(self, key: Key) -> Lane | None:
        """A lane of a pipeline that reads the streams and sends there."""
        target, input_key = key
        group = self._parts.groups.get((target.flusher.destination, input_key))
        lanes = group.lanes if group is not None else ()
        return next((lane for lane in lanes if lane.target is target and lane.input.key == input_key and not lane.stopping), None)

    def _done(self, key: Key, task: "asyncio.Task[None]") -> None:
        del self._tasks[key]
        waiting = self._waiting.pop(key)
        if task.cancelled():
            return
        if error := task.exception():
            raise error
        if waiting and not self._over:  # it came when the task had looked for the last time
            self._waiting[key] = waiting
            self._start(key)


def _put_in(replay: Replay, waiting: list[Entry]) -> None:
    """On a thread: until all is put in, or the lane is over. Those that wait for room let those pass that the room may be waiting for."""
    lane = replay.lane
    while waiting and not lane.stopping:
        entry = next((one for one in waiting if replay.has_room(one)), None)
        if entry is None:
            lane.pause(ROOM_SECS)
            continue
        try:
            if not replay.once(entry.stream, entry.range):
                return
        except TailraceError as error:
            lane.alarm("USER_CONFIG_ALARM", "cannot read a range of the spool again; it is kept", reason=error.message)
        except OSError as error:
            message = "cannot read a range of the spool again from its source now; it is tried again"
            lane.alarm("CHECKPOINT_ALARM", message, stream=entry.stream.id, reason=error.strerror or str(error))
            lane.pause(AGAIN_SECS)
            continue
        waiting.remove(entry)

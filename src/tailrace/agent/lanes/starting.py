"""Starts lanes: what they had prepared before the last end goes first, then their inputs read on."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tailrace import telemetry
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.replay import Replay
from tailrace.errors import TailraceError
from tailrace.pipeline.sharing import Claims

START_AGAIN_SECS: Final = 5.0
LOOK_SECS: Final = 0.1

log = telemetry.logger("agent")


class Starting:
    """One per session, on its event loop."""

    def __init__(self, replay: Callable[[Lane], Replay], claims: Claims, closed: Callable[[Lane], str]) -> None:
        """`closed`: why it is not known what the spool has of a lane, or nothing."""
        self._replay = replay
        self._claims = claims
        self._closed = closed

    def start(self, lanes: Sequence[Lane]) -> asyncio.Event:
        """Of lanes that share streams. Set when each has been started. Replaying may wait for the target, so each group has a thread."""
        started, loop = asyncio.Event(), asyncio.get_running_loop()
        thread = threading.Thread(
            target=self._start_all,
            args=(list(lanes), lambda: loop.call_soon_threadsafe(started.set)),
            name=f"start {lanes[0].target.flusher.target}",
            daemon=True,
        )
        thread.start()
        return started

    def _start_all(self, lanes: Sequence[Lane], started: Callable[[], object]) -> None:
        replays = [self._replay(lane) for lane in lanes]
        waiting = [replay for replay in replays if not self._over(replay)]
        started()
        while waiting:
            again_at = time.monotonic() + START_AGAIN_SECS
            while time.monotonic() < again_at and not any(replay.lane.stopping for replay in waiting):
                time.sleep(LOOK_SECS)
            waiting = [replay for replay in waiting if not self._over(replay)]

    def _over(self, replay: Replay) -> bool:
        """Start one, unless it is to stop. Whether that is over; what was not replayed then is there for others."""
        lane = replay.lane
        if not (lane.stopping or self._start(replay)):
            return False
        if lane.stopping:
            replay.give_back()
        lane.start_over.set()
        return True

    def _start(self, replay: Replay) -> bool:
        """Replay and start one. False when the system is short of something (descriptors, watches, room on the disk): it is tried again."""
        lane = replay.lane
        if closed := self._closed(lane):  # the spool has said so
            lane.waits_for = closed
            return False
        try:
            if replayed := replay.run():
                log.info("ranges of the last run are sent again", pipeline=lane.pipeline, ranges=replayed)
            lane.start()
            replay.inquiry.start()
        except TailraceError as error:
            self._claims.withdraw(lane.pipeline)
            lane.fail(lane.cannot_start, "cannot start the pipeline", error.message)
            return True
        except OSError as error:
            lane.waits_for = f"cannot start: {(error.strerror or str(error)).lower()}"
            message = "cannot start the pipeline now; it is tried again"
            telemetry.alarm("USER_CONFIG_ALARM", message, pipeline=lane.pipeline, reason=error.strerror or str(error))
            return False
        lane.waits_for = ""
        for kind in ("USER_CONFIG_ALARM", "PROCESSOR_INIT_ALARM"):
            telemetry.resolved(kind, pipeline=lane.pipeline)
        return True

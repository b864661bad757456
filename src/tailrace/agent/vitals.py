"""What of the worker gets on and what stands still: its event loop, the lanes at work, the threads that read. The supervisor judges by
it."""

import asyncio
import contextlib
import math
import time
from collections.abc import Sequence
from typing import Any, Final

from tailrace.agent.lanes.lane import Lane
from tailrace.agent.status.overview import Overview
from tailrace.agent.supervision import Supervision

STILL_SECS: Final = 2.0
"""What stands still for less is not worth a word."""
MOST_PARTS: Final = 20
RANGE_TIMES: Final = 5
"""A lane in one range gets so many times the patience: lines that all run into a pattern's limits take minutes, and end."""
READER_TIMES: Final = 10
"""A reader gets so many times the patience: it unpacks large files, and compares them, in one turn."""


class Vitals:
    """Of one worker."""

    def __init__(self, overview: Overview, supervision: Supervision) -> None:
        self._overview = overview
        self._supervision = supervision
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_at = math.inf
        """When the loop was asked for a sign of life that it has not given yet (monotonic)."""

    def watch(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The event loop at work, or None between two."""
        self._loop, self._asked_at = loop, math.inf

    def parts(self) -> list[dict[str, Any]]:
        """The parts that stand still, the longest first, as the supervisor wants them told."""
        now = time.monotonic()
        found = [*self._ranges(now), *self._readers(now), *self._event_loop(now)]
        found.sort(key=lambda one: one["still_secs"], reverse=True)
        return found[:MOST_PARTS]

    def _event_loop(self, now: float) -> list[dict[str, Any]]:
        loop, asked_at = self._loop, self._asked_at
        if loop is None or loop.is_closed():
            return []
        if asked_at is math.inf:
            self._asked_at = now
            with contextlib.suppress(RuntimeError):  # closed just now
                loop.call_soon_threadsafe(self._turned)
            return []
        return _still("its event loop has not turned", now - asked_at)

    def _turned(self) -> None:
        self._asked_at = math.inf

    def _ranges(self, now: float) -> list[dict[str, Any]]:
        at_work = self._supervision.ranges_at_work
        return [
            part
            for work in at_work
            for part in _still(
                "it has worked on one range", now - work.since, pipeline=work.pipeline, version=work.version, times=RANGE_TIMES
            )
        ]

    def _readers(self, now: float) -> list[dict[str, Any]]:
        lanes: Sequence[Lane] = self._overview.lanes
        return [
            part
            for lane in lanes
            for part in _still(
                "its reader has not turned", lane.stands_still_for(now), pipeline=lane.pipeline, version=lane.version, times=READER_TIMES
            )
        ]


def _still(part: str, seconds: float, **values: Any) -> list[dict[str, Any]]:
    return [{"part": part, "still_secs": round(seconds, 1), **values}] if seconds > STILL_SECS else []

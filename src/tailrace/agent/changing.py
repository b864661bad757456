"""Brings what runs to what is to run: only pipelines that differ are touched, all others read on meanwhile.

The new version of a pipeline is built and its processors are loaded while the one before it still reads. What that one has put in is
delivered by the target that has it; the new one goes on reading where it stood.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Final

from tailrace import telemetry
from tailrace.agent.assembly import Built
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.session import Session
from tailrace.errors import TailraceError
from tailrace.pipeline.model import PipelineConfig

DELIVERY_SECS: Final = 3.0
"""How long pipelines that change their way to a target may take, all together, to deliver over the old one."""
LOOK_SECS: Final = 0.02

log = telemetry.logger("agent")


async def change(session: Session, wanted: Sequence[PipelineConfig], others: Collection[str]) -> bool:
    """`wanted` are resolved; pipelines named in `others` are none of this and stay as they are.

    False when it cannot be done while the session runs: another session has to begin. A pipeline that cannot be built is refused, the
    version of it that runs goes on.
    """
    async with session.changing:
        differing = [one for one in wanted if session.parts.versions.get(one.name) != one.version]
        for pipeline in wanted:
            if pipeline not in differing:
                session.content(pipeline.name)
        built = await _built(session, differing)
        names = {one.name for one in wanted}
        gone = [name for name in dict.fromkeys(lane.pipeline for lane in session.lanes) if name not in names and name not in others]
        stopped = await session.remove_all([*gone, *built], coming_back=built)
        for name in [*gone, *built]:
            session.content(name)
        until = time.monotonic() + DELIVERY_SECS
        for one in built.values():
            if not await _makes_way(session, _before(stopped, one), until):
                log.info("a target does not take what was read for it, and is to be reached otherwise: all pipelines begin anew")
                return False
            await session.take_in(one)
        if gone or built:
            log.info("the pipelines that differ were exchanged", new=sorted(built), gone=gone, same=len(wanted) - len(differing))
        return True


async def _built(session: Session, pipelines: Sequence[PipelineConfig]) -> dict[str, Built]:
    """Those that can run."""
    found: dict[str, Built] = {}
    for pipeline in pipelines:
        built: Built | None = None
        try:
            built = session.parts.build(pipeline, list(found.values()))
            await asyncio.to_thread(_load, built.lanes)
        except TailraceError as error:
            session.refuse(pipeline.name, error)
            if built is not None:
                session.parts.discard(built)
        else:
            found[pipeline.name] = built
    return found


def _load(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        lane.load()


def _before(stopped: Sequence[Lane], built: Built) -> list[Lane]:
    """Those of the stopped lanes that sent to where the new ones send, over another target: a stream must not be on both ways at once."""
    ways = {(lane.target.flusher.destination, lane.target) for lane in built.lanes}
    there = {destination for destination, _ in ways}
    return [one for one in stopped if (way := (one.target.flusher.destination, one.target)) not in ways and way[0] in there]


async def _makes_way(session: Session, lanes: Sequence[Lane], until: float) -> bool:
    """Whether all that lanes which were stopped have put in arrives soon: `until` then, on the monotonic clock."""
    used = {lane.target for lane in session.lanes}
    while not all(lane.idle and (lane.target in used or lane.target.idle) for lane in lanes):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(LOOK_SECS)
    return True

"""What the lanes of one session share, made of an opened checkpoint."""

import os

from tailrace.agent.checkpoint import CheckpointWriter, Opened
from tailrace.agent.guard import Guard
from tailrace.agent.lanes.claims import Claims
from tailrace.agent.lanes.lane import Surroundings
from tailrace.agent.lanes.slots import Slots
from tailrace.agent.lanes.streams import StreamTable
from tailrace.agent.platform import AgentPlatform
from tailrace.agent.supervision import Supervision
from tailrace.pipeline.labels import Machine
from tailrace.pipeline.policy import ConfigPolicy
from tailrace.pipeline.sharing import FileBounds


def surroundings_of(
    opened: Opened,
    agent_id: str,
    platform: AgentPlatform,
    *,
    bounds: FileBounds,
    policy: ConfigPolicy,
    machine: Machine,
    finite: bool,
    guard: Guard,
    supervision: Supervision,
) -> Surroundings:
    """With a writer of the checkpoint that is not started yet."""
    content = opened.content
    return Surroundings(
        platform=platform,
        checkpoint=CheckpointWriter(opened.database, content.streams, content.configs),
        streams=StreamTable(agent_id, content.streams.values(), content.ranges),
        claims=Claims(),
        bounds=bounds,
        policy=policy,
        epoch=content.epoch,
        machine=machine,
        finite=finite,
        slots=Slots(guard.limits.threads or os.cpu_count() or 1),
        guard=guard,
        supervision=supervision,
    )

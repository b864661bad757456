"""The agent's side of heartbeats with one server (`wire.control`): what it says, in full or in short, and what it makes of the answer.
How it is (`wire.vitals`) it says in each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tailrace.errors import UnreachableError
from tailrace.wire.control import (
    AgentCapability,
    Attributes,
    ConfigDetail,
    ConfigInfo,
    FetchConfigRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestFlag,
    ResponseFlag,
    ServerCapability,
    Tag,
)
from tailrace.wire.vitals import Vitals, encode

REMEMBERED: Final = ServerCapability.ATTRIBUTES | ServerCapability.CONTINUOUS
"""What a server has to remember of an agent before a beat may be short, and what it says of commands and settings where it has some."""


class Dialogue:
    """One per server and run. A beat is short when the server remembers us and nothing changed since the last one that it answered."""

    def __init__(self) -> None:
        self._sequence = 0
        self._told: HeartbeatRequest | None = None
        """The state that the server is known to have."""
        self._telling: HeartbeatRequest | None = None

    def beat(self, state: HeartbeatRequest) -> HeartbeatRequest:
        """What to send, given all that there is to say."""
        self._sequence += 1
        self._telling = state
        if self._told is not None and replace(state, opaque=b"") == replace(self._told, opaque=b""):
            return HeartbeatRequest(sequence_num=self._sequence, instance_id=state.instance_id, opaque=state.opaque)
        return replace(state, sequence_num=self._sequence, flags=RequestFlag.FULL_STATE)

    def answered(self, answer: HeartbeatResponse) -> bool:
        """Whether the answer counts; otherwise the same is to be said again, in full. Raises UnreachableError with the server's reason."""
        self._told = None
        if answer.common_response.status:
            reason = answer.common_response.error_message.decode("utf-8", "replace")
            raise UnreachableError(f"the server refuses the heartbeat: {reason}")
        if answer.flags & ResponseFlag.REPORT_FULL_STATE:
            return False
        needed = REMEMBERED
        if self._telling is not None and self._telling.onetime_pipeline_configs:
            needed |= ServerCapability.ONETIME
        if self._telling is not None and self._telling.instance_configs:
            needed |= ServerCapability.INSTANCE
        if answer.capabilities & needed == needed:
            self._told = self._telling
        return True

    def lost(self) -> None:
        """No answer came: nobody knows what the server has."""
        self._told = None


def full_state(
    agent_id: str,
    attributes: Attributes,
    *,
    user_defined_ids: Sequence[str],
    started: int,
    configs: list[ConfigInfo],
    vitals: Vitals,
    commands: Sequence[ConfigInfo] = (),
    settings: Sequence[ConfigInfo] = (),
) -> HeartbeatRequest:
    return HeartbeatRequest(
        capabilities=AgentCapability.CONTINUOUS | AgentCapability.INSTANCE | AgentCapability.ONETIME,
        instance_id=agent_id.encode(),
        agent_type="tailrace",
        attributes=attributes,
        tags=[Tag("user_defined_id", one) for one in user_defined_ids],
        running_status="running",
        startup_time=started,
        continuous_pipeline_configs=configs,
        instance_configs=list(settings),
        onetime_pipeline_configs=list(commands),
        opaque=encode(vitals),
    )


def to_fetch(agent_id: str, answer: HeartbeatResponse) -> FetchConfigRequest | None:
    """For details that the answer only names; None when it has them all."""
    updates = answer.continuous_pipeline_config_updates, answer.instance_config_updates
    pipelines, settings = ([ConfigInfo(one.name, one.version) for one in several if not is_whole(one)] for several in updates)
    if not (pipelines or settings):
        return None
    return FetchConfigRequest(instance_id=agent_id.encode(), continuous_pipeline_configs=pipelines, instance_configs=settings)


def is_whole(update: ConfigDetail) -> bool:
    """Whether nothing of it has to be fetched."""
    return bool(update.detail) or update.version < 0

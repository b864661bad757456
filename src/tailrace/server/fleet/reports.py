"""What agents have said of themselves, in their own heartbeats: as they are, not as they were told to be."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from tailrace.wire.control import ConfigInfo, ConfigStatus, HeartbeatRequest

USER_DEFINED_ID = "user_defined_id"
"""Name of the tags that carry an agent's user-defined ids, one tag each."""
MAX_IDS, MAX_TEXT = 100, 1024


@dataclass(frozen=True, slots=True)
class Report:
    """One agent's last full state. Times are Unix seconds."""

    agent: str
    sequence: int
    capabilities: int
    addresses: tuple[str, ...]
    """The one that it goes by first."""
    host_name: str
    machine_id: str
    system: str
    """`linux`, `windows` …, empty when it does not say."""
    version: str
    kind: str
    user_defined_ids: tuple[str, ...]
    started: int
    running_status: str
    continuous: Mapping[str, ConfigInfo]
    onetime: Mapping[str, ConfigInfo]
    first_beat: int
    last_beat: int

    @property
    def address(self) -> str:
        return self.addresses[0] if self.addresses else ""

    def outcomes(self, project: str) -> dict[str, str]:
        """Of the project's configs, by name: `applied`, `applying`, or `failed: REASON`, as the agent says."""
        ours = {name.partition("@")[2]: info for name, info in self.continuous.items() if name.startswith(f"{project}@")}
        return {name: _outcome(info) for name, info in sorted(ours.items())}


class Reports:
    """All of them, by agent. In memory: after a restart of the server every agent is asked for its full state again."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reports: dict[str, Report] = {}

    def __iter__(self) -> Iterator[Report]:
        """By agent."""
        return iter([self._reports[agent] for agent in sorted(self._reports)])

    def get(self, agent: str) -> Report | None:
        return self._reports.get(agent)

    def take(self, agent: str, beat: HeartbeatRequest, *, full: bool) -> Report | None:
        """The agent's state with this beat; None when only a full one can tell it: one before was lost, or the server is new."""
        known, now = self._reports.get(agent), int(self._clock())
        if full:
            self._reports[agent] = _reported(agent, beat, known.first_beat if known else now, now)
        elif known is None or beat.sequence_num != known.sequence + 1:
            return None
        else:
            self._reports[agent] = replace(known, sequence=beat.sequence_num, last_beat=now)
        return self._reports[agent]

    def forget(self, agent: str) -> None:
        self._reports.pop(agent, None)


def _reported(agent: str, beat: HeartbeatRequest, first_beat: int, now: int) -> Report:
    attributes = beat.attributes
    more = _text(attributes.extras.get("ips", b"")).split(",")
    addresses = [_text(attributes.ip), *more]
    ids = [tag.value for tag in beat.tags if tag.name == USER_DEFINED_ID]
    return Report(
        agent=agent,
        sequence=beat.sequence_num,
        capabilities=beat.capabilities,
        addresses=tuple(dict.fromkeys(one for one in addresses if one))[:MAX_IDS],
        host_name=_text(attributes.hostname),
        machine_id=_text(attributes.hostid),
        system=_text(attributes.extras.get("os", b"")).lower(),
        version=_text(attributes.version),
        kind=beat.agent_type[:MAX_TEXT],
        user_defined_ids=tuple(dict.fromkeys(one[:MAX_TEXT] for one in ids if one))[:MAX_IDS],
        started=beat.startup_time,
        running_status=beat.running_status[:MAX_TEXT],
        continuous={info.name: info for info in beat.continuous_pipeline_configs},
        onetime={info.name: info for info in beat.onetime_pipeline_configs},
        first_beat=first_beat,
        last_beat=now,
    )


def _outcome(info: ConfigInfo) -> str:
    if info.status == ConfigStatus.FAILED:
        return f"failed: {info.message[:MAX_TEXT]}"
    return "applying" if info.status == ConfigStatus.APPLYING else "applied"


def _text(value: bytes) -> str:
    return value[:MAX_TEXT].decode("utf-8", "replace")

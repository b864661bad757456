"""What one agent has said of itself, as it is kept: bounded, and in a form that outlives the server."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from tailrace.wire.control import ConfigInfo, ConfigStatus, HeartbeatRequest
from tailrace.wire.vitals import VitalAlarm, Vitals, decode

USER_DEFINED_ID: Final = "user_defined_id"
"""Name of the tags that carry an agent's user-defined ids, one tag each."""
MAX_IDS, MAX_TEXT, MAX_CONFIGS = 100, 1024, 1000
MAX_NUMBER: Final = (1 << 63) - 1


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
    instance: Mapping[str, ConfigInfo]
    onetime: Mapping[str, ConfigInfo]
    first_beat: int
    last_beat: int
    vitals: Vitals = field(default_factory=Vitals)
    status: str = ""
    """While it beats (`fleet.status`), and why, and since when."""
    reason: str = ""
    since: int = 0
    retired: int = 0
    """When it was given up; 0: it was not."""
    intruder: str = ""
    """Another machine that claims its id at present."""
    intruded: int = 0

    @property
    def address(self) -> str:
        return self.addresses[0] if self.addresses else ""

    @property
    def moment(self) -> list[int]:
        """Of the last beat: grows from beat to beat, also within a second."""
        return [self.last_beat, self.sequence]

    @property
    def family(self) -> str:
        return "windows" if self.system.startswith("windows") else "linux"

    def outcomes(self, project: str) -> dict[str, str]:
        """Of the project's configs, by name: `applied`, `applying`, or `failed: REASON`, as the agent says."""
        ours = {name.partition("@")[2]: info for name, info in self.continuous.items() if name.startswith(f"{project}@")}
        return {name: outcome_of(info) for name, info in sorted(ours.items())}

    def document(self) -> dict[str, Any]:
        """For `of`; JSON."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("continuous", "instance", "onetime")}
        infos = {
            kind: [[info.name, info.version, info.status, info.message] for info in getattr(self, kind).values()]
            for kind in ("continuous", "instance", "onetime")
        }
        return {**plain, "vitals": asdict(self.vitals), **infos}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Report":
        """KeyError, TypeError, ValueError when another release wrote it: the agent says it again."""
        document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))  # no half of a surrogate pair
        infos = {kind: {info[0]: ConfigInfo(*info) for info in document[kind]} for kind in ("continuous", "instance", "onetime")}
        vitals = dict(document["vitals"])
        vitals["alarms"] = [VitalAlarm(**one) for one in vitals["alarms"]]
        labels = {name: tuple(document[name]) for name in ("addresses", "user_defined_ids")}
        values: dict[str, Any] = {**document, **infos, **labels, "vitals": Vitals(**vitals)}
        return cls(**values)


def reported(agent: str, beat: HeartbeatRequest, known: Report | None, now: int) -> Report:
    """From a beat in full."""
    attributes = beat.attributes
    addresses = [_text(attributes.ip), *_text(attributes.extras.get("ips", b"")).split(",")]
    ids = [tag.value for tag in beat.tags if tag.name == USER_DEFINED_ID]
    new = Report(
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
        started=min(MAX_NUMBER, max(0, beat.startup_time)),
        running_status=beat.running_status[:MAX_TEXT],
        continuous=_infos(beat.continuous_pipeline_configs),
        instance=_infos(beat.instance_configs),
        onetime=_infos(beat.onetime_pipeline_configs),
        first_beat=known.first_beat if known else now,
        last_beat=now,
        vitals=decode(beat.opaque),
    )
    if known is None:
        return new
    return replace(new, status=known.status, reason=known.reason, since=known.since, intruder=known.intruder, intruded=known.intruded)


def seen_by(report: Report, project: str) -> Report:
    """Without what is, or may be, other projects' business: of an agent that works for several. Alarms do not say whose they are."""
    own, settings = (
        {name: one for name, one in all_.items() if name.startswith(f"{project}@")} for all_ in (report.continuous, report.instance)
    )
    trouble = report.vitals.trouble
    if trouble and not _concerns(trouble, project):
        trouble = "it has trouble that is not of this project alone"
    return replace(report, continuous=own, instance=settings, vitals=replace(report.vitals, trouble=trouble, alarms=[]))


def _concerns(trouble: str, project: str) -> bool:
    """Of a pipeline of the project, or of a target (`sls:SERVER/PROJECT/LOGSTORE`) of it."""
    target = trouble.partition(": ")[0].split("/")
    return trouble.startswith(f"{project}@") or (trouble.startswith("sls:") and len(target) > 2 and target[-2] == project)


def outcome_of(info: ConfigInfo) -> str:
    if info.status == ConfigStatus.FAILED:
        return f"failed: {info.message}"
    if info.status == ConfigStatus.APPLYING:
        return "applying"
    return f"applied: {info.message}" if info.message else "applied"


def _infos(said: list[ConfigInfo]) -> dict[str, ConfigInfo]:
    return {
        info.name[:MAX_TEXT]: ConfigInfo(info.name[:MAX_TEXT], info.version, info.status, info.message[:MAX_TEXT])
        for info in said[:MAX_CONFIGS]
    }


def _text(value: bytes) -> str:
    return value[:MAX_TEXT].decode("utf-8", "replace")

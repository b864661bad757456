"""Answers heartbeats: compares what an agent runs with what it is to run, and sends what differs (`wire.control`)."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from tailrace import telemetry
from tailrace.errors import ConfigErrors
from tailrace.server.db.collection import Collection
from tailrace.server.db.records import Agent, Config, MachineGroup
from tailrace.server.db.roster import Roster
from tailrace.server.fleet.commands import Commands
from tailrace.server.fleet.instance_configs import InstanceConfigs
from tailrace.server.fleet.membership import Membership
from tailrace.server.fleet.pipelines import pipeline_of
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.waking import Waking, subjects_of
from tailrace.wire.control import (
    DELETED,
    CommonResponse,
    ConfigDetail,
    ConfigInfo,
    FetchConfigRequest,
    FetchConfigResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestFlag,
    ResponseFlag,
    ServerCapability,
)
from tailrace.wire.vitals import decode

REMEMBERS: Final = int(ServerCapability.ATTRIBUTES | ServerCapability.CONTINUOUS | ServerCapability.INSTANCE | ServerCapability.ONETIME)
MAX_INLINE_BYTES: Final = 1_048_576
"""Of details in one answer; more of them are fetched apart."""
MAX_KEPT_BYTES: Final = 64 * 1_048_576
DETAIL_BYTES: Final = 500
"""About what a kept detail takes beside its text."""
BAD_REQUEST: Final = 400
CONFLICT: Final = 409

log = telemetry.logger("server.fleet")


class Heartbeats:
    """One per server."""

    def __init__(
        self,
        collection: Collection,
        reports: Reports,
        membership: Membership,
        endpoint: str,
        *,
        roster: Roster,
        waking: Waking,
        commands: Commands,
        settings: InstanceConfigs,
    ) -> None:
        self._commands = commands
        self._settings = settings
        self._collection = collection
        self._roster = roster
        self._waking = waking
        self._reports = reports
        self._membership = membership
        self._endpoint = endpoint
        self._details: OrderedDict[tuple[int, int, str], ConfigDetail | None] = OrderedDict()
        self._details_bytes = 0
        self.version_for: Callable[[Config, str], Config | None] = lambda config, _agent: config
        """What of a config an agent is to have, while a rollout is under way."""
        self._content: dict[str, tuple[object, ...]] = {}
        """Agents that have all that they are to have, and what that followed from."""

    def answer(self, agent: str, beat: HeartbeatRequest) -> HeartbeatResponse:
        """`agent` is who the sender was shown to be; a beat in another's name is refused."""
        if beat.instance_id.decode("utf-8", "replace") != agent:
            return HeartbeatResponse(beat.request_id, CommonResponse(BAD_REQUEST, b"instance_id is not the id of this agent"))
        if intruder := self._intruder(agent, beat):
            self._reports.intruded(agent, intruder)
            return HeartbeatResponse(beat.request_id, CommonResponse(CONFLICT, b"another start of this agent holds its id"))
        report = self._reports.take(agent, beat, full=bool(beat.flags & RequestFlag.FULL_STATE))
        if report is None:
            return HeartbeatResponse(beat.request_id, capabilities=REMEMBERS, flags=ResponseFlag.REPORT_FULL_STATE)
        if beat.flags & RequestFlag.FULL_STATE:
            self._commands.heard(report)
            self._content.pop(agent, None)
        return self._news(beat, report)

    async def held(self, agent: str, beat: HeartbeatRequest, secs: float) -> HeartbeatResponse:
        """As `answer`; but where that has nothing to say, it is given when there is something, after `secs` at the latest."""
        until = time.monotonic() + secs
        state, answer = self._state(agent), self.answer(agent, beat)
        asked = self._reports.get(agent)
        while asked is not None and not says_something(answer) and (left := until - time.monotonic()) > 0:
            await self._waking.wait(self._subjects(agent), state, left)
            report = self._reports.get(agent)
            if report is None or not self._still_asks(asked, report):
                break
            state, answer = self._state(agent), self._news(beat, report)
        return answer

    def _still_asks(self, asked: Report, report: Report) -> bool:
        """Whether a held beat is still its agent's last one, and still to be heard. Of one that was revoked meanwhile, or whose id another
        start has taken, nothing is asked any more: it would be told to delete all that it runs. Its next beat is refused."""
        if (report.sequence, report.vitals.boot_id) != (asked.sequence, asked.vitals.boot_id):
            return False
        holder = self._roster.agent(asked.agent)
        return holder is not None and holder.revoked is None and not _is_of_another(asked.vitals.boot_id, holder)

    def _news(self, beat: HeartbeatRequest, report: Report) -> HeartbeatResponse:
        """What differs from what the agent has; it is not looked for where nothing changed since there was nothing."""
        follows_from = self._follows_from(report)
        if self._content.get(report.agent) == follows_from:
            return HeartbeatResponse(beat.request_id, capabilities=REMEMBERS)
        answer = self._difference(beat, report)
        if says_something(answer):
            self._content.pop(report.agent, None)
        else:
            self._content[report.agent] = follows_from
        return answer

    def _subjects(self, agent: str) -> list[str]:
        return subjects_of(agent, [grant.project for grant in self._roster.grants(agent)])

    def _state(self, agent: str) -> str:
        """Of what the agent has to hear of."""
        return self._waking.state(self._subjects(agent))

    def _intruder(self, agent: str, beat: HeartbeatRequest) -> str:
        """Who beats in place of the start that holds the agent's id (`fleet.boots`); empty when it is that one, or does not say."""
        holder, vitals = self._roster.agent(agent), decode(beat.opaque)
        if holder is None or not _is_of_another(vitals.boot_id, holder):
            return ""
        names = (beat.attributes.hostname, beat.attributes.ip, beat.attributes.hostid)
        return " ".join(name[:255].decode("utf-8", "replace") for name in names if name) or vitals.boot_id[:64]

    def _follows_from(self, report: Report) -> tuple[object, ...]:
        """What an answer to a beat that says nothing new depends on."""
        return self._state(report.agent), self._reports.is_mixed, self._roster.changes if self._reports.is_mixed else 0

    def _projects(self, report: Report) -> list[str]:
        return [grant.project for grant in self._roster.grants(report.agent)]

    def forget(self, agent: str) -> None:
        """It was purged."""
        self._content.pop(agent, None)
        self._commands.forget_agent(agent)
        self._reports.forget(agent)

    def _difference(self, beat: HeartbeatRequest, report: Report) -> HeartbeatResponse:
        """Between what an agent runs and what it is to run."""
        projects, updates, flags = self._projects(report), self._updates(report), 0
        settings = self._settings.updates(report, self._membership.groups_of(report), projects=len(projects))
        if sum(len(update.detail) for update in updates) > MAX_INLINE_BYTES:
            updates = [ConfigDetail(update.name, update.version, extra=update.extra) for update in updates]
            flags = ResponseFlag.FETCH_CONTINUOUS
        return HeartbeatResponse(
            beat.request_id,
            capabilities=REMEMBERS,
            continuous_pipeline_config_updates=updates,
            instance_config_updates=settings,
            onetime_pipeline_config_updates=self._commands.due(report.agent, projects),
            flags=flags,
        )

    def fetch(self, agent: str, asked: FetchConfigRequest) -> FetchConfigResponse:
        """The details of configs that the agent is to run, and of no others."""
        report = self._reports.get(agent)
        wanted = self.wanted(report) if report is not None else {}
        details = [wanted[info.name] for info in asked.continuous_pipeline_configs if info.name in wanted]
        alone = report is not None and len(self._projects(report)) == 1
        known = self._settings.wanted(self._membership.groups_of(report)) if report is not None and alone else {}
        settings = [known[info.name] for info in asked.instance_configs if info.name in known]
        return FetchConfigResponse(asked.request_id, continuous_pipeline_config_updates=details, instance_config_updates=settings)

    def wanted(self, report: Report) -> dict[str, ConfigDetail]:
        """What an agent is to run, by the name that it knows a config by: `project@config`."""
        return {name: detail for name, detail in self._applied(report).items() if detail is not None and detail.version != DELETED}

    def number(self, config: Config, group: MachineGroup) -> int | None:
        """Of a config's present version, as agents have it because of a group; None when it is to run nowhere."""
        detail = self._detail(config, group)
        return detail.version if detail is not None and detail.version != DELETED else None

    def _applied(self, report: Report) -> dict[str, ConfigDetail | None]:
        """What is applied to an agent's groups. None: this release cannot make a pipeline of it, the agent keeps what it has."""
        applied: dict[str, ConfigDetail | None] = {}
        for group in self._membership.groups_of(report):
            for config in self._collection.configs_of(group):
                version = self.version_for(config, report.agent)
                if version is not None:
                    applied.setdefault(f"{config.project}@{config.name}", self._detail(version, group))
        return applied

    def _updates(self, report: Report) -> list[ConfigDetail]:
        held: Mapping[str, ConfigInfo] = report.continuous
        applied = self._applied(report)
        changed = [one for name, one in applied.items() if one is not None and _differs(one, held.get(name))]
        return [*changed, *(ConfigDetail(name, DELETED) for name in held if name not in applied)]

    def _detail(self, config: Config, group: MachineGroup) -> ConfigDetail | None:
        """None for a config that this release cannot make a pipeline of."""
        topic = str(group.attribute.get("groupTopic", ""))
        key = (config.id, config.version, topic)
        if key not in self._details:
            self._details[key] = made = self._made(config, topic)
            self._details_bytes += _size(made)
            while self._details_bytes > MAX_KEPT_BYTES and len(self._details) > 1:
                self._details_bytes -= _size(self._details.popitem(last=False)[1])
        self._details.move_to_end(key)
        return self._details[key]

    def _made(self, config: Config, topic: str) -> ConfigDetail | None:
        name = f"{config.project}@{config.name}"
        try:
            pipeline = pipeline_of(name, config.document, config.form, endpoint=self._endpoint, project=config.project, topic=topic)
        except ConfigErrors as errors:
            log.warning("a config cannot be delivered", project=config.project, config=config.name, reason=str(errors))
            return None
        if not pipeline.enable:
            return ConfigDetail(name, DELETED)
        detail = pipeline.canonical().encode()
        version = int.from_bytes(hashlib.sha256(detail).digest()[:8], "big") >> 1 or 1
        extra = {"project": config.project.encode(), "config_version": str(config.version).encode()}
        return ConfigDetail(name, version, detail, extra)


def says_something(answer: HeartbeatResponse) -> bool:
    """Whether the agent has to do something about it."""
    updates = answer.continuous_pipeline_config_updates or answer.instance_config_updates or answer.onetime_pipeline_config_updates
    return bool(updates or answer.flags or answer.common_response.status)


def _is_of_another(boot_id: str, holder: Agent) -> bool:
    """Whether a start is another one than that which holds the agent's id. One that does not say, or a holder that never did, is none."""
    return bool(holder.boot_id) and boot_id not in ("", holder.boot_id)


def _size(detail: ConfigDetail | None) -> int:
    return DETAIL_BYTES + (len(detail.detail) if detail is not None else 0)


def _differs(detail: ConfigDetail, held: ConfigInfo | None) -> bool:
    if held is None:
        return detail.version != DELETED
    return held.version != detail.version

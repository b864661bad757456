"""The agents of a project as a list: how each of them is, what it belongs to, what it runs. And why one is not where it should be."""

import asyncio
import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tailrace.server.db.collection import Collection
from tailrace.server.db.labels import label_of
from tailrace.server.db.records import Agent, Config, MachineGroup
from tailrace.server.db.roster import Roster
from tailrace.server.fleet.heartbeats import Heartbeats
from tailrace.server.fleet.membership import Membership
from tailrace.server.fleet.report import Report, seen_by
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.status import Standing, Status
from tailrace.wire.control import ConfigStatus
from tailrace.wire.vitals import VitalAlarm

AT_ONCE: Final = 250
"""Agents that are looked at before others get their turn."""
DOCTOR: Final = "`tailrace agent doctor` on the machine says what keeps it"


@dataclass(frozen=True, slots=True)
class Entry:
    """`report` is None of an agent that never reported."""

    agent: Agent
    report: Report | None
    standing: Standing
    groups: Sequence[MachineGroup]
    """Of the project."""
    alarms: Sequence[VitalAlarm] = ()
    """Those that the project may see."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What all must hold; empty texts hold for all. `host` may have `*` and `?`."""

    status: str = ""
    group: str = ""
    host: str = ""
    ip: str = ""
    user_defined_id: str = ""
    version: str = ""
    config: str = ""
    """One that it has been given."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `ok` or not, and what to do."""

    ok: bool
    what: str
    hint: str = ""


class Roll:
    """Reads only."""

    def __init__(self, roster: Roster, collection: Collection, reports: Reports, membership: Membership, heartbeats: Heartbeats) -> None:
        self._roster = roster
        self._collection = collection
        self._reports = reports
        self._membership = membership
        self._heartbeats = heartbeats

    def entries(self, project: str, wanted: Filter = Filter()) -> Iterator[Entry]:
        """By agent. An empty project stands for all."""
        found = (self._wanted(agent, project, wanted) for agent in self._roster.agents())
        return (entry for entry in found if entry is not None)

    async def listed(self, project: str, wanted: Filter = Filter()) -> list[Entry]:
        """As `entries`; others get their turn meanwhile, as there may be thousands."""
        found: list[Entry] = []
        for count, agent in enumerate(self._roster.agents(), 1):
            if not count % AT_ONCE:
                await asyncio.sleep(0)
            if (entry := self._wanted(agent, project, wanted)) is not None:
                found.append(entry)
        return found

    def _wanted(self, agent: Agent, project: str, wanted: Filter) -> Entry | None:
        if project and not self._roster.is_granted(agent.id, project):
            return None
        entry = self.entry(agent, project)
        return entry if _fits(entry, wanted, project) else None

    def entry(self, agent: Agent, project: str) -> Entry:
        report = self._reports.get(agent.id)
        if report is None:
            return Entry(agent, None, Standing(Status.NEW, "it has not reported yet", agent.created), ())
        groups = [] if report.retired else [one for one in self._membership.groups_of(report) if project in ("", one.project)]
        seen = seen_by(report, project) if project and self._works_for_others(report, project) else report
        return Entry(agent, report, self._reports.standing(report, seen), groups, seen.vitals.alarms)

    def _works_for_others(self, report: Report, project: str) -> bool:
        granted = any(grant.project != project for grant in self._roster.grants(report.agent))
        return granted or any(not name.startswith(f"{project}@") for name in report.continuous)

    def why(self, project: str, machine: str, *, group: str = "", config: str = "") -> list[Finding]:
        """Why a machine, named by address, id, host name or agent, is not in a group, or does not collect. The first that is not ok is the
        reason. ApiError 404 for a group or config that is not there."""
        of_group = self._collection.group(project, group) if group else None
        of_config = self._collection.config(project, config) if config else None
        found = [one for one in self.entries(project) if _is_named(one, machine)]
        if not found:
            return [self._unknown(project, machine)]
        findings: list[Finding] = []
        for entry in found:
            name = f"{entry.agent.host_name or entry.agent.id} ({entry.agent.id})"
            findings += [Finding(True, f"agent {name} is enrolled in project `{project}`"), *self._about(entry, of_group, of_config)]
        return findings

    def _unknown(self, project: str, machine: str) -> Finding:
        hint = f"join it: `tailrace agent enroll` on it, with a token of `tailrace agent token create --project {project}`"
        return Finding(False, f"no agent of project `{project}` goes by `{machine}`", hint)

    def _about(self, entry: Entry, group: MachineGroup | None, config: Config | None) -> Iterator[Finding]:
        if entry.agent.revoked is not None:
            yield Finding(False, "it was revoked", f"`tailrace agent reinstate {entry.agent.id}` lets it in again")
        if (report := entry.report) is None:
            yield Finding(False, "it has never reported", f"start it: `tailrace agent start`; {DOCTOR}")
            return
        status = entry.standing
        works = status.status in (Status.HEALTHY, Status.APPLYING)
        hint = DOCTOR if status.status in (Status.SILENT, Status.RETIRED) else ""
        yield Finding(works, f"it is {status.status.value}{': ' if status.reason else ''}{status.reason}", hint)
        if group is not None:
            yield self._about_group(entry, report, group)
        configs = [config] if config is not None else [one for group_ in entry.groups for one in self._collection.configs_of(group_)]
        if not configs:
            yield Finding(False, "no config is applied to a group that it belongs to", "`tailrace group apply GROUP CONFIG`")
        for one in dict.fromkeys(one.name for one in configs):
            yield self._about_config(entry, report, one)

    def _about_group(self, entry: Entry, report: Report, group: MachineGroup) -> Finding:
        if group in entry.groups:
            return Finding(True, f"it belongs to group `{group.name}`")
        for known, reason in self._membership.kept_out(report):
            if known == group:
                return Finding(False, f"it does not belong to group `{group.name}`: {reason}")
        own = report.addresses if group.identify_by == "ip" else report.user_defined_ids
        kind, where = ("address", "`working_ip`") if group.identify_by == "ip" else ("user-defined id", "`HOME/user_defined_id`")
        carries = ", ".join(f"`{one}`" for one in own) or "none"
        wants = ", ".join(f"`{one}`" for one in group.machines[:5])
        return Finding(
            False,
            f"group `{group.name}` names no {kind} that it carries: it carries {carries}, the group names {wants}",
            f"add one to the group, or set it on the machine ({where})",
        )

    def _about_config(self, entry: Entry, report: Report, config: str) -> Finding:
        project = entry.groups[0].project if entry.groups else ""
        name = f"{project}@{config}"
        wanted, info = self._heartbeats.wanted(report).get(name), report.continuous.get(name)
        if wanted is None and info is None:
            what = f"config `{config}` is applied to none of its groups, or cannot run on this release"
            return Finding(False, what, "`tailrace group apply GROUP CONFIG`")
        if info is None:
            return Finding(False, f"config `{config}` has not reached it yet")
        if info.status == ConfigStatus.FAILED:
            return Finding(False, f"config `{config}` cannot run on it: {info.message}")
        if info.status != ConfigStatus.APPLIED or (wanted is not None and wanted.version != info.version):
            return Finding(False, f"config `{config}` is being taken over")
        return Finding(True, f"config `{config}` runs on it")


def _fits(entry: Entry, wanted: Filter, project: str) -> bool:
    report = entry.report
    return (
        (not wanted.status or wanted.status in (entry.standing.status.value, entry.standing.status.name.lower()))
        and (not wanted.group or wanted.group in [group.name for group in entry.groups])
        and (not wanted.host or _matches(wanted.host, [entry.agent.host_name, report.host_name if report else ""]))
        and (not wanted.ip or (report is not None and _has_address(report, wanted.ip)))
        and (not wanted.user_defined_id or (report is not None and wanted.user_defined_id in report.user_defined_ids))
        and (not wanted.version or (report is not None and report.version == wanted.version))
        and (not wanted.config or (report is not None and any(_is_config(name, wanted.config, project) for name in report.continuous)))
    )


def _is_config(name: str, config: str, project: str) -> bool:
    return name == f"{project}@{config}" if project else name.partition("@")[2] == config


def _is_named(entry: Entry, machine: str) -> bool:
    report, names = entry.report, {entry.agent.id, entry.agent.host_name}
    if machine in names:
        return True
    return report is not None and (machine in (*report.user_defined_ids, report.host_name) or _has_address(report, machine))


def _has_address(report: Report, address: str) -> bool:
    wanted = label_of(address, is_address=True)
    return any(label_of(one, is_address=True) == wanted for one in report.addresses)


def _matches(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name.lower(), pattern.lower()) for name in names if name)

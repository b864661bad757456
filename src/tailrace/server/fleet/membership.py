"""Which agents belong to a machine group, and why a machine that is named in one does not.

An address or a user-defined id is only a label: an agent belongs to a group of a project when it carries one of the group's labels, is
enrolled in that project, and runs on the system that the group has (the manual: Windows and Linux hosts are never in one group).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tailrace.server.db.collection import Collection
from tailrace.server.db.records import MachineGroup
from tailrace.server.db.roster import Roster
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.reports import Reports


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A machine that a group names, or an agent that carries its label, and that is no member all the same."""

    machine: str
    agent: str
    """The agent that carries the label, empty when none does."""
    reason: str


class Membership:
    """Reads only."""

    def __init__(self, collection: Collection, roster: Roster, reports: Reports) -> None:
        self._collection = collection
        self._roster = roster
        self._reports = reports
        self._systems: dict[int, tuple[tuple[object, ...], str]] = {}
        """Group → what its system was found from, and the system."""
        self._members: dict[int, tuple[tuple[object, ...], Sequence[str]]] = {}
        """Group → what its members were found from, and the members, by agent."""

    def groups_of(self, report: Report) -> Iterator[MachineGroup]:
        """The groups whose member an agent is, by project and name."""
        for grant in self._roster.grants(report.agent):
            for group in self._collection.groups_naming(grant.project, report.addresses, report.user_defined_ids):
                if not self._objection(report, group):
                    yield group

    def kept_out(self, report: Report) -> Iterator[tuple[MachineGroup, str]]:
        """The groups of its projects that name an agent and do not have it, each with the reason."""
        for grant in self._roster.grants(report.agent):
            for group in self._collection.groups_naming(grant.project, report.addresses, report.user_defined_ids):
                if reason := self._objection(report, group):
                    yield group, reason

    def members(self, group: MachineGroup) -> list[Report]:
        """By agent."""
        return [report for agent in self.member_ids(group) if (report := self._reports.get(agent)) is not None]

    def member_ids(self, group: MachineGroup) -> Sequence[str]:
        """In order. Found once, and again when a label or a grant has changed: there may be thousands."""
        follows_from = group, self._reports.changes, self._roster.changes
        known = self._members.get(group.id)
        if known is None or known[0] != follows_from:
            found = [report.agent for report in self._carriers(group) if not self._objection(report, group)]
            known = self._members[group.id] = follows_from, found
        return known[1]

    def _carriers(self, group: MachineGroup) -> list[Report]:
        """The agents that carry one of its labels, by agent."""
        by_address = group.identify_by == "ip"
        found = {one.agent: one for label in group.machines for one in self._reports.carriers(label, by_address=by_address)}
        return [found[agent] for agent in sorted(found)]

    def unresolved(self, group: MachineGroup) -> list[Unresolved]:
        """In the group's order."""
        found: list[Unresolved] = []
        for machine in group.machines:
            found_by_it = self._reports.carriers(machine, by_address=group.identify_by == "ip")
            carriers = [one for one in found_by_it if self._is_of(one, group.project)]
            found += [Unresolved(machine, one.agent, reason) for one in carriers if (reason := self._objection(one, group))]
            if not carriers:
                found.append(Unresolved(machine, "", f"no agent has reported this {_noun(group)}"))
        return found

    def _objection(self, report: Report, group: MachineGroup) -> str:
        """Why an agent with the group's label does not belong to it; empty when it does."""
        if not self._is_of(report, group.project):
            return f"it is not enrolled in project `{group.project}`"
        if self._roster.known_agent(report.agent).revoked is not None:
            return "it was revoked"
        system = self._system(group)
        if system and report.family != system:
            return f"it runs {report.system or 'an unknown system'}, the group's agents run {system}"
        return ""

    def _system(self, group: MachineGroup) -> str:
        """Of the group's agent that was enrolled first; empty while all agents run the same."""
        if not self._reports.is_mixed:
            return ""
        known = group, self._reports.changes, self._roster.changes
        if self._systems.get(group.id, ((), ""))[0] != known:
            own = [one for one in self._carriers(group) if self._is_of(one, group.project)]
            aged = [(agent.created, agent.id, one) for one in own if (agent := self._roster.known_agent(one.agent)).revoked is None]
            self._systems[group.id] = known, min(aged)[2].family if aged else ""
        return self._systems[group.id][1]

    def _is_of(self, report: Report, project: str) -> bool:
        """Agents of other projects are nobody's business here, whatever labels they carry."""
        return self._roster.is_granted(report.agent, project)


def _noun(group: MachineGroup) -> str:
    return "address" if group.identify_by == "ip" else "user-defined id"

"""What agents have said of themselves, in their own heartbeats: as they are, not as they were told to be. Found by agent and by label.

In memory for readers; `keeping` writes what has changed to the database, so that a server that starts again knows its agents.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tailrace.server.db.labels import label_of
from tailrace.server.fleet.report import Report, reported
from tailrace.server.fleet.status import Standing, condition, is_over, standing
from tailrace.wire.control import HeartbeatRequest
from tailrace.wire.vitals import decode

_Labels = dict[str, set[str]]


class Reports:
    """Belongs to the server's event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._began_at = clock()
        self._reports: dict[str, Report] = {}
        self._by_address: _Labels = {}
        self._by_id: _Labels = {}
        self._families: Counter[str] = Counter()
        self.changes = 0
        """Counts what may move an agent from group to group."""
        self.unsaved: set[str] = set()
        """Agents whose report differs from what is kept of them, by more than the time of the last beat."""

    def __iter__(self) -> Iterator[Report]:
        """By agent; those that were given up as well."""
        return iter([self._reports[agent] for agent in sorted(self._reports)])

    def get(self, agent: str) -> Report | None:
        return self._reports.get(agent)

    def carriers(self, label: str, *, by_address: bool) -> list[Report]:
        """The agents that carry a label and were not given up, by agent."""
        found = (self._by_address if by_address else self._by_id).get(label_of(label, is_address=by_address), ())
        return [self._reports[agent] for agent in sorted(found)]

    @property
    def is_mixed(self) -> bool:
        """Whether there are agents on Windows and on Linux."""
        return len(self._families) > 1

    def standing(self, report: Report, seen: Report | None = None) -> Standing:
        """In the eyes of one project, which sees no more than `seen` of it (`report.seen_by`); by default of all."""
        now = self._clock()
        if seen is not None and seen != report:
            status, reason = condition(seen, now)
            since = report.since if status == report.status else report.last_beat
            report = replace(report, status=status, reason=reason, since=since)
        return standing(report, now, self._began_at)

    def take(self, agent: str, beat: HeartbeatRequest, *, full: bool) -> Report | None:
        """The agent's state with this beat; None when only a full one can tell it: one before was lost, or the server is new."""
        known, now = self._reports.get(agent), int(self._clock())
        if full:
            report = reported(agent, beat, known, now)
        elif known is None or known.retired or beat.sequence_num != known.sequence + 1:
            return None
        else:
            vitals = decode(beat.opaque) if beat.opaque else known.vitals
            report = replace(known, sequence=beat.sequence_num, last_beat=now, vitals=vitals)
        return self._judged(known, report, now, full=full)

    def intruded(self, agent: str, by: str) -> None:
        """Another machine has claimed the agent's id."""
        if (known := self._reports.get(agent)) is not None:
            now = int(self._clock())
            self._judged(known, replace(known, intruder=by, intruded=now), now, full=True)

    def restore(self, reports: Iterable[Report]) -> None:
        """What was kept when the server stopped."""
        for report in reports:
            self._put(report)

    def retire(self) -> list[str]:
        """Give up the agents that were silent for too long; which ones."""
        now = self._clock()
        gone = [one for one in self._reports.values() if not one.retired and is_over(one, now)]
        for one in gone:
            self._put(replace(one, retired=int(now)))
            self.unsaved.add(one.agent)
        return [one.agent for one in gone]

    def forget(self, agent: str) -> None:
        if (known := self._reports.pop(agent, None)) is not None:
            self._unlist(known)
            self.unsaved.add(agent)

    def _judged(self, known: Report | None, report: Report, now: int, *, full: bool) -> Report:
        status, reason = condition(report, now)
        if (status, reason) != (report.status, report.reason):
            since = report.since if status == report.status else now
            report, full = replace(report, status=status, reason=reason, since=since), True
        if full:
            self.unsaved.add(report.agent)
        if known is not None and _listed(known) == _listed(report):
            self._reports[report.agent] = report
        else:
            self._put(report)
        return report

    def _put(self, report: Report) -> None:
        if (known := self._reports.get(report.agent)) is not None:
            self._unlist(known)
        self._reports[report.agent] = report
        self.changes += 1
        if report.retired:
            return
        self._families[report.family] += 1
        for labels, index in self._labels(report):
            for label in labels:
                index.setdefault(label, set()).add(report.agent)

    def _labels(self, report: Report) -> tuple[tuple[Iterable[str], _Labels], ...]:
        """What it is listed under, and where."""
        addresses = {label_of(one, is_address=True) for one in report.addresses}
        return (addresses, self._by_address), (report.user_defined_ids, self._by_id)

    def _unlist(self, report: Report) -> None:
        self.changes += 1
        if report.retired:
            return
        self._families[report.family] -= 1
        self._families = +self._families
        for labels, index in self._labels(report):
            for label in labels:
                index[label].discard(report.agent)
                if not index[label]:
                    del index[label]


def _listed(report: Report) -> tuple[object, ...]:
    """What it is found by."""
    return report.addresses, report.user_defined_ids, report.family, bool(report.retired)

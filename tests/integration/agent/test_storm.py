"""Configs change again and again while files are written: nothing is lost or there twice, and the last version runs everywhere.

The long form makes 1 000 changes while 20 MB/s are written; `TAILRACE_STORM_CHANGES` and `TAILRACE_STORM_RATE` (MB/s) change that.
"""

import os
import random
import time
from pathlib import Path

import pytest

from tests.integration.agent.fleet import until
from tests.integration.agent.storm import Storm, storm
from tests.integration.agent.storm_writer import Readers, Writer

PAUSE_SECS = 0.2
"""At most, between two changes: some come while the one before is taken over."""


@pytest.mark.timeout(300)
def test_a_storm_of_changes_short_form(tmp_path: Path) -> None:
    assert longest_wait_through(tmp_path, changes=30, mb_per_sec=1.0) < 10


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_changes_at_full_rate(tmp_path: Path) -> None:
    changes, rate = int(os.environ.get("TAILRACE_STORM_CHANGES", "1000")), float(os.environ.get("TAILRACE_STORM_RATE", "20"))
    assert longest_wait_through(tmp_path, changes=changes, mb_per_sec=rate) <= 1.0


def longest_wait_through(directory: Path, *, changes: int, mb_per_sec: float) -> float:
    """Seconds that a line has waited to be read, through so many changes that lose and repeat nothing."""
    with storm(directory) as fleet:
        logs, pause, before = fleet.all_logs, random.Random(2), sessions(fleet)
        readers = Readers([machine.home for machine in fleet.machines], logs)
        with Writer(logs, mb_per_sec * 1e6), readers:
            for number in range(1, changes + 1):
                fleet.change(number)
                time.sleep(pause.uniform(0, PAUSE_SECS))
            until(lambda: fleet.latest() == fleet.wanted(), "the last edition reads each file", every=1.0)
        lines = sum(log.lines for log in logs)
        until(lambda: fleet.count() >= lines, f"{lines} events", every=1.0)
        time.sleep(2)  # a repeat that comes late must be seen
        assert fleet.stored() == {log.name: (log.lines, log.lines, 0, log.lines - 1) for log in logs}
        assert sessions(fleet) == before, "\n".join(machine.log() for machine in fleet.machines)
        print(f"{changes} changes, {lines} lines, longest wait {readers.longest:.2f} s, of {readers.longest_of}")
        return readers.longest


def sessions(fleet: Storm) -> dict[str, int]:
    """Machine → how often its agent began anew, which no change may make it do."""
    return {machine.name: machine.log().count("agent is at work") for machine in fleet.machines}

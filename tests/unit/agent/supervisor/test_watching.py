"""When a worker counts as hung, when as over its limits, and how long the next one waits."""

import pytest

from tailrace.agent.platform import Usage
from tailrace.agent.supervisor import excess, pulse
from tailrace.agent.supervisor.excess import Bounds, Excess
from tailrace.agent.supervisor.pauses import Pauses
from tailrace.agent.supervisor.pulse import Pulse
from tailrace.testing.clock import Clock

MIB = 1 << 20


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock(1000.0)
    monkeypatch.setattr(pulse, "time", one)
    monkeypatch.setattr(excess, "time", one)
    return one


def looks(clock: Clock, watched: Pulse, seconds: int):
    """One look per second; the first standstill, and after how many seconds it was seen."""
    for second in range(1, seconds + 1):
        clock.now += 1
        if (still := watched.look()) is not None:
            return still, second
    return None, seconds


def test_a_silent_worker_is_hung_after_its_patience(clock: Clock):
    watched = Pulse()
    watched.beat({"hang_secs": 10})
    still, after = looks(clock, watched, 60)
    assert still is not None
    assert (still.part, still.pipeline, after) == ("it has reported nothing", "", 11)


def test_a_part_that_stands_still_is_named_with_its_pipeline(clock: Clock):
    watched = Pulse()
    part = {"part": "it has worked on one range", "pipeline": "app", "version": "v"}
    watched.beat({"hang_secs": 10, "parts": [{**part, "still_secs": 9.0}, {"part": "its reader", "still_secs": 30.0, "times": 10}]})
    assert watched.look() is None
    watched.beat({"hang_secs": 10, "parts": [{**part, "still_secs": 10.5}]})
    still = watched.look()
    assert still is not None
    assert (still.pipeline, still.version) == ("app", "v")


def test_a_machine_that_slept_does_not_kill_its_worker(clock: Clock):
    watched = Pulse()
    watched.beat({"hang_secs": 10})
    clock.now += 3600
    assert watched.look() is None
    assert looks(clock, watched, 10) == (None, 10)


NONSENSE = [
    {"parts": 7},
    {"parts": ["x"]},
    {"parts": [{"part": "its reader"}]},
    {"parts": [{"part": "its reader", "still_secs": "long"}]},
    {"parts": [{"part": "its reader", "still_secs": 99, "times": None}]},
]


@pytest.mark.parametrize("report", NONSENSE)
def test_a_report_that_cannot_be_understood_is_none(clock: Clock, report: dict):
    watched = Pulse()
    watched.beat({"hang_secs": 10})
    clock.now += 3
    with pytest.raises((KeyError, TypeError, ValueError)):
        watched.beat({"hang_secs": 1000, **report})
    assert looks(clock, watched, 60)[1] == 8


@pytest.mark.parametrize("report", [{"cpu_limit": "much"}, {"memory_limit": None}, {"memory_limit": float("inf")}])
def test_limits_that_cannot_be_understood_are_said_to_be(report: dict):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        Bounds.of(report)


def over(clock: Clock, watched: Excess, seconds: int, *, cores: float = 0.0, mib: int = 100, limits: dict):
    """One look per second at a steady use; why it is over, and after how many seconds that was said."""
    for second in range(1, seconds + 1):
        clock.now += 1
        used = Usage(watched.used.cpu_secs + cores, mib * MIB, 1)
        if why := watched.look(used, Bounds.of(limits)):
            return why, second
    return "", seconds


LIMITS = {"cpu_limit": 0.4, "memory_limit": 384 * MIB, "over_limit_secs": 300}


def test_cpu_over_its_limit_is_borne_for_the_period(clock: Clock):
    assert over(clock, Excess(), 600, cores=0.43, limits=LIMITS) == ("", 600)
    why, after = over(clock, Excess(), 600, cores=1.0, limits=LIMITS)
    assert why == "it used 1.00 cores for 300 s, its limit is 0.4"
    assert after == 301


def test_what_a_start_takes_is_no_excess(clock: Clock):
    little = {"cpu_limit": 0.1, "over_limit_secs": 10}
    assert over(clock, Excess(), 30, cores=0.2, limits=little)[1] == 11
    watched = Excess()
    assert over(clock, watched, 8, cores=0.2, limits=little)[0] == ""
    watched.started()
    assert over(clock, watched, 30, cores=0.1, limits=little) == ("", 30)
    assert over(clock, watched, 30, cores=0.2, limits=little)[0]


def test_memory_over_its_limit_is_borne_for_the_period_and_far_over_not_at_all(clock: Clock):
    assert over(clock, Excess(), 600, mib=420, limits=LIMITS) == ("", 600)
    assert over(clock, Excess(), 600, mib=430, limits=LIMITS) == ("it holds 430 MiB of memory, its limit is 384 MiB", 301)
    assert over(clock, Excess(), 600, mib=600, limits=LIMITS) == ("it holds 600 MiB of memory, its limit is 384 MiB", 1)


def test_memory_that_came_down_again_is_forgiven(clock: Clock):
    watched = Excess()
    assert over(clock, watched, 200, mib=430, limits=LIMITS)[0] == ""
    assert over(clock, watched, 1, mib=380, limits=LIMITS)[0] == ""
    assert over(clock, watched, 299, mib=430, limits=LIMITS)[0] == ""


def test_without_limits_nothing_is_over(clock: Clock):
    assert over(clock, Excess(), 600, cores=8.0, mib=9000, limits={}) == ("", 600)


def test_pauses_double_up_to_five_minutes_and_are_forgotten():
    pauses = Pauses()
    assert [pauses.after(1.0) for _ in range(12)] == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert pauses.after(301.0) == 0.5
    pauses.after(0.0)
    pauses.forget()
    assert pauses.after(0.0) == 0.5

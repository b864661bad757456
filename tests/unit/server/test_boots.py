"""Two starts claim one agent's id: which one keeps it."""

from dataclasses import replace

import pytest

from tailrace.server.db.records import Agent
from tailrace.server.fleet.boots import Boot, Boots, Verdict

LIVE = 60.0


class Fleet:
    """One agent, enrolled on machine `m`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.boots = Boots(LIVE, lambda: self.now)
        self.agent = Agent("a", 1, public_key="p", machine_id="m")

    def beat(self, boot: str, previous: str = "", machine: str = "m", *, knows_it_is_older: bool = False) -> Verdict:
        self.now += 10
        verdict = self.boots.judge(self.agent, Boot(boot, frozenset(previous.split()), machine, knows_it_is_older))
        if verdict in (Verdict.TAKES, Verdict.OUSTS):
            self.agent = replace(self.agent, boot_id=boot)
        return verdict


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_one_start_follows_the_other(fleet: Fleet) -> None:
    assert [fleet.beat("one"), fleet.beat("one")] == [Verdict.TAKES, Verdict.HOLDS]
    assert [fleet.beat("two", "one"), fleet.beat("two")] == [Verdict.TAKES, Verdict.HOLDS]


def test_a_start_that_does_not_know_the_one_before_waits_until_that_is_silent(fleet: Fleet) -> None:
    fleet.beat("one")
    fleet.now += LIVE
    assert fleet.beat("two") is Verdict.TAKES


@pytest.mark.parametrize("previous", ["", "zero"])
def test_a_copy_on_another_machine_is_turned_away(fleet: Fleet, previous: str) -> None:
    fleet.beat("one", "zero")
    assert fleet.beat("copy", previous, "elsewhere") is Verdict.NEW_CONFLICT
    assert [fleet.beat("copy", previous, "elsewhere"), fleet.beat("one")] == [Verdict.CONFLICT, Verdict.HOLDS]


def test_the_machine_of_the_enrolment_gets_its_id_back(fleet: Fleet) -> None:
    """The copy came first, while the original was down."""
    fleet.beat("copy", "zero", "elsewhere")
    assert fleet.beat("one", "zero") is Verdict.OUSTS
    assert fleet.beat("copy", "zero", "elsewhere") is Verdict.CONFLICT


def test_a_copy_that_gives_itself_out_for_the_successor_is_found_out(fleet: Fleet) -> None:
    fleet.beat("one")
    assert fleet.beat("copy", "one", "elsewhere") is Verdict.TAKES
    assert [fleet.beat("one"), fleet.beat("copy", "one", "elsewhere")] == [Verdict.OUSTS, Verdict.CONFLICT]


def test_on_one_machine_the_first_one_keeps_it(fleet: Fleet) -> None:
    fleet.beat("one")
    assert fleet.beat("copy", "one") is Verdict.TAKES
    assert [fleet.beat("one"), fleet.beat("copy", "one"), fleet.beat("one")] == [Verdict.OUSTS, Verdict.CONFLICT, Verdict.HOLDS]


def test_who_was_turned_away_does_not_slip_in_while_the_other_restarts(fleet: Fleet) -> None:
    fleet.beat("one")
    fleet.beat("copy", "", "elsewhere")
    fleet.now += 2 * LIVE
    assert fleet.beat("copy", "", "elsewhere") is Verdict.CONFLICT
    assert fleet.beat("two", "one") is Verdict.TAKES


def test_a_start_that_the_server_never_heard_of_does_not_break_the_line(fleet: Fleet) -> None:
    """It died while the server could not be reached, or before it could ask."""
    fleet.beat("one")
    assert [fleet.beat("four", "one two three"), fleet.beat("four")] == [Verdict.TAKES, Verdict.HOLDS]


def test_on_the_machine_of_the_enrolment_who_was_turned_away_takes_over_from_one_that_is_silent(fleet: Fleet) -> None:
    """Its home had no room to note the start before it."""
    fleet.beat("one")
    assert fleet.beat("two") is Verdict.NEW_CONFLICT
    fleet.now += LIVE
    assert [fleet.beat("two"), fleet.beat("two"), fleet.beat("one")] == [Verdict.TAKES, Verdict.HOLDS, Verdict.OUSTS]


def test_a_home_that_knows_nothing_of_the_holder_is_an_older_copy_until_it_has_noted_that(fleet: Fleet) -> None:
    fleet.beat("one")
    fleet.beat("two", "one")
    assert not fleet.boots.is_older("a")
    fleet.now += LIVE
    assert [fleet.beat("again", "one"), fleet.beat("again", "one")] == [Verdict.TAKES, Verdict.HOLDS]
    assert fleet.boots.is_older("a")
    fleet.beat("next", "one again")
    assert fleet.boots.is_older("a"), "the start that was told may have been killed by then"
    fleet.beat("next", "one again", knows_it_is_older=True)
    assert not fleet.boots.is_older("a")
    fleet.beat("last", "next")
    assert not fleet.boots.is_older("a")


def test_a_server_that_has_just_started_does_not_take_the_holder_for_silent(fleet: Fleet) -> None:
    fleet.agent = replace(fleet.agent, boot_id="one")
    assert fleet.beat("copy", "", "elsewhere") is Verdict.NEW_CONFLICT
    assert fleet.beat("two", "one") is Verdict.TAKES

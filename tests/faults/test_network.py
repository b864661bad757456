"""The network and the server's answers fail in every way: afterwards each event is there exactly once."""

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import Installation
from tests.faults.proxy import FAULTS, Proxy
from tests.faults.test_exactly_once import INDEX, PARSE, must_be_there_once, wait_for
from tests.faults.writer import line


class Throughout:
    """A server, and an agent that reaches it only through a proxy."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "logs" / "app.log"
        self.log.parent.mkdir()
        self.installation = Installation(folder / "home", str(self.log), [PARSE], proxy=Proxy)
        self.proxy = self.installation.proxy
        self.written = 0
        self.installation.start("server")
        self.installation.make_logstore(INDEX)
        self.installation.start("agent")

    def write(self, count: int) -> None:
        with self.log.open("ab") as out:
            out.write(b"".join(line(number) for number in range(self.written, self.written + count)))
        self.written += count

    def write_through(self, fault: str, times: int) -> None:
        """Write until a fault has struck so often, and something came through after it."""
        begin, fine = self.proxy.seen.total(), self.proxy.seen["fine"]
        self.proxy.fault = lambda number: fault if number < begin + times else None
        deadline = time.monotonic() + 60
        while self.proxy.seen["fine"] <= fine:
            assert time.monotonic() < deadline, f"{self.proxy.seen}\n{self.installation.tail()}"
            self.write(50)
            time.sleep(0.1)

    def settled(self) -> dict[str, str]:
        """What is there as soon as so much is there as was written."""
        deadline, found = time.monotonic() + 60, dict[str, str]()
        while int(found.get("c", 0)) < self.written and time.monotonic() < deadline:
            (found,) = self.installation.ask("* | select count(1) as c, count(distinct n) as d, min(n) as low, max(n) as high from log")
            time.sleep(0.1)
        return found

    def verify(self) -> None:
        wait_for(self.installation, self.written)
        must_be_there_once(self.installation, self.written)


@pytest.fixture
def throughout(tmp_path: Path) -> Iterator[Throughout]:
    throughout = Throughout(tmp_path)
    yield throughout
    throughout.installation.stop()
    throughout.proxy.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Throughout]:
    """One for all faults: each test finds what those before it left."""
    throughout = Throughout(tmp_path_factory.mktemp("network"))
    yield throughout
    throughout.installation.stop()
    throughout.proxy.stop()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("fault", FAULTS)
def test_after_each_fault_every_event_is_there_once(shared: Throughout, fault: str) -> None:
    proxy = shared.proxy
    shared.write_through(fault, times=2)
    assert proxy.seen[fault] == 2
    if fault == "flipped":
        assert +proxy.answers == {"401": 2}, "whoever alters a packet on its way gets nothing of it stored"
    there = shared.settled()
    assert there == {"c": str(shared.written), "d": str(shared.written), "low": "0", "high": str(shared.written - 1)}


def test_in_the_end_none_has_come_a_second_time_and_each_is_whole(shared: Throughout) -> None:
    assert shared.proxy.seen.total() > 2 * len(FAULTS)
    shared.verify()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(100))
def test_random_mixtures_of_faults(throughout: Throughout, seed: int) -> None:
    chance = random.Random(seed)
    plan = [chance.choice(FAULTS) if chance.random() < 0.6 else None for _ in range(200)]
    order = itertools.chain(plan, itertools.repeat(None))
    throughout.proxy.fault = lambda number: next(order)
    for _ in range(40):
        throughout.write(chance.randint(1, 800))
        time.sleep(chance.uniform(0.0, 0.2))
        if chance.random() < 0.1:
            throughout.installation.kill("agent")
            throughout.installation.start("agent")
    throughout.verify()

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

    def verify(self) -> None:
        wait_for(self.installation, self.written)
        must_be_there_once(self.installation, self.written)


@pytest.fixture
def throughout(tmp_path: Path) -> Iterator[Throughout]:
    throughout = Throughout(tmp_path)
    yield throughout
    throughout.installation.stop()
    throughout.proxy.stop()


@pytest.mark.timeout(200)
def test_after_each_fault_every_event_is_there_once(throughout: Throughout) -> None:
    proxy = throughout.proxy
    for fault in FAULTS:
        throughout.write_through(fault, times=2)
        assert proxy.seen[fault] == 2
    assert +proxy.answers == {"401": 2}  # whoever alters a packet on its way gets nothing of it stored
    throughout.verify()


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

"""Whatever is refused, for however long, is stored in the end: a server that keeps few sequences never takes one for a repeat which it has
not stored."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from tailrace.agent.delivery import isolation
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.lanes import streams
from tailrace.agent.lanes.streams import Entry
from tailrace.errors import DamagedError
from tailrace.pipeline.contract import Delivery, Outcome
from tailrace.server.store import identities
from tailrace.server.store.identities import Identities, Verdict
from tests.unit.agent.delivery.test_delivery_refused import Picky, contents, submit
from tests.unit.agent.delivery.test_delivery_spool import Bench
from tests.unit.store.test_identities import check, store

RANGES = 150


class Keeper(Picky):
    """Knows repeats as the server does. Each sequence that is `stuck` is refused so often, for no reason that lies in the data."""

    def __init__(self) -> None:
        super().__init__()
        self.known_as_stored = Identities()
        self.stuck: dict[int, int] = {}
        self.has: set[tuple[int, int]] = set()
        self.lost: list[int] = []

    async def send(self, payloads):
        await asyncio.sleep(0)
        if self.down:
            return Delivery(Outcome.RETRY, "Down")
        held = {one.identity.sequence for one in payloads} & self.stuck.keys()
        for sequence in held:
            self.stuck[sequence] -= 1
            if not self.stuck[sequence]:
                del self.stuck[sequence]
        if held:
            return Delivery(Outcome.RETRY, "NotNow")
        found = {one.identity: contents(one) for one in payloads}
        if any(text in self.bad for texts in found.values() for text in texts):
            return Delivery(Outcome.DATA, "PostBodyInvalid")
        for identity, texts in found.items():
            name = identity.sequence, identity.part
            if check(self.known_as_stored, identity) is Verdict.DUPLICATE:
                self.lost += [] if name in self.has else [identity.sequence]
                continue
            self.has.add(name)
            self.events += texts
            store(self.known_as_stored, identity)
        return Delivery(Outcome.ACKNOWLEDGED)


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same proportions as the real ones."""
    monkeypatch.setattr(streams, "WINDOW", 8)
    monkeypatch.setattr(isolation, "MOST_HALVES", 7)
    monkeypatch.setattr(identities, "MAX_ABOVE", 32)


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_refused_for_long_is_no_repeat_when_it_comes(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    keeper = Keeper()
    bench = Bench(tmp_path, keeper, share_limit=chance.choice([2_000, 1 << 20]))
    bench.target._attempts._backoff = Backoff(first=0.0001, ceiling=0.0002)
    sources: dict[tuple[str, int], tuple[Entry, list]] = {}
    take = bench.target.submit

    def remember(entry, payloads, durable):
        sources[entry.stream.id, entry.range.sequence] = entry, payloads
        take(entry, payloads, durable)

    def read_again(entry):
        before, payloads = sources[entry.stream.id, entry.range.sequence]
        again = Entry(before.stream, before.range, len(payloads), len(payloads), before.events)
        asyncio.get_running_loop().call_later(chance.choice([0, 0.02]), take, again, payloads, lambda _: None)

    bench.target.submit = remember
    bench.target._spooling._unreadable = read_again
    read = bench.target._spooling.shelf.read
    bench.target._spooling.shelf.read = lambda ref: failing() if chance.random() < 0.1 else read(ref)
    expected: Counter[bytes] = Counter()
    for number in range(RANGES):
        bad = [at for at in range(6) if chance.random() < 0.03]
        own = [b"bad" if at in bad else b"%d.%d" % (number, at) for at in range(6)]
        stream = submit(bench, *own)
        expected.update(text for text in own if text != b"bad")
        if chance.random() < 0.05:
            keeper.stuck[stream.next_sequence - 1] = 60
        if chance.random() < 0.05:
            keeper.down = chance.random() < 0.5
        await asyncio.sleep(chance.choice([0, 0, 0.002]))
    keeper.down = chance.random() < 0.5
    if keeper.down:
        await asyncio.sleep(0.2)  # all that is left goes into the spool
    keeper.down = False
    await bench.done()
    dead = {text for letter in bench.letters.letters() for payload in letter[1].payloads for text in contents(payload)}
    await bench.end()
    assert keeper.lost == []
    assert Counter(keeper.events) + Counter(text for text in expected if text in dead and text not in keeper.events) == expected
    assert not set(keeper.events) & dead


def failing():
    raise DamagedError("told to")


async def test_later_ranges_wait_for_one_that_is_stuck_and_no_other_stream_does(tmp_path: Path) -> None:
    keeper = Keeper()
    bench = Bench(tmp_path, keeper)
    bench.target._attempts._backoff = Backoff(first=0.0001, ceiling=0.0002)
    first = submit(bench, b"stuck").next_sequence - 1
    keeper.stuck[first] = 1 << 30
    await bench.until(lambda: keeper.stuck[first] < 1 << 30)  # alone in its request
    for number in range(50):
        submit(bench, b"later %d" % number)
        submit(bench, b"other %d" % number, key="two")
    await bench.until(lambda: keeper.events.count(b"other 49"))
    assert [text for text in keeper.events if text.startswith(b"later")] == [b"later %d" % number for number in range(7)]
    del keeper.stuck[first]
    await bench.done()
    await bench.end()
    assert len(keeper.events) == 101
    assert keeper.lost == []

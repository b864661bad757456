"""A target in trouble: what waits for it goes into the spool, and comes out again in order, also after a restart."""

import asyncio
import time

import pytest

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter, open_checkpoint
from tailrace.agent.delivery import relief, spooling
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.concurrency import Concurrency
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.adoption import Adoption
from tailrace.agent.lanes.streams import Entry, StreamTable
from tailrace.agent.spool import Spool
from tailrace.errors import BusyError
from tailrace.pipeline.contract import BatchLimits, Delivery, Identity, Outcome, Payload, Range


class Gate:
    """A target that can be down. What it takes is known by (stream, sequence)."""

    target = destination = "gate"
    formerly = ()
    recognises_repeats = True

    def __init__(self, *, down=False, max_payloads=4, seconds=0.0):
        self.down = down
        self.seconds = seconds
        self.limits = BatchLimits(max_payloads=max_payloads, linger=0.0)
        self.taken: list[tuple[str, int]] = []
        self.epochs: set[bytes] = set()
        self.foreign: set[bytes] = set()
        """Epochs under which it has other data."""

    def encode(self, batch, identity):
        return []

    async def open(self):
        pass

    async def send(self, payloads):
        await asyncio.sleep(self.seconds)
        if self.down:
            return Delivery(Outcome.RETRY, "Down")
        if self.foreign & {one.identity.epoch for one in payloads}:
            return Delivery(Outcome.FORK)
        self.taken += [(one.identity.stream, one.identity.sequence) for one in payloads]
        self.epochs |= {one.identity.epoch for one in payloads}
        return Delivery(Outcome.ACKNOWLEDGED)


class Bench:
    """One run of one target on a home: several runs may follow each other."""

    def __init__(self, home, gate, *, share_limit=1 << 20, segments=50):
        self.home, self.gate = home, gate
        opened = open_checkpoint(home / "agent", expected=(home / "agent").exists())
        self.content = opened.content
        self.writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
        self.writer.start()
        self.table = StreamTable("agent", opened.content.streams.values(), opened.content.ranges)
        self.spool = Spool(home, segments=segments, segment_bytes=1 << 16)
        self.adoption = Adoption(self.spool.load(), self.table, self.writer, lambda _: opened.content.rolled_back)
        self.letters = DeadLetters(home, self.spool.cipher)
        self.unreadable: list[Entry] = []
        self.target = Target(
            gate,
            self.writer,
            Share("gate", share_limit),
            shelf=self.spool.shelf("gate"),
            letters=self.letters,
            epoch=opened.content.epoch,
            concurrency=Concurrency(4),
            forked=lambda: None,
            ended=self.table.drop,
            unreadable=self.unreadable.append,
        )
        self.target._attempts._backoff = Backoff(first=0.01, ceiling=0.02)
        self.adopt()
        self.tasks = [asyncio.create_task(self.target.run()), asyncio.create_task(self._look())]

    def adopt(self):
        self.adoption.adopt(self.target)

    async def _look(self):
        while True:
            await asyncio.sleep(0.01)
            self.target.look()

    def submit(self, count, *, key="one", size=100, stream=None):
        stream = stream or self.table.open(self, "gate", "input", key, {"v": 1, "at": 0})
        for _ in range(count):
            sequence = stream.next_sequence
            stream.next_sequence += 1
            at = sequence * 10
            done = Range(stream.id, sequence, at, at + 10, {"v": 1, "at": at + 10}, b"f" * 16, "c")
            identity = Identity(self.content.epoch, stream.id, sequence, at, at + 10, b"f" * 16)
            payload = Payload(identity, bytes(size), size, "lz4", 1)
            self.target.submit(Entry(stream, done, 1, 1), [payload], lambda _: None)
        return stream

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def spooled(self, ranges):
        await self.until(lambda: self.target._spooling.shelf.ranges >= ranges)

    async def done(self):
        await asyncio.sleep(0)
        await self.until(lambda: self.target.idle)

    async def end(self, *, keep=False):
        """As a kill would, once the checkpoint has written what it was told; `keep`: as a stop would."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if keep:
            await self.target.keep_rest()
        self.writer.stop()
        self.spool.close()

    def alarms(self):
        return {alarm.kind for alarm in telemetry.recent_alarms() if alarm.values.get("target") == "gate"}

    def segments(self):
        return list((self.home / "agent" / "spool").glob("*/*.seg"))


@pytest.fixture(autouse=True)
def quick_trouble(monkeypatch):
    monkeypatch.setattr(relief, "TROUBLE_SECS", 0.02)
    monkeypatch.setattr(relief, "SLOW_SECS", 0.1)


def in_order(gate, stream):
    """The sequences of a stream in the order in which they arrived, from 0."""
    numbers = [sequence for id_, sequence in gate.taken if id_ == stream.id]
    return [number - min(numbers) for number in numbers]


def bytes_on_disk() -> float:
    return telemetry.values("tailrace_agent_spool_bytes")[("gate",)]


async def test_what_waits_for_a_target_that_is_down_leaves_the_memory_and_arrives_in_order_when_it_is_back(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(100)
    await bench.spooled(100)
    await bench.until(lambda: bench.target.share.used <= 16 * 100)  # what is under way stays: it probes
    assert bytes_on_disk() > 100 * 100
    gate.down = False
    await bench.done()
    assert sorted(in_order(gate, stream)) == list(range(100))
    assert in_order(gate, stream)[16:] == list(range(16, 100))
    await bench.until(lambda: bench.segments() == [])
    await bench.until(lambda: bytes_on_disk() == 0)
    assert bench.target.share.used == 0
    await bench.end()
    assert open_checkpoint(tmp_path / "agent").content.ranges == {}


async def test_fresh_ranges_of_a_stream_never_overtake_what_the_spool_has_of_it(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    bench.submit(60)
    await bench.spooled(60)
    gate.down = False
    stream = bench.submit(60)
    await bench.done()
    assert in_order(gate, stream)[16:] == list(range(16, 120))
    await bench.end()


async def test_other_streams_take_turns_with_the_spool(tmp_path):
    gate = Gate(down=True, seconds=0.01)
    bench = Bench(tmp_path, gate)
    bench.submit(400)
    await bench.spooled(400)
    gate.down = False
    await bench.until(lambda: gate.taken)
    before = len(gate.taken)
    other = bench.submit(40, key="other")
    await bench.done()
    places = [index for index, (id_, _) in enumerate(gate.taken) if id_ == other.id]
    assert places[-1] - before < 150
    await bench.end()


async def test_what_a_stopped_or_killed_agent_had_in_the_spool_the_next_one_sends(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(50)
    await bench.spooled(50)
    await bench.end()
    gate.down = False
    again = Bench(tmp_path, gate)
    await again.done()
    assert sorted(in_order(gate, stream)) == list(range(50))
    assert again.adoption.left == {}
    await again.until(lambda: again.segments() == [])
    await again.end()
    content = open_checkpoint(tmp_path / "agent").content
    assert content.ranges == {}
    assert content.streams[stream.id].committed == content.streams[stream.id].next


async def test_a_stop_keeps_what_is_not_acknowledged(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(10)
    await bench.until(lambda: bench.target._attempts.failing)
    await bench.end(keep=True)
    gate.down = False
    again = Bench(tmp_path, gate)
    await again.done()
    assert in_order(gate, stream) == list(range(10))
    await again.end()


async def test_a_stream_whose_source_goes_is_kept_at_once_though_nothing_is_wrong(tmp_path):
    gate = Gate()
    gate.limits = BatchLimits(linger=60)
    bench = Bench(tmp_path, gate)
    stream, other = bench.submit(3), bench.submit(3, key="other")
    bench.target.secure(stream)
    await bench.spooled(3)
    await bench.end()
    found = Spool(tmp_path).load()
    assert {id_ for id_, _ in found} == {stream.id} != {other.id}


async def test_a_full_spool_makes_readers_wait_and_nothing_is_lost(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate, share_limit=20_000, segments=1)
    stream = bench.submit(40, size=2000)
    await bench.until(lambda: bench.target._spooling.shelf.room < 5000)
    bench.submit(20, size=2000)
    await bench.until(lambda: bench.target.share.used >= bench.target.share.limit)
    assert bench.target._spooling.shelf.size <= 1 << 16
    gate.down = False
    await bench.done()
    assert sorted(in_order(gate, stream)) == list(range(60))
    await bench.end()


async def test_a_range_that_rots_in_the_spool_goes_back_to_its_source(tmp_path):
    gate = Gate(down=True, max_payloads=1)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(30)
    await bench.spooled(30)
    await bench.until(lambda: bench.target._spooling._queue)  # one may be taken for a probe just now
    victim = next(iter(bench.target._spooling._queue))
    path = bench.target._spooling.shelf._journal.path(victim.kept.place.segment)
    with path.open("r+b") as file:
        file.seek(victim.kept.place.offset + 50)
        file.write(b"\0\0\0\0")
    gate.down = False
    await bench.until(lambda: bench.unreadable)
    [lost] = bench.unreadable
    assert lost is victim
    identity = Identity(bench.content.epoch, stream.id, lost.range.sequence, 0, 1, b"f" * 16)
    bench.target.submit(Entry(stream, lost.range, 1, 1), [Payload(identity, b"again", 5, "lz4", 1)], lambda _: None)
    await bench.done()
    assert sorted(in_order(gate, stream)) == list(range(30))
    await bench.until(lambda: not bench.segments())  # what cannot be read takes no room
    await bench.end()
    content = open_checkpoint(tmp_path / "agent").content
    assert content.ranges == {}
    assert content.streams[stream.id].committed == content.streams[stream.id].next


async def test_a_spool_that_cannot_be_read_for_a_while_is_waited_for_and_no_other_stream_waits_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(spooling, "FIRST_REST_SECS", 0.01)
    gate = Gate(down=True, max_payloads=1)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(30)
    await bench.spooled(30)
    read, tried = bench.target._spooling.shelf.read, []

    def cannot(ref):
        tried.append(ref)
        raise BusyError("too many open files")

    bench.target._spooling.shelf.read = cannot
    gate.down = False
    await bench.until(lambda: len(tried) > 2)
    other = bench.submit(1, key="two")
    await bench.until(lambda: in_order(gate, other))
    assert len(in_order(gate, stream)) <= 4, "what was under way, and nothing of what lies in the spool"
    bench.target._spooling.shelf.read = read
    await bench.done()
    assert sorted(in_order(gate, stream)) == list(range(30))
    assert in_order(gate, stream)[4:] == list(range(4, 30))
    assert bench.unreadable == []
    await bench.end()


async def test_a_damaged_range_is_read_again_before_what_follows_it_in_the_spool(tmp_path):
    gate = Gate(down=True, max_payloads=1)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(10)
    await bench.spooled(10)
    await bench.end()
    found = Spool(tmp_path).load()
    ref, _ = sorted(found.values(), key=lambda one: one[1].range.sequence)[4]
    [path] = bench.segments()
    data = bytearray(path.read_bytes())
    data[ref.place.offset + 50] ^= 1
    path.write_bytes(data)
    again = Bench(tmp_path, gate)
    [(_, state)] = again.table.take_prepared("gate", "input")
    assert [one.sequence - stream.next_sequence + 10 for one in state.prepared] == [4, 5, 6, 7, 8, 9]
    assert len(again.adoption.left) == 5
    again.adopt()  # as a second target of the same destination does
    assert len(again.adoption.left) == 5, "the replay still needs them"
    await again.end()


async def test_with_the_checkpoint_lost_the_spool_is_still_sent_under_its_old_name(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(20)
    await bench.spooled(20)
    await bench.end()
    for path in (tmp_path / "agent").glob("checkpoint*"):
        path.unlink()
    gate.down = False
    again = Bench(tmp_path, gate)
    assert again.content.epoch != bench.content.epoch
    await again.done()
    assert sorted(in_order(gate, stream)) == list(range(20))
    assert gate.epochs == {bench.content.epoch}
    assert (end := again.table.ends_at([stream.id])) is not None
    assert end.end == stream.under_way[-1].range.end
    fresh = again.submit(1)
    assert fresh.next_sequence == stream.next_sequence + 1
    await again.done()
    await again.end()


async def test_after_a_fork_the_spool_is_sent_under_the_new_name(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(5)
    await bench.spooled(5)
    await bench.end()
    database = open_checkpoint(tmp_path / "agent").database
    database.fork(["gate"])
    database.close()
    gate.down, gate.foreign = False, {bench.content.epoch}
    again = Bench(tmp_path, gate)
    await again.done()
    assert sorted(in_order(gate, stream)) == list(range(5))
    assert gate.epochs == {again.content.epoch}
    await again.end()


async def test_what_was_acknowledged_before_a_crash_is_not_sent_again(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    bench.submit(10)
    await bench.spooled(10)
    bench.spool.close()
    saved = {path: path.read_bytes() for path in bench.segments()}
    gate.down = False
    await bench.done()
    await bench.end()
    for path, data in saved.items():
        path.write_bytes(data)
    taken = list(gate.taken)
    again = Bench(tmp_path, gate)
    assert again.target.idle
    assert again.segments() == []
    await again.end()
    assert gate.taken == taken


async def test_an_undisturbed_target_never_touches_the_spool(tmp_path):
    gate = Gate()
    bench = Bench(tmp_path, gate, share_limit=1000)
    began = time.monotonic()
    while time.monotonic() - began < 0.3:
        bench.submit(5)
        await asyncio.sleep(0.002)
    await bench.done()
    await bench.end(keep=True)
    assert not (tmp_path / "agent" / "spool").exists()
    assert not (tmp_path / "secret").exists()


async def test_what_still_comes_of_a_deleted_file_is_kept_as_it_comes(tmp_path):
    gate = Gate()
    gate.limits = BatchLimits(linger=60)
    bench = Bench(tmp_path, gate)
    stream = bench.submit(2)
    bench.target.secure(stream, more_comes=True)
    await bench.spooled(2)
    bench.submit(2, stream=stream)
    await bench.spooled(4)
    await bench.end()
    assert len(Spool(tmp_path).load()) == 4


async def test_what_is_under_way_or_in_the_spool_waits_too(tmp_path):
    gate = Gate(down=True)
    bench = Bench(tmp_path, gate)
    assert bench.target.waiting == (0, 0.0, 0.0)
    bench.submit(30)
    await bench.spooled(30)
    await asyncio.sleep(0.05)
    ranges, oldest, newest = bench.target.waiting
    assert ranges == 30
    assert oldest >= newest >= 0.04
    gate.down = False
    await bench.done()
    assert bench.target.waiting[0] == 0
    await bench.until(lambda: bench.target.waiting[1] == 0.0)
    await bench.end()

"""A target that refuses events for what they are: those become dead letters, and everything else arrives, once."""

import asyncio
import time

import pytest

from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.lanes.streams import Entry
from tailrace.agent.spool import Spool
from tailrace.batch import EventBatch
from tailrace.flushers.sls.groups import halves
from tailrace.pipeline.contract import BatchLimits, Delivery, Identity, Outcome, Payload, Range
from tests.unit.agent.delivery.test_delivery_spool import Bench, Gate


class Picky(Gate):
    """Takes log groups and refuses those that hold `bad` events; remembers events, and knows repeats."""

    def __init__(self, **options):
        super().__init__(**options)
        self.limits = BatchLimits(max_payloads=16, linger=0.0)
        self.bad = {b"bad"}
        self.events: list[bytes] = []
        self.known: set[tuple] = set()
        self.dies_after: int | None = None

    def divide(self, payload):
        return halves(payload)

    async def send(self, payloads):
        await asyncio.sleep(self.seconds)
        if self.down:
            return Delivery(Outcome.RETRY, "Down")
        found = {one.identity: contents(one) for one in payloads}
        if any(text in self.bad for texts in found.values() for text in texts):
            return Delivery(Outcome.DATA, "PostBodyInvalid", "there is something bad in it")
        if self.dies_after is not None:
            self.dies_after -= 1
            self.down = self.dies_after < 0
            if self.down:
                return Delivery(Outcome.RETRY, "Down")
        for identity, texts in found.items():
            name = identity.epoch, identity.stream, identity.sequence, identity.part
            if name not in self.known:
                self.known.add(name)
                self.events += texts
        return Delivery(Outcome.ACKNOWLEDGED)


def contents(payload):
    batch = EventBatch.decode(payload.body, compression="lz4", raw_size=payload.raw_size)
    return [value for _, fields in batch.rows() for _, value in fields]


def submit(bench, *texts, key="one", parts=1):
    """One range with an event per text, in `parts` log groups."""
    stream = bench.table.open(bench, "gate", "input", key, {"v": 1, "at": 0})
    sequence = stream.take_sequences(1)
    at = sequence * 10
    done = Range(stream.id, sequence, at, at + 10, {"v": 1, "at": at + 10, "path": "/var/log/x"}, b"f" * 16, "c")
    payloads = []
    for part in range(parts):
        own = texts[len(texts) * part // parts : len(texts) * (part + 1) // parts]
        encoded = EventBatch.from_events([(time.time_ns(), [(b"content", text)]) for text in own]).encode()
        identity = Identity(bench.content.epoch, stream.id, sequence, at, at + 10, b"f" * 16, part, parts)
        payloads.append(Payload(identity, encoded.body, encoded.raw_size, "lz4", encoded.events))
    bench.target.submit(Entry(stream, done, parts, parts), payloads, lambda _: None)
    return stream


def texts(count, *bad):
    return [b"bad" if number in bad else b"event %d" % number for number in range(count)]


@pytest.mark.parametrize("bad", [(0,), (7,), (99,), (3, 4, 80)])
async def test_only_the_bad_events_become_dead_letters(tmp_path, bad):
    gate = Picky()
    bench = Bench(tmp_path, gate)
    submit(bench, *texts(100, *bad))
    await bench.done()
    assert sorted(gate.events) == sorted(text for text in texts(100, *bad) if text != b"bad")
    rows = bench.letters.rows()
    assert [(row["events"], row["code"], row["path"], row["sample"]) for row in rows] == [
        (1, "PostBodyInvalid", "/var/log/x", "content=bad")
    ] * len(bad)
    await bench.until(lambda: bench.segments() == [])
    await bench.end()


async def test_what_went_in_the_same_request_is_not_touched(tmp_path):
    gate = Picky()
    bench = Bench(tmp_path, gate)
    for number in range(12):
        submit(bench, b"%d" % number, b"bad" if number == 5 else b"good %d" % number, key=f"stream {number}")
    await bench.done()
    assert len(gate.events) == 23
    assert len(bench.letters.rows()) == 1
    await bench.end()


async def test_another_part_of_the_range_may_have_arrived_before(tmp_path):
    gate = Picky()
    gate.limits = BatchLimits(max_payloads=1, linger=0.0)
    bench = Bench(tmp_path, gate)
    submit(bench, *texts(60, 30), parts=3)
    await bench.done()
    assert sorted(gate.events) == sorted(text for text in texts(60, 30) if text != b"bad")
    await bench.end()


@pytest.mark.parametrize("dies_after", range(8))
async def test_a_crash_in_the_midst_of_it_neither_loses_nor_repeats(tmp_path, dies_after):
    gate = Picky()
    gate.dies_after = dies_after
    bench = Bench(tmp_path, gate)
    submit(bench, *texts(64, 40))
    await asyncio.sleep(0)
    await bench.until(lambda: gate.down or bench.target.idle)
    await bench.end()
    gate.down, gate.dies_after = False, None
    again = Bench(tmp_path, gate)
    await again.done()
    assert sorted(gate.events) == sorted(text for text in texts(64, 40) if text != b"bad")
    assert len(again.letters.rows()) == 1
    await again.end()


def test_dead_letters_outlive_the_process_and_are_not_doubled(tmp_path):
    letters = DeadLetters(tmp_path, Spool(tmp_path).cipher)
    from tests.unit.agent.test_spool import SECRET, kept

    letters.add(kept(1))
    letters.add(kept(2))
    letters.close()
    again = DeadLetters(tmp_path, Spool(tmp_path).cipher)
    again.add(kept(2))
    assert [letter.range.sequence for _, letter in again.letters()] == [1, 2]
    files = [path for path in (tmp_path / "agent" / "dead-letters").rglob("*") if path.is_file()]
    assert files
    assert SECRET not in b"".join(path.read_bytes() for path in files)
    again.close()

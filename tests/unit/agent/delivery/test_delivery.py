"""Targets: order, batching, back-pressure, and what becomes of each outcome."""

import asyncio
import threading
import time

import pytest

from tailrace.agent.checkpoint import CheckpointWriter, open_checkpoint
from tailrace.agent.delivery import farewell
from tailrace.agent.delivery.attempts import ALARMS
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.concurrency import Concurrency
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.streams import Entry, StreamTable
from tailrace.agent.spool import Spool
from tailrace.pipeline.contract import BatchLimits, Identity, Outcome, Payload, Range
from tailrace.testing.capture import CaptureFlusher


class ScriptedFlusher(CaptureFlusher):
    """Counts what is under way at once, too."""

    target = destination = "scripted"
    recognises_repeats = True

    def __init__(self, *script, limits=None, seconds=0.0):
        super().__init__(*script, limits=limits, seconds=seconds)
        self.at_once = self.most_at_once = 0
        self.probes = self.most_probes = 0
        """Requests under way at once that were begun after the first failure and before the first success."""
        self.answered = 0

    @property
    def numbers(self):
        """Of each request, the (sequence, part) of its payloads."""
        return [[(one.identity.sequence, one.identity.part) for one in request if not one.identity.ended] for request in self.sent]

    @property
    def farewells(self):
        return [one.identity for request in self.sent for one in request if one.identity.ended]

    def encode(self, batch, identity):
        assert identity.ended
        assert not len(batch)
        return [Payload(identity, b"", 0, "lz4", 0)]

    async def send(self, payloads):
        probes = bool(self.script) and bool(self.answered)
        self.at_once += 1
        self.probes += probes
        self.most_probes = max(self.most_probes, self.probes)
        self.most_at_once = max(self.most_at_once, self.at_once)
        delivery = await super().send(payloads)
        self.at_once -= 1
        self.probes -= probes
        self.answered += 1
        return delivery


class Bench:
    """One target over a real checkpoint."""

    def __init__(self, directory, flusher, share_limit=1 << 20):
        opened = open_checkpoint(directory)
        self.directory = directory
        self.writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
        self.writer.start()
        self.table = StreamTable("agent", [], {})
        self.stream = self.table.open(self, flusher.target, "input", "key", {"v": 1, "at": 0})
        self.first = self.stream.next_sequence
        self.forks = 0
        self.durable: list[int] = []
        self.flusher = flusher
        share = Share("scripted", share_limit)
        self.unreadable: list[Entry] = []
        self.target = Target(
            flusher,
            self.writer,
            share,
            shelf=Spool(directory).shelf(flusher.destination),
            letters=DeadLetters(directory, Spool(directory).cipher),
            epoch=b"e" * 16,
            concurrency=Concurrency(4),
            forked=self._forked,
            ended=self.table.drop,
            unreadable=self.unreadable.append,
        )
        self.task = asyncio.create_task(self.target.run())

    def _forked(self):
        self.forks += 1

    def submit(self, number, *, parts=1, size=100, events=1, compression="lz4"):
        done = Range(self.stream.id, self.first + number, number * 10, number * 10 + 10, {"v": 1, "at": number * 10 + 10}, b"f" * 16, "c")
        identity = [Identity(b"e" * 16, self.stream.id, number, 0, 1, b"f" * 16, part, parts) for part in range(parts)]
        payloads = [Payload(one, b"x" * size, size, compression, events) for one in identity]
        self.target.submit(Entry(self.stream, done, parts, parts), payloads, lambda done: self.durable.append(done.sequence - self.first))

    async def idle(self):
        await asyncio.sleep(0)  # what was submitted before is queued behind this
        async with asyncio.timeout(10):
            while not self.target.idle or self.target._pending:
                await asyncio.sleep(0.005)

    async def close(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.writer.stop()
        opened = open_checkpoint(self.directory)
        opened.database.close()
        return opened.content


async def test_ranges_are_sent_in_order_and_the_position_follows(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher())
    for number in range(50):
        bench.submit(number)
    await bench.idle()
    content = await bench.close()
    assert [one for request in bench.flusher.numbers for one in request] == [(number, 0) for number in range(50)]
    assert content.streams[bench.stream.id].committed == {"v": 1, "at": 500}
    assert not content.ranges
    assert bench.durable == list(range(50))


async def test_what_is_not_acknowledged_stays_prepared(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(limits=BatchLimits(max_payloads=1, linger=0.0), seconds=0.0))
    bench.submit(0)
    await bench.idle()
    bench.flusher.seconds = 60
    bench.submit(1)
    bench.submit(2)
    async with asyncio.timeout(5):
        while bench.flusher.at_once < 2:
            await asyncio.sleep(0.005)
    content = await bench.close()
    assert [one.sequence - bench.first for one in content.ranges[bench.stream.id]] == [1, 2]
    assert content.streams[bench.stream.id].committed == {"v": 1, "at": 10}
    assert content.streams[bench.stream.id].next == {"v": 1, "at": 30}


async def test_nothing_is_sent_before_it_is_durable(tmp_path, monkeypatch):
    bench = Bench(tmp_path, ScriptedFlusher())
    committing = bench.writer._database.commit
    durable = []

    def slow_commit(**operations):
        time.sleep(0.1)
        committing(**operations)
        durable.extend(values[1] for values in operations["prepared"])

    monkeypatch.setattr(bench.writer._database, "commit", slow_commit)
    sending, seen = bench.flusher.send, []

    async def send(payloads):
        seen.append({bench.first + one.identity.sequence for one in payloads} <= set(durable))
        return await sending(payloads)

    bench.flusher.send = send
    for number in range(3):
        bench.submit(number)
    await bench.idle()
    await bench.close()
    assert seen == [True]


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.MISSING])
async def test_every_failure_is_tried_again_and_nothing_dropped(tmp_path, monkeypatch, outcome):
    monkeypatch.setattr("tailrace.agent.delivery.backoff.FIRST_SECS", 0.01)
    bench = Bench(tmp_path, ScriptedFlusher(outcome, outcome, limits=BatchLimits(max_payloads=1, linger=0.0)))
    for number in range(5):
        bench.submit(number)
    await bench.idle()
    await bench.close()
    assert sorted({one for request in bench.flusher.numbers for one in request}) == [(number, 0) for number in range(5)]
    assert len(bench.flusher.numbers) == 7
    assert bench.stream.tally.send_failures == 2
    assert sorted(bench.durable) == list(range(5))


async def test_while_a_target_fails_one_request_at_a_time_probes_it(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(*[Outcome.RETRY] * 6, limits=BatchLimits(max_payloads=1, linger=0.0), seconds=0.01))
    bench.target._attempts._backoff = Backoff(first=0.01)
    for number in range(8):
        bench.submit(number)
    await bench.idle()
    await bench.close()
    assert bench.flusher.most_probes == 1
    assert sorted(bench.durable) == list(range(8))


async def test_a_fork_is_handed_up_and_nothing_is_acknowledged(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(Outcome.FORK))
    bench.submit(0)
    async with asyncio.timeout(5):
        while not bench.forks:
            await asyncio.sleep(0.005)
    content = await bench.close()
    assert bench.durable == []
    assert len(content.ranges[bench.stream.id]) == 1


async def test_a_range_counts_when_all_its_parts_do(tmp_path):
    flusher = ScriptedFlusher(limits=BatchLimits(max_payloads=1, linger=0.0), seconds=0.05)
    bench = Bench(tmp_path, flusher)
    bench.submit(0, parts=6)
    await asyncio.sleep(0.07)
    assert bench.durable == []
    await bench.idle()
    await bench.close()
    assert bench.durable == [0]


async def test_a_range_with_nothing_to_send_moves_the_position(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher())
    bench.submit(0, parts=0)
    await bench.idle()
    content = await bench.close()
    assert bench.flusher.numbers == []
    assert content.streams[bench.stream.id].committed == {"v": 1, "at": 10}


async def test_one_between_others_does_not_overtake_them(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(seconds=60))
    bench.submit(0)
    bench.submit(1, parts=0)
    await asyncio.sleep(0.1)
    content = await bench.close()
    assert content.streams[bench.stream.id].committed == {"v": 1, "at": 0}
    assert [one.sequence - bench.first for one in content.ranges[bench.stream.id]] == [0]


async def test_an_ended_stream_is_forgotten_after_its_last_range(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(seconds=0.05))
    bench.submit(0)
    bench.target.end(bench.stream)
    await bench.idle()
    content = await bench.close()
    assert not content.streams
    assert bench.table.states("scripted", "input") == []


async def test_a_stream_whose_reader_comes_back_before_its_end_was_told_goes_on(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher())
    bench.submit(0)
    bench.target.end(bench.stream)  # takes effect on the loop
    assert bench.table.open(bench, "scripted", "input", "key", {"v": 1, "at": 0}) is bench.stream
    bench.submit(1)
    await bench.idle()
    content = await bench.close()
    assert content.streams[bench.stream.id].committed == {"v": 1, "at": 20}
    assert len(bench.table.states("scripted", "input")) == 1
    assert bench.durable == [0, 1]


async def test_the_server_is_told_of_an_end_only_when_nothing_of_the_stream_can_be_sent_again(tmp_path, monkeypatch):
    monkeypatch.setattr(farewell, "LINGER_SECS", 0.0)
    bench = Bench(tmp_path, ScriptedFlusher())
    forgotten_when_told: list[bool] = []
    sending = bench.flusher.send

    async def send(payloads):
        if any(one.identity.ended for one in payloads):
            forgotten_when_told.append(not bench.writer._database.load().streams)
        return await sending(payloads)

    bench.flusher.send = send
    for number in range(3):
        bench.submit(number)
    bench.target.end(bench.stream)
    async with asyncio.timeout(10):
        while not bench.flusher.farewells:
            await asyncio.sleep(0.005)
    await bench.close()
    (told,) = bench.flusher.farewells
    following = bench.first + 3
    assert (told.stream, told.sequence, told.acknowledged_below, told.epoch) == (bench.stream.id, following, following, b"e" * 16)
    assert forgotten_when_told == [True]


async def test_a_farewell_rides_along_with_the_next_request(tmp_path, monkeypatch):
    monkeypatch.setattr(farewell, "LINGER_SECS", 60.0)
    bench = Bench(tmp_path, ScriptedFlusher())
    bench.submit(0)
    await bench.idle()
    bench.target.end(bench.stream)
    async with asyncio.timeout(10):
        while bench.target._farewells.due_in() is None:
            await asyncio.sleep(0.005)
    bench.stream = bench.table.open(bench, "scripted", "input", "other", {"v": 1, "at": 0})
    bench.submit(1)
    await bench.idle()
    await bench.close()
    assert len(bench.flusher.farewells) == 1
    assert bench.flusher.numbers == [[(0, 0)], [(1, 0)]]


async def test_the_first_payload_waits_for_company_only_so_long(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(limits=BatchLimits(linger=0.15)))
    began = time.monotonic()
    bench.submit(0)
    await asyncio.sleep(0.05)
    bench.submit(1)
    await bench.idle()
    assert 0.14 < time.monotonic() - began < 1.0
    await bench.close()
    assert bench.flusher.numbers == [[(0, 0), (1, 0)]]


def test_readers_wait_while_the_share_is_used_up():
    share, stopping = Share("t", 100), threading.Event()
    assert share.wait(stopping)
    share.take(150)
    went_on = threading.Event()
    thread = threading.Thread(target=lambda: share.wait(stopping) and went_on.set())
    thread.start()
    assert not went_on.wait(0.1)
    share.give_back(100)
    assert went_on.wait(2)
    thread.join()


def test_a_stop_lets_waiting_readers_go():
    share, stopping, answers = Share("t", 1), threading.Event(), []
    share.take(5)
    thread = threading.Thread(target=lambda: answers.append(share.wait(stopping)))
    thread.start()
    stopping.set()
    share.wake()
    thread.join(2)
    assert answers == [False]


def test_who_asks_for_room_is_told_when_there_is_some():
    share, told = Share("t", 100), []
    assert share.has_room(lambda: told.append("at once"))
    share.take(150)
    assert not share.has_room(ask := lambda: told.append("later"))
    assert not share.has_room(ask)
    share.give_back(10)
    assert not told
    share.give_back(100)
    assert told == ["later"]
    share.take(100)
    share.give_back(100)
    assert told == ["later"]


def test_back_off_doubles_with_jitter_up_to_its_ceiling():
    backoff = Backoff(first=1.0, ceiling=8.0)
    waits = [backoff.failed() for _ in range(6)]
    for wait, full in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert full / 2 <= wait <= full
    told = {backoff.failed(at_least=60.0) for _ in range(20)}
    assert 60.0 <= min(told) < max(told) <= 72.0
    backoff.succeeded()
    assert not backoff.failing
    assert backoff.failed() <= 1.0


def test_all_outcomes_are_accounted_for():
    assert set(Outcome) == {*ALARMS, Outcome.ACKNOWLEDGED, Outcome.FORK}


async def test_a_rate_spreads_requests_over_time(tmp_path):
    bench = Bench(tmp_path, ScriptedFlusher(limits=BatchLimits(max_payloads=1, linger=0.0, max_bytes_per_sec=1000)))
    began = time.monotonic()
    for number in range(6):
        bench.submit(number, size=100)
    await bench.idle()
    assert time.monotonic() - began >= 0.5  # the first goes at once, five wait 0.1 s each
    await bench.close()
    assert bench.durable == list(range(6))

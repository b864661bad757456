"""Bounds and answers of writing, without a store behind."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tailrace.batch import DecodeError, EventBatch
from tailrace.errors import ApiError, BusyError, EngineError, ForkError
from tailrace.server.ingest import Accepted, Ingest
from tailrace.server.settings import load_settings
from tailrace.server.store.port import Committed, Package, TableSpec, Write

DAY = 86_400


class Answers:
    """A store that answers as it is told."""

    def __init__(self) -> None:
        self.outcome: Sequence[Committed] | Exception = [Committed.NEW]
        self.writes: list[Write] = []

    async def commit(self, write: Write) -> Sequence[Committed]:
        self.writes.append(write)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def store() -> Answers:
    return Answers()


@pytest.fixture
async def ingest(store: Answers, tmp_path: Path) -> AsyncIterator[Ingest]:
    ingest = Ingest(store, load_settings(tmp_path, {"ingest_memory_bytes": 33_554_432}, {}))
    yield ingest
    ingest.close()


def write(*ages: float) -> Write:
    """One package with an event of each age in seconds."""
    events = [(int((time.time() - age) * 1e9), [(b"k", b"v")]) for age in ages]
    encoded = EventBatch.from_events(events).encode(compression="lz4", digest="none")
    return Write(TableSpec(1, 30), [Package(encoded.body, "lz4", encoded.raw_size)])


async def test_repeats_are_counted(ingest: Ingest, store: Answers) -> None:
    package = write(0).packages[0]
    store.outcome = [Committed.NEW, Committed.DUPLICATE, Committed.DUPLICATE]
    assert await ingest.commit(Write(TableSpec(1, 30), [package] * 3), check_times=False) == Accepted(3, 2)


@pytest.mark.parametrize(("age", "taken"), [(0, True), (6 * DAY, True), (-800, True), (8 * DAY, False), (-1000, False)])
async def test_the_time_window_holds_for_all_events_of_a_write(ingest: Ingest, store: Answers, age: float, taken: bool) -> None:
    if taken:
        await ingest.commit(write(0, age, 0), check_times=True)
    else:
        with pytest.raises(ApiError, match="out of range") as caught:
            await ingest.commit(write(0, age, 0), check_times=True)
        assert caught.value.error_code == "PostBodyInvalid"
    assert len(store.writes) == taken


async def test_the_window_does_not_hold_where_it_is_not_asked_for(ingest: Ingest, store: Answers) -> None:
    await ingest.commit(write(900 * DAY), check_times=False)
    assert len(store.writes) == 1


async def test_the_window_can_be_taken_away(store: Answers, tmp_path: Path) -> None:
    ingest = Ingest(store, load_settings(tmp_path, {}, {"TAILRACE_SERVER_WRITE_PAST_SECS": "null"}))
    await ingest.commit(write(900 * DAY), check_times=True)
    ingest.close()
    assert len(store.writes) == 1


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (BusyError("the journal is full"), 503, "ServerBusy"),
        (EngineError("gone"), 503, "ServerBusy"),
        (ForkError("other content"), 409, "IdentityForked"),
    ],
)
async def test_what_the_store_refuses_gets_its_code(ingest: Ingest, store: Answers, failure: Exception, status: int, code: str) -> None:
    store.outcome = failure
    with pytest.raises(ApiError) as caught:
        await ingest.commit(write(0), check_times=False)
    assert (caught.value.status, caught.value.error_code) == (status, code)


async def test_a_body_that_cannot_be_read_is_looked_at_for_the_reason(ingest: Ingest, store: Answers) -> None:
    def refused() -> DecodeError:
        try:
            EventBatch.decode(b"\xff")
        except DecodeError as error:
            return error
        raise AssertionError

    store.outcome = refused()
    for package, code in [
        (Package(b"\xff\xff\xff", "lz4", 100), "PostBodyUncompressError"),
        (Package(write(0).packages[0].body, "lz4", 999), "InvalidBodyRawSize"),
        (Package(b"\xff\xff", "none", 2), "PostBodyInvalid"),
    ]:
        with pytest.raises(ApiError) as caught:
            await ingest.commit(Write(TableSpec(1, 30), [package]), check_times=False)
        assert (caught.value.status, caught.value.error_code) == (400, code)


async def test_writes_share_a_memory_budget(ingest: Ingest) -> None:
    async with ingest.memory(60_000_000):
        with pytest.raises(ApiError) as caught:
            async with ingest.memory(1):
                pytest.fail("let in")
        assert (caught.value.status, caught.value.error_code) == (503, "ServerBusy")
    async with ingest.memory(20_000_000), ingest.memory(10_000_000):
        assert ingest._memory == 30_000_000
    assert ingest._memory == 0


@pytest.mark.parametrize(
    ("size", "wire", "compression", "code"),
    [
        (31_457_281, 31_457_281, "none", "PostBodyTooLarge"),
        (1 << 30, 100, "lz4", "PostBodyTooLarge"),
        (30_000_000, 100, "lz4", "InvalidBodyRawSize"),
        (25_500, 100, "lz4", ""),
        (30_000_000, 100, "zstd", ""),
    ],
)
def test_a_declared_size_is_held_against_what_is_possible(ingest: Ingest, size: int, wire: int, compression: str, code: str) -> None:
    if not code:
        assert ingest.check_declared_size(size, wire, compression) is None
        return
    with pytest.raises(ApiError) as caught:
        ingest.check_declared_size(size, wire, compression)
    assert caught.value.error_code == code

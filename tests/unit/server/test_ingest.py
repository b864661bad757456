"""Bounds and answers of writing, without a store behind."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tailrace import telemetry
from tailrace.batch import DecodeError, EventBatch
from tailrace.errors import ApiError, BusyError, EngineError, ForkError, StateError
from tailrace.server.ingest import Accepted, Ingest
from tailrace.server.settings import load_settings
from tailrace.server.store.port import Committed, Package, TableSpec, Write


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


def write() -> Write:
    """One package with one event."""
    encoded = EventBatch.from_events([(time.time_ns(), [(b"k", b"v")])]).encode(compression="lz4", digest="none")
    return Write(TableSpec(1, 30), [Package(encoded.body, "lz4", encoded.raw_size)])


def raised(alarm: str) -> int:
    """How often so far."""
    return int(telemetry.values("tailrace_alarms_total").get((alarm,), 0))


async def test_repeats_are_counted(ingest: Ingest, store: Answers) -> None:
    package = write().packages[0]
    store.outcome = [Committed.NEW, Committed.DUPLICATE, Committed.DUPLICATE]
    assert await ingest.commit(Write(TableSpec(1, 30), [package] * 3)) == Accepted(3, 2)


@pytest.mark.parametrize(
    ("failure", "status", "code", "alarm"),
    [
        (BusyError("the journal is full"), 503, "ServerBusy", ""),
        (EngineError("gone"), 503, "ServerBusy", "STORE_WRITE_FAIL_ALARM"),
        (StateError("the disk of the journal is broken"), 503, "ServerBusy", "STORE_WRITE_FAIL_ALARM"),
        (ForkError("other content"), 409, "IdentityForked", "IDENTITY_FORK_ALARM"),
    ],
)
async def test_what_the_store_refuses_gets_its_code_and_its_alarm(
    ingest: Ingest, store: Answers, failure: Exception, status: int, code: str, alarm: str
) -> None:
    before = raised(alarm)
    store.outcome = failure
    with pytest.raises(ApiError) as caught:
        await ingest.commit(write())
    assert (caught.value.status, caught.value.error_code) == (status, code)
    assert raised(alarm) - before == bool(alarm)


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
        (Package(write().packages[0].body, "lz4", 999), "InvalidBodyRawSize"),
        (Package(b"\xff\xff", "none", 2), "PostBodyInvalid"),
    ]:
        with pytest.raises(ApiError) as caught:
            await ingest.commit(Write(TableSpec(1, 30), [package]))
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


async def test_a_process_that_holds_too_much_memory_lets_one_writer_in_at_a_time(store: Answers, tmp_path: Path) -> None:
    ingest = Ingest(store, load_settings(tmp_path, {"max_memory_mb": 1}, {}))  # any process holds more
    async with ingest.memory(1):
        with pytest.raises(ApiError) as caught:
            async with ingest.memory(1):
                pytest.fail("let in")
        assert (caught.value.status, caught.value.error_code, caught.value.retry_after) == (503, "ServerBusy", 5.0)
    ingest.close()


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

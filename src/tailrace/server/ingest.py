"""Takes what writers send: checks its shape under bounds, then commits it to the store, whole or not at all.

Nothing is allocated for a body before its declared size was held against the limits, and everything that walks bytes runs on a
thread of its own pool. Writes at work share one memory budget; beyond it a writer is told to come back.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import psutil

from tailrace import telemetry
from tailrace.batch import DecodeError, decompress
from tailrace.errors import ApiError, BusyError, EngineError, ForkError, StateError
from tailrace.server.api.answer import BUSY_SECS
from tailrace.server.settings import Settings
from tailrace.server.store.port import Committed, Package, Store, Write

Result = TypeVar("Result")

RAW_BYTES = telemetry.counter("tailrace_ingest_raw_bytes_total", "Bytes of log groups that were committed, before compression.")
PACKAGES = telemetry.counter("tailrace_ingest_packages_total", "Log groups by what became of them.", "outcome")
AT_WORK = telemetry.gauge("tailrace_ingest_memory_bytes", "Bytes, wire and raw, that writes at work may need.")
SECONDS = telemetry.histogram("tailrace_ingest_seconds", "From a read body to its durable commit.")

# No lz4 block is larger than 255 times its input, and one is at most this much longer.
LZ4_RATIO, LZ4_SLACK = 255, 64


SHORT_SECS = 5.0
"""When a server that is short of memory may be asked again."""
LOOK_SECS = 1.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one request."""

    packages: int
    duplicates: int


class Ingest:
    """One per server."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.ingest_threads, thread_name_prefix="ingest")
        self._memory = 0
        self._resident = _Resident()

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """On a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    @asynccontextmanager
    async def memory(self, size: int) -> AsyncGenerator[None]:
        """Holds `size` bytes of the budget. Raises ApiError 503 ServerBusy when it is spent, or the process holds too much memory; the
        first writer is always let in."""
        if self._memory and self._resident.exceeds(self._settings.max_memory_mb << 20):
            raise ApiError(503, "ServerBusy", "the server is short of memory, try again", retry_after=SHORT_SECS)
        if self._memory and self._memory + size > self._settings.ingest_memory_bytes:
            raise ApiError(503, "ServerBusy", "too many writes are at work, try again", retry_after=BUSY_SECS)
        self._memory += size
        AT_WORK.set(self._memory)
        try:
            yield
        finally:
            self._memory -= size
            AT_WORK.set(self._memory)

    def check_declared_size(self, size: int, wire_size: int, compression: str) -> None:
        """Before anything is allocated: a size that is too large, or that no body of this length can have. Raises ApiError 400."""
        if size > self._settings.max_raw_bytes:
            raise ApiError(400, "PostBodyTooLarge", f"{size} bytes are more than the {self._settings.max_raw_bytes} that a write may have")
        if compression == "lz4" and size > wire_size * LZ4_RATIO + LZ4_SLACK:
            raise ApiError(400, "InvalidBodyRawSize", f"no lz4 body of {wire_size} bytes holds {size} bytes")

    async def commit(self, write: Write) -> Accepted:
        """Durable when it returns. Raises ApiError."""
        started = time.monotonic()
        answers = await self._commit(write)
        duplicates = sum(answer is Committed.DUPLICATE for answer in answers)
        PACKAGES.labels(outcome="new").inc(len(answers) - duplicates)
        PACKAGES.labels(outcome="duplicate").inc(duplicates)
        RAW_BYTES.inc(sum(package.raw_size for package, answer in zip(write.packages, answers, strict=True) if answer is Committed.NEW))
        SECONDS.observe(time.monotonic() - started)
        return Accepted(len(answers), duplicates)

    async def _commit(self, write: Write) -> Sequence[Committed]:
        try:
            return await self._store.commit(write)
        except DecodeError as error:
            raise await self.run(_decode_answer, write.packages, error, self._settings.max_raw_bytes) from None
        except ForkError as error:
            telemetry.alarm("IDENTITY_FORK_ALARM", error.message, agent=write.packages[0].agent, request_id=write.request_id)
            raise ApiError(409, "IdentityForked", error.message) from None
        except BusyError as error:
            raise ApiError(503, "ServerBusy", error.message, retry_after=BUSY_SECS) from None
        except (EngineError, StateError) as error:
            telemetry.alarm("STORE_WRITE_FAIL_ALARM", "the store takes no writes", reason=error.message, hint=error.hint)
            message = "the store takes no writes at present, its log has the reason"
            raise ApiError(503, "ServerBusy", message, retry_after=BUSY_SECS) from None


class _Resident:
    """What this process holds in memory, looked at no more than once in LOOK_SECS."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._looked_at = float("-inf")
        self._bytes = 0

    def exceeds(self, limit: int) -> bool:
        """0 is no limit."""
        if limit and time.monotonic() - self._looked_at > LOOK_SECS:
            self._bytes, self._looked_at = self._process.memory_info().rss, time.monotonic()
        return bool(limit) and self._bytes > limit


def _decode_answer(packages: Sequence[Package], error: DecodeError, max_size: int) -> ApiError:
    """Which of the SLS codes a refused body gets: the store says that it cannot be read, here it is found out why."""
    PACKAGES.labels(outcome="refused").inc(len(packages))
    for package in packages:
        try:
            decompress(package.body, package.compression, max_size=max_size, raw_size=package.raw_size)
        except DecodeError as cause:
            if cause.reason == "wrong_size":
                return ApiError(400, "InvalidBodyRawSize", str(cause))
            if cause.reason == "too_large":
                return ApiError(400, "PostBodyTooLarge", str(cause))
            return ApiError(400, "PostBodyUncompressError", str(cause))
    code = "PostBodyTooLarge" if error.reason == "too_large" else "PostBodyInvalid"
    return ApiError(400, code, f"the body is not a log group: {error}")

"""Times that stand in a field: what the processors share that read them in strptime directives."""

import time
from dataclasses import dataclass

from tailrace.batch import EventBatch
from tailrace.processors.presence import present


@dataclass(frozen=True, slots=True)
class FieldTimes:
    """Per row the time in ns, None where the field is missing or cannot be read."""

    times: list[int | None]
    failed: list[int]
    """The rows whose field cannot be read."""

    def set(self, batch: EventBatch) -> None:
        """Make them the times of the events; the others keep theirs."""
        batch.set_times([old if new is None else new for new, old in zip(self.times, batch.times, strict=True)])


def read_times(batch: EventBatch, source: bytes, time_format: str, utc_offset_secs: int, now_ns: int) -> FieldTimes:
    """Read a field by its format (docs/reference/time-formats.md). The batch stays as it is."""
    before = batch.times
    failures = batch.parse_time(source, time_format, utc_offset_secs=utc_offset_secs, now_ns=now_ns)
    after = batch.times
    batch.set_times(before)
    unread = set(failures.rows)
    has_field = present(batch, source)
    times = [time_ns if here and row not in unread else None for row, (time_ns, here) in enumerate(zip(after, has_field, strict=True))]
    return FieldTimes(times, failures.rows)


def local_offset_secs(at_ns: int) -> int:
    """How far this machine's zone is ahead of UTC at that moment."""
    return time.localtime(at_ns / 1e9).tm_gmtoff


def format_fault(time_format: str) -> str | None:
    """Why a time format cannot be used; None when it can."""
    try:
        EventBatch.from_events([]).parse_time(b"", time_format, utc_offset_secs=0)
    except ValueError as error:
        return str(error)
    return None

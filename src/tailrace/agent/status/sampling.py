"""Looks at the counters every few seconds: rates, and the windows of the manual's local status.

State of the agent in a window, the worst of what the looks saw: `send_error` (a request failed), `send_block` (a target's queue was full,
or its quota used up), `process_block` (a file was further behind than what was read of it since the look before, though no target held
it up), `many_log_files` (near the limit of files), `busy` (more than 80 % of a core), `ok`.
"""

import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.streams import Stream
from tailrace.agent.status.overview import Overview, Row, sources_of
from tailrace.agent.status.windows import Window, WindowStore, add, stores
from tailrace.errors import DamagedError
from tailrace.pipeline.contract import SourceStatus

INTERVAL_SECS: Final = 5.0
BUSY_SHARE: Final = 0.8
MANY_FILES_SHARE: Final = 0.9
"""Of the files that the agent may follow."""
WORST_FIRST: Final = ("send_error", "send_block", "process_block", "many_log_files", "busy", "ok")

_Counts = dict[str, int]


@contextmanager
def sampling(overview: Overview, home: Path, max_files: int) -> Generator[None]:
    """Within it a thread keeps `overview.rates` and the windows of the home up to date."""
    over = threading.Event()
    thread = threading.Thread(target=Sampler(overview, home, max_files).run, args=(over,), name="sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Sampler:
    """What the looks have seen so far."""

    def __init__(self, overview: Overview, home: Path, max_files: int) -> None:
        self._overview = overview
        self._many_files = MANY_FILES_SHARE * max_files
        self._stores = stores(home)
        self._lanes_before: dict[int, _Counts] = {}
        self._streams_before: dict[str, _Counts] = {}
        self._rates: dict[str, float] = {}
        self._at = time.monotonic()
        self._cpu = time.process_time()

    def run(self, over: threading.Event) -> None:
        """Until `over` is set, and once more then."""
        last = False
        while not last:
            last = over.wait(INTERVAL_SECS)
            try:
                self.look(time.time())
            except OSError as error:  # a full disk must not end the agent; the next look tries again
                telemetry.logger("agent.status").warning("cannot write the status windows", reason=error.strerror)

    def look(self, now: float) -> None:
        """Add what happened since the last look to the windows that hold `now`."""
        seconds = max(1e-3, time.monotonic() - self._at)
        cpu = (time.process_time() - self._cpu) / seconds
        self._at, self._cpu = time.monotonic(), time.process_time()
        logstores, files = self._lanes(now), self._files(seconds)
        for key, row in files.items():
            _add_file(logstores.get(key.rpartition("/")[0], {}), row)
        state = self._state(logstores, files, cpu)
        for store in self._stores:
            self._write(store, now, state, logstores, files)

    def _write(self, store: WindowStore, now: float, state: str, logstores: Mapping[str, Row], files: Mapping[str, Row]) -> None:
        try:
            window = store.current(now)
        except DamagedError as error:
            telemetry.logger("agent.status").warning("a status window is damaged and begins anew", reason=error.message)
            window = Window(int(now) // store.length * store.length, int(now))
        new = window.end == window.begin
        window.end = int(now)
        window.status = min(window.status, state, key=WORST_FIRST.index)
        for into, rows in ((window.logstores, logstores), (window.files, files)):
            for key, row in rows.items():
                add(into.setdefault(key, {}), row)
        store.write(window)
        if new:
            store.prune(now)

    # --- logstores --------------------------------------------------------------------------------------------------------------
    def _lanes(self, now: float) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        for lane in self._overview.lanes:
            counts = lane.tally.snapshot()[0]
            row = {**_named(lane), **_sent(_since(counts, self._lanes_before.get(id(lane), {}))), **_queue(lane, now)}
            self._lanes_before[id(lane)] = counts
            add(rows.setdefault(_key(lane), {}), row)
        return rows

    # --- files ------------------------------------------------------------------------------------------------------------------
    def _files(self, seconds: float) -> dict[str, Row]:
        """The files that were read since the last look, or are behind."""
        rows: dict[str, Row] = {}
        rates: dict[str, float] = {}
        before, self._streams_before = self._streams_before, {}
        for lane, source, stream in sources_of(self._overview.lanes):
            counts = _counts(stream)
            delta = _since(counts, before.get(stream.id, {}))
            self._streams_before[stream.id] = counts
            if delta["read_bytes"]:
                rates[stream.id] = delta["read_bytes"] / seconds
            if delta["read_bytes"] or source.size > source.read:
                add(rows.setdefault(f"{_key(lane)}/{source.device}:{source.inode}", {}), _file(lane, source, stream, delta))
        self._overview.rates = rates
        return rows

    def _state(self, logstores: Mapping[str, Row], files: Mapping[str, Row], cpu: float) -> str:
        if any(row["send_network_error_count"] or row["send_network_discard_count"] for row in logstores.values()):
            return "send_error"
        if any(row["send_block_flag"] or row["send_network_quota_count"] for row in logstores.values()):
            return "send_block"
        if any(row["delay_sum"] > row["read_bytes"] for row in files.values()):
            return "process_block"
        if len(self._streams_before) > self._many_files:
            return "many_log_files"
        return "busy" if cpu > BUSY_SHARE else "ok"


def _add_file(logstore: Row, file: Row) -> None:
    add(logstore, {name: file[name] for name in ("read_count", "delay_sum", "delay_samples")})
    logstore["last_read_time"] = max(logstore.get("last_read_time", 0), file["last_read_time"])


def _key(lane: Lane) -> str:
    project, logstore = lane.address
    return f"{project}/{logstore}"


def _named(lane: Lane) -> Row:
    project, logstore = lane.address
    return {"project": project, "logstore": logstore, "config": lane.pipeline}


def _since(counts: _Counts, before: _Counts) -> _Counts:
    return {name: value - before.get(name, 0) for name, value in counts.items()}


def _sent(delta: _Counts) -> Row:
    return {
        "read_bytes": delta.get("in_bytes", 0),
        "parse_success_lines": max(0, delta.get("in_events", 0) - delta.get("failed", 0)),
        "parse_fail_lines": delta.get("failed", 0),
        "send_network_error_count": delta.get("requests_retry", 0)
        + delta.get("requests_missing", 0)
        + delta.get("requests_unauthorized", 0),
        "send_network_quota_count": delta.get("requests_throttled", 0),
        "send_network_discard_count": delta.get("requests_data", 0),
        "send_success_count": delta.get("acknowledged_ranges", 0),
    }


def _queue(lane: Lane, now: float) -> Row:
    target = lane.target
    ranges, oldest, newest = target.waiting
    return {
        "max_unsend_time": int(now - newest) if ranges else 0,
        "min_unsend_time": int(now - oldest) if ranges else 0,
        "max_send_success_time": int(target.sent_at),
        "send_queue_size": ranges,
        "send_block_flag": target.share.used >= target.share.limit,
        "sender_valid_flag": not target.trouble,
    }


def _counts(stream: Stream) -> _Counts:
    tally = stream.tally
    return {
        "read_bytes": tally.read_bytes,
        "parse_success_lines": tally.read_events - tally.failed_events,
        "parse_fail_lines": tally.failed_events,
        "read_count": tally.reads,
    }


def _file(lane: Lane, source: SourceStatus, stream: Stream, delta: Mapping[str, Any]) -> Row:
    return {
        **_named(lane),
        **delta,
        "file_path": source.path,
        "file_dev": source.device,
        "file_inode": source.inode,
        "file_size_bytes": source.size,
        "read_offset_bytes": source.read,
        "last_read_time": int(stream.tally.read_at),
        "delay_sum": source.size - source.read,
        "delay_samples": 1,
    }

"""Looks at the counters every few seconds: rates, and the windows of the manual's local status.

State of the agent in a window, the worst of what the looks saw: `send_error` (a request failed), `send_block` (a target's queue was full,
or its quota used up), `process_block` (a file was further behind than what was read of it since the look before, though no target held
it up), `many_log_files` (near the limit of files), `busy` (more than 80 % of a core), `ok`.
"""

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from heapq import nlargest
from pathlib import Path
from typing import Final, NamedTuple

from tailrace import telemetry
from tailrace.agent.bystander import bystander
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.streams import Stream
from tailrace.agent.status.overview import Overview, Row
from tailrace.agent.status.tally import StreamTally
from tailrace.agent.status.windows import MAX_FILES, Window, WindowStore, add, stores
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
    with bystander("sampler", Sampler(overview, home, max_files).run):
        yield


class Sampler:
    """What the looks have seen so far."""

    def __init__(self, overview: Overview, home: Path, max_files: int) -> None:
        self._overview = overview
        self._many_files = MANY_FILES_SHARE * max_files
        self._stores = stores(home)
        self._lanes_before: dict[int, _Counts] = {}
        self._windows: dict[int, Window] = {}
        """The current ones, by their length."""
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
        logstores, active = self._lanes(now), self._active(seconds)
        self._overview.lately.runs({lane.pipeline: lane.version for lane in self._overview.lanes}, now)
        self._overview.lately.failed(sum(row["send_network_error_count"] for row in logstores.values()), now)
        for one in active:
            _add_file(logstores.get(_key(one.lane), {}), one)
        state = self._state(logstores, active, cpu)
        files = self._rows(active)
        for store in self._stores:
            self._write(store, now, state, logstores, files)

    def _write(self, store: WindowStore, now: float, state: str, logstores: Mapping[str, Row], files: Mapping[str, Row]) -> None:
        window = self._current(store, now)
        new = window.end == window.begin
        window.end = int(now)
        window.status = min(window.status, state, key=WORST_FIRST.index)
        for into, rows in ((window.logstores, logstores), (window.files, files)):
            for key, row in rows.items():
                add(into.setdefault(key, {}), row)
        self._windows[store.length] = store.write(window)
        if new:
            store.prune(now)

    def _current(self, store: WindowStore, now: float) -> Window:
        window = self._windows.get(store.length)
        if window is not None and window.begin <= now < window.begin + store.length:
            return window
        try:
            return store.current(now)
        except DamagedError as error:
            telemetry.logger("agent.status").warning("a status window is damaged and begins anew", reason=error.message)
            return Window(int(now) // store.length * store.length, int(now))

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
    def _active(self, seconds: float) -> list["_Active"]:
        """The files that were read since the last look, could not be sent, or are behind."""
        found: list[_Active] = []
        rates: dict[str, float] = {}
        for lane in self._overview.lanes:
            for source, stream in lane.lately():
                delta = _Delta.since_the_last(stream.tally)
                if delta.read_bytes:
                    rates[stream.id] = delta.read_bytes / seconds
                if delta.read_bytes or delta.send_failures or source.size > source.read:
                    found.append(_Active(lane, source, stream, delta))
        self._overview.rates = rates
        return found

    def _rows(self, active: Sequence["_Active"]) -> dict[str, Row]:
        """Of as many as a window names: those that it names already, and those that were read most."""
        rows: dict[str, Row] = {}
        if len(active) > MAX_FILES:
            named = {key for window in self._windows.values() for key in window.files}
            named |= {one.key for one in nlargest(MAX_FILES, active, key=lambda one: one.delta.read_bytes)}
            active = [one for one in active if one.key in named]
        for one in active:
            add(rows.setdefault(one.key, {}), one.row())
        return rows

    def _state(self, logstores: Mapping[str, Row], active: Sequence["_Active"], cpu: float) -> str:
        if any(row["send_network_error_count"] or row["send_network_discard_count"] for row in logstores.values()):
            return "send_error"
        if any(row["send_block_flag"] or row["send_network_quota_count"] for row in logstores.values()):
            return "send_block"
        if any(one.behind > one.delta.read_bytes for one in active):
            return "process_block"
        if sum(lane.open_streams for lane in self._overview.lanes) > self._many_files:
            return "many_log_files"
        return "busy" if cpu > BUSY_SHARE else "ok"


class _Delta(NamedTuple):
    """What became of a stream between two looks."""

    read_bytes: int = 0
    parse_success_lines: int = 0
    parse_fail_lines: int = 0
    read_count: int = 0
    send_failures: int = 0

    @classmethod
    def since_the_last(cls, tally: StreamTally) -> "_Delta":
        size, events, failed, reads, unsent = tally.sampled
        tally.sampled = now = tally.read_bytes, tally.read_events, tally.failed_events, tally.reads, tally.send_failures
        return cls(now[0] - size, now[1] - events - now[2] + failed, now[2] - failed, now[3] - reads, now[4] - unsent)


class _Active(NamedTuple):
    """A file with something to tell, and what became of it since the last look."""

    lane: Lane
    source: SourceStatus
    stream: Stream
    delta: _Delta

    @property
    def key(self) -> str:
        return f"{_key(self.lane)}/{self.source.device}:{self.source.inode}"

    @property
    def behind(self) -> int:
        return self.source.size - self.source.read

    def row(self) -> Row:
        return {
            **_named(self.lane),
            **self.delta._asdict(),
            "file_path": self.source.path,
            "file_dev": self.source.device,
            "file_inode": self.source.inode,
            "file_size_bytes": self.source.size,
            "read_offset_bytes": self.source.read,
            "last_read_time": int(self.stream.tally.read_at),
            "delay_sum": self.behind,
            "delay_samples": 1,
        }


def _add_file(logstore: Row, file: _Active) -> None:
    add(logstore, {"read_count": file.delta.read_count, "delay_sum": file.behind, "delay_samples": 1})
    logstore["last_read_time"] = max(logstore.get("last_read_time", 0), int(file.stream.tally.read_at))


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

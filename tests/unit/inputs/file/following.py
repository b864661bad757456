"""An `input_file` at work on a real directory, with a lane that remembers instead of sending."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from tailrace.agent.lanes.claims import Claims, file_bounds
from tailrace.agent.platform import current
from tailrace.agent.settings.settings import AgentSettings
from tailrace.inputs.file import FileConfig, InputFile
from tailrace.pipeline.contract import Range, StreamState
from tailrace.wire.identity import StoredEnd

WAIT_SECS = 10


class Room(threading.Event):
    """What a target has, or has not, for more ranges."""

    lacks_cpu = False

    def __init__(self):
        super().__init__()
        self.asking = set()
        self.set()

    def has(self, again):
        self.asking.add(again)
        return self.is_set()

    def set(self):
        super().set()
        for again in tuple(self.asking):
            again()


class RememberingLane:
    """Implements `InputContext`: what is submitted counts as acknowledged, and the next input finds it in `streams`."""

    pipeline = "test"
    finite = False

    def __init__(self, never_read=(), roots=("/",), **bounds):
        self.platform = current([Path(path) for path in never_read], roots=[Path(root) for root in roots])
        self.claims, self.bounds = Claims(), file_bounds(AgentSettings(**bounds))
        self.known: dict[str, StreamState] = {}
        self.events: list[dict[str, str]] = []
        self.ranges: list[tuple[str, Range]] = []
        self.alarms: list[tuple[str, dict]] = []
        self.resolutions: list[tuple[str, dict]] = []
        self.counts: dict[str, int] = {}
        self.ended: list[str] = []
        self.left: list[str] = []
        self.going: list[tuple[str, bool]] = []
        self.owners: dict[str, RememberingLane] = {}
        self.stored: dict[str, StoredEnd] = {}
        self.taken_by_others: set[str] = set()
        self.room = Room()
        self.kept_handles: dict[str, int] = {}
        """What the supervisor would hold."""

    def share_streams_with(self, other):
        """As lanes of one target do."""
        self.known, self.owners = other.known, other.owners

    @property
    def streams(self):
        return [replace(state) for state in self.known.values()]

    def open_stream(self, key, position, *, unmoved=False):
        if key in self.taken_by_others or self.owners.get(key, self) is not self:
            return None
        if unmoved and key in self.known and key not in self.owners and self.known[key].next != position:
            return None
        self.owners[key] = self
        self.known.setdefault(key, StreamState(key, key, position, position, 0))
        return key

    def remember(self, stream, position):
        self.known[stream].committed = self.known[stream].next = position

    def stored_end(self, key):
        return self.stored.get(key)

    def has_room(self, again):
        return self.room.has(again)

    @property
    def lacks_cpu(self):
        return self.room.lacks_cpu

    def submit(self, batch, *, stream, start, end, position, fingerprint, readable_at):
        self.room.wait()
        state = self.known[stream]
        self.ranges.append((stream, Range(stream, state.next_sequence, start, end, position, fingerprint, "c", readable_at)))
        state.next_sequence += 1
        self.remember(stream, position)
        tags = {key.decode(): value.decode() for key, value in batch.tags}
        for _, fields in batch.rows():
            self.events.append({**tags, **{key.decode(): value.decode("utf-8", "replace") for key, value in fields}})
        return True

    def source_goes(self, stream, *, more_comes=False):
        self.going.append((stream, more_comes))

    def end_stream(self, stream):
        self.ended.append(stream)
        self.known.pop(stream, None)
        self.owners.pop(stream, None)

    def leave_stream(self, stream, position):
        self.left.append(stream)
        self.known[stream].next = position
        del self.owners[stream]

    def keep(self, stream, descriptor):
        if stream not in self.kept_handles:
            self.kept_handles[stream] = os.dup(descriptor)

    def kept(self, stream):
        return os.dup(self.kept_handles[stream]) if stream in self.kept_handles else None

    def alarm(self, kind, message, **values):
        self.alarms.append((kind, values))

    def resolved(self, kind, **about):
        self.resolutions.append((kind, about))

    def count(self, name, amount=1):
        self.counts[name] = self.counts.get(name, 0) + amount


class Following:
    """Starts and stops inputs over one lane."""

    def __init__(self, directory, lane=None, **options):
        self.directory = Path(directory)
        self.lane = lane or RememberingLane()
        self.options = {"FilePaths": [f"{directory}/*.log"], **options}
        self.input = None
        self.roots = None
        """Those the input begins with, instead of the host's own."""

    def start(self, *, scanned=True, **options):
        """`scanned`: return when the first scan is over."""
        self.input = InputFile(FileConfig.model_validate({**self.options, **options}))
        if self.roots is not None:
            self.input.roots = self.roots
        self.input.stake(self.lane.pipeline, self.lane.claims)
        self.input.start(self.lane)
        follower = self.input._follower
        wait_for(lambda: follower._hot_at > 0 or not scanned)
        return self

    def stop(self):
        if self.input:
            self.input.stop(time.monotonic() + 5)
            self.input = None
            self.lane.owners.clear()

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()

    @property
    def contents(self):
        return [event["content"] for event in self.lane.events]

    def expect(self, *lines):
        """Wait until these are the events so far, in this order, and no more come for a moment."""
        wait_for(lambda: len(self.contents) >= len(lines), lambda: f"{len(self.contents)} of {len(lines)} events: {self.contents[-5:]}")
        time.sleep(0.15)
        assert self.contents == list(lines)

    def rescan(self):
        self.input._follower._scan_at = 0.0
        self.input._follower._watcher.wake()


def wait_for(condition, why=lambda: "", timeout=WAIT_SECS):
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"timed out: {why()}"
        time.sleep(0.01)


def write(path, text, mode="a"):
    with path.open(mode) as file:
        file.write(text)

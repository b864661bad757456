"""After a roll-back: ranges that were to be sent again, of which the server has a part, go back to their source (DESIGN §4.3, Agent 4).

They were cut before it was known what the server has: sent whole under the new epoch, that part would be there twice. Their input goes on
at the stored end instead, and makes other ranges of the rest. That needs the source: where it is gone, or has changed since, they stay as
they are, and are sent under the names that they had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.lanes.replay import Replay
from tailrace.agent.lanes.streams import Stream, StreamTable
from tailrace.agent.spool import Found, release
from tailrace.errors import TailraceError
from tailrace.pipeline.contract import Range
from tailrace.wire.identity import StoredEnd

log = telemetry.logger("agent")


@dataclass(slots=True)
class GoingBack:
    """Of one session, on the threads that start lanes."""

    left: Found
    """What lies in the spool and has not been taken on by a target; what goes back is taken out."""
    streams: StreamTable
    checkpoint: CheckpointWriter

    def run(self, replay: Replay) -> None:
        """For the streams of a group of lanes of which nothing is taken on yet; `replay` is made for one of the lanes. OSError: it may be
        tried again."""
        lane, spooled = replay.lane, self._spooled()
        for stream in self.streams.find(lane.target.flusher.destination, lane.input.key).values():
            stored = self.streams.stored_ends.get(stream.id)
            if stream.under_way or stream.to_replay:
                continue
            ranges = [*self.streams.state_of(stream).prepared, *spooled.get(stream.id, ())]
            if stored is not None and ranges and self._can(replay, stream, stored, ranges):
                self._go_back(stream, ranges)
                log.info("ranges that the server has a part of are read anew", stream=stream.id, ranges=len(ranges), stored_end=stored.end)

    def _spooled(self) -> Mapping[str, Sequence[Range]]:
        """By stream, in the order of their sequences."""
        found: dict[str, list[Range]] = {}
        for (stream, _), (_, kept) in sorted(self.left.copy().items()):
            found.setdefault(stream, []).append(kept.range)
        return found

    def _can(self, replay: Replay, stream: Stream, stored: StoredEnd, ranges: Sequence[Range]) -> bool:
        """Whether the source still has all of the ranges, and what the server has."""
        try:
            if not all(replay.holds(stream, one) for one in ranges):
                return False
            proof = replace(ranges[-1], start=stored.start, end=stored.end, fingerprint=stored.fingerprint)
            if not stored.fingerprint or replay.holds(stream, proof):
                return True
        except TailraceError:  # no config is left that could read it
            return False
        del self.streams.stored_ends[stream.id]  # the server has that of what stood there before: this source is another one
        return False

    def _go_back(self, stream: Stream, ranges: Sequence[Range]) -> None:
        self.streams.go_back(stream, ranges)
        self.checkpoint.acknowledge(stream.row, [one.sequence for one in ranges], None, lambda: None)
        taken = [self.left.pop((stream.id, one.sequence), None) for one in ranges]
        release([found[0] for found in taken if found is not None])

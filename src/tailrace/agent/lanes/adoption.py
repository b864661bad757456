"""Whose the ranges in the spool are when a session begins (DESIGN §4.3, Agent 2).

The checkpoint names the ranges that are not acknowledged. One that the spool has, too, belongs to the spool; one that it has not, or not
any more, is read again from its source. What only the spool has is acknowledged, unless the checkpoint was lost or rolled back: then the
spool knows better.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass

from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.streams import StreamTable, names_of
from tailrace.agent.spool import Found, Kept, Ref, release


@dataclass(slots=True)
class Adoption:
    """Of one session."""

    left: Found
    """What lies in the spool and has not been taken on by a target."""
    streams: StreamTable
    checkpoint: CheckpointWriter
    is_behind: Callable[[str], bool]
    """Whether the checkpoint may know less of a target than what has arrived there: it was lost or rolled back."""

    def adopt(self, target: Target) -> None:
        """Let a target take on what the spool has for it; what has been acknowledged is removed there.

        A range behind one that must be read again keeps its place: its lane takes both on (`Replay`).
        """
        names = names_of(target.flusher)
        for key, (ref, kept) in self.left.copy().items():  # replays take theirs out, on their threads
            if kept.stream.target not in names:
                continue
            if self.is_behind(target.flusher.destination):
                self._restore(target, kept, ref)
            elif (stream := self.streams.take_kept(kept)) is not None:
                target.adopt(stream, kept, ref)
            elif self.streams.is_prepared(kept):
                continue
            elif key in self.left:  # else a replay has just taken it on
                release([ref])
            self.left.pop(key, None)

    def orphans(self, known: Container[str]) -> dict[str, str]:
        """Destinations that are not `known`, each with the version of a config that sent there."""
        return {kept.stream.target: kept.range.config_version for _, kept in self.left.copy().values() if kept.stream.target not in known}

    def _restore(self, target: Target, kept: Kept, ref: Ref) -> None:
        """Its old name is kept: should the server have it already, it knows that."""
        stream, acknowledged = self.streams.restore(kept)
        self.checkpoint.acknowledge(stream.row, acknowledged, None, lambda: None)
        self.checkpoint.prepare([(stream.row, kept.range, kept.parts)], lambda: None)
        target.adopt(stream, kept, ref)

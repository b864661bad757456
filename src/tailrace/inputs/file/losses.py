"""What was lost: bytes of known files that went away before they were read, counted exactly once.

The count is durable beside the streams: a note of this pipeline holds the total and, for what was counted lately, which bytes of which
stream. A process that dies between counting and forgetting a stream finds it in the note and does not count it again.
"""

import threading
from collections.abc import Iterable

from tailrace.inputs.file.generation import LAYOUT
from tailrace.pipeline.contract import InputContext, Position, StreamState

LOSS_PREFIX = "lost:"
KEPT = 200
"""Streams that the note names: those counted last. Ended streams are forgotten within seconds."""


class Losses:
    """The bytes that one pipeline's `input_file` could not read any more. Any thread may add."""

    def __init__(self, context: InputContext, states: Iterable[StreamState]) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._key = LOSS_PREFIX + context.pipeline
        note: Position = next((state.next for state in states if state.key == self._key), {})
        self.total = int(note.get("unread_bytes_deleted", 0))
        self._counted: dict[str, tuple[int, int]] = {str(key): (int(start), int(end)) for key, start, end in note.get("counted", [])}

    def __contains__(self, key: object) -> bool:
        """Whether bytes of a stream were counted lately."""
        return key in self._counted

    def add(self, key: str, start: int, end: int, *, path: str, why: str) -> None:
        """Bytes `[start, end)` of the stream `key` are gone. What was counted of it before is not counted again."""
        with self._lock:
            new = self._note(key, start, end)
        if new:
            self._context.count("unread_bytes_deleted", new)
            self._context.alarm(
                "DROP_LOG_ALARM", "bytes of the file went away before they could be read", path=path, reason=why, unread_bytes=new
            )

    def _note(self, key: str, start: int, end: int) -> int:
        """Add to the durable total; how many of the bytes are new in it."""
        old_start, old_end = self._counted.pop(key, (start, start))
        new = max(0, end - start) - max(0, min(end, old_end) - max(start, old_start))
        if new > 0:
            self.total += new
            self._counted[key] = min(start, old_start), max(end, old_end)
            while len(self._counted) > KEPT:
                del self._counted[next(iter(self._counted))]
            counted = [[key, *ends] for key, ends in self._counted.items()]
            position: Position = {"v": LAYOUT, "unread_bytes_deleted": self.total, "counted": counted}
            if (stream := self._context.open_stream(self._key, position)) is not None:
                self._context.remember(stream, position)
        elif old_end > old_start:
            self._counted[key] = old_start, old_end
        return max(0, new)

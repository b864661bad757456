"""Files that are read more slowly than they are written: an alarm after a while, and, where that is wanted, a jump ahead."""

import time
from collections.abc import Callable, Iterable

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.generation import Generation
from tailrace.pipeline.contract import InputContext

ALARM_AFTER_SECS = 60.0
"""So long a file must be behind before that is worth an alarm (the manual's)."""
SEARCH_SIZE = 65_536


class Lag:
    """Watches the files of one config."""

    def __init__(self, config: FileConfig, context: InputContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._alarm_bytes = config.read_delay_alert_threshold_bytes
        self._skip_bytes = config.read_delay_skip_threshold_bytes
        self._context = context
        self._clock = clock
        self._since: dict[str, float] = {}

    def look(self, generations: Iterable[Generation]) -> None:
        """Raise the alarm for those that have been too far behind for too long. To be called every second or so."""
        now = self._clock()
        behind = [generation for generation in generations if generation.unread > self._alarm_bytes]
        self._since = {generation.stream: self._since.get(generation.stream, now) for generation in behind}
        for generation in behind:
            if now - self._since[generation.stream] >= ALARM_AFTER_SECS:
                message = "the file is read more slowly than it is written"
                self._context.alarm("READ_LOG_DELAY_ALARM", message, path=generation.path, unread_bytes=generation.unread)
                self._since[generation.stream] = now

    def skip(self, generation: Generation) -> None:
        """Jump ahead when more is unread than may be, to a line start: what is left is the newest part, no longer than that. To be called
        before a read. The stream goes on with its next number; what is skipped is counted and said."""
        if not self._skip_bytes or generation.unread <= self._skip_bytes or not generation.is_open or generation.is_unpacked:
            return
        before = generation.offset
        generation.seek(_line_start(generation, generation.size - self._skip_bytes))
        skipped = generation.offset - before
        self._context.count("skipped_bytes", skipped)
        message = "the file is further behind than `ReadDelaySkipThresholdBytes`: a part of it is left out"
        self._context.alarm("SKIP_READ_LOG_ALARM", message, path=generation.path, skipped_bytes=skipped, offset=before)


def _line_start(generation: Generation, wanted: int) -> int:
    """The first line start at or behind `wanted`; the end of the file when there is none."""
    position = wanted - 1
    while position < generation.size:
        block = generation.read_at(min(SEARCH_SIZE, generation.size - position), position)
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        if not block:
            break
        position += len(block)
    return generation.size

"""Files that are read more slowly than they are written: an alarm after a while, and, where that is wanted, a jump ahead."""

import os
import time
from collections.abc import Callable, Iterable

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.encoding import UNIT, line_ends
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
        self._encoding = config.file_encoding
        self._context = context
        self._clock = clock
        self._since: dict[str, float] = {}
        self._paths: dict[str, str] = {}
        """Of streams with an alarm."""

    def look(self, generations: Iterable[Generation]) -> None:
        """Raise the alarm for those that have been too far behind for too long. To be called every few seconds."""
        now = self._clock()
        behind = [generation for generation in generations if generation.unread > self._alarm_bytes]
        for path in {self._paths.pop(stream) for stream in self._paths.keys() - {generation.stream for generation in behind}}:
            self._context.resolved("READ_LOG_DELAY_ALARM", path=path)
        self._since = {generation.stream: self._since.get(generation.stream, now) for generation in behind}
        for generation in behind:
            if now - self._since[generation.stream] >= ALARM_AFTER_SECS:
                message = "the file is read more slowly than it is written"
                self._context.alarm("READ_LOG_DELAY_ALARM", message, path=generation.path, unread_bytes=generation.unread)
                self._since[generation.stream] = now
                self._paths[generation.stream] = generation.path

    def skip(self, generation: Generation) -> None:
        """Jump ahead when more is unread than may be, to a line start: what is left is the newest part, no longer than that. To be called
        before a read. The stream goes on with its next number; what is skipped is counted and said."""
        if not self._skip_bytes or generation.unread <= self._skip_bytes or not generation.is_open or generation.is_unpacked:
            return
        size = os.fstat(generation.descriptor).st_size
        if size - generation.offset <= self._skip_bytes or not generation.unchanged():
            return  # it was truncated since: the read sees that
        before = generation.offset
        generation.seek(self._line_start(generation, size))
        skipped = generation.offset - before
        self._context.count("skipped_bytes", skipped)
        message = "the file is further behind than `ReadDelaySkipThresholdBytes`: a part of it is left out"
        self._context.alarm("SKIP_READ_LOG_ALARM", message, path=generation.path, skipped_bytes=skipped, offset=before)

    def _line_start(self, generation: Generation, size: int) -> int:
        """The first line start in the part that is left; the last whole character's end when there is none."""
        unit = UNIT[self._encoding]
        ends = line_ends(self._encoding, generation.read_at(2, 0))
        end = size - size % unit
        position = end - self._skip_bytes // unit * unit - unit
        while position < end:
            block = generation.read_at(min(SEARCH_SIZE, end - position), position)
            if found := ends(block):
                return position + found[0]
            if len(block) < unit:
                break
            position += len(block) - len(block) % unit
        return end

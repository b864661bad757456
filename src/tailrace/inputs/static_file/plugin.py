"""Reads files once, from their beginning to the end that they have when the run begins: history, in text, gzip or zstd.

Nothing of it is too old. A run that is interrupted, however that happens, goes on where it was, without loss and without repeats; its files
may be renamed meanwhile. How far it is shows in `tailrace agent status imports`; when it is done, the pipeline has nothing more to do until
its inputs change.
"""

import contextlib
import errno
import threading
import time
from collections.abc import Sequence
from typing import Any

from tailrace.batch import EventBatch
from tailrace.inputs.file.framing import Framing
from tailrace.inputs.file.generation import file_of
from tailrace.inputs.file.reader import Shaping
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.listing import Listing, Pending, listing
from tailrace.inputs.static_file.reading import Again, Opened, Reading, open_at
from tailrace.inputs.static_file.source import Source
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.contract import InputContext, Progress, Range, SourceStatus, StreamState
from tailrace.pipeline.registry import input_plugin

MAY_PASS = (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Why a file cannot be opened now, and may be later: its modes are being changed, or the system is short of something."""
RETRY_SECS = 1.0
PATIENCE_SECS = 60.0
"""So long after the first attempt such a file is tried again, behind all others."""


@input_plugin("input_static_file_onetime", stability="beta")
class InputStaticFileOnetime:
    """One run, on one thread, file by file."""

    Config = StaticFileConfig

    def __init__(self, config: StaticFileConfig) -> None:
        self.config = config
        self.key = f"input_static_file_onetime:{config.run}"
        self.drained = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._again = Again()
        self._listing: Listing | None = None
        self._at_work: tuple[Pending, Source] | None = None
        self._refused: dict[str, tuple[float, float]] = {}
        """Files that could not be opened: times of the first and the last attempt (monotonic seconds), by key."""
        self._missed = 0
        self._last_error = ""

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"FilePaths": ["/var/log/app/*.log.gz"]}

    def start(self, context: InputContext) -> None:
        self._thread = threading.Thread(target=self._run, args=(context,), name=f"{self.key} {context.pipeline}", daemon=True)
        self._thread.start()

    def stop(self, deadline: float) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def update(self, config: PluginConfig) -> bool:
        return config == self.config

    def replay(self, context: InputContext, stream: StreamState, done: Range) -> EventBatch | None:
        block = self._again.read(context, stream, done)
        if block is None:
            return None
        shaping = Shaping(self.config, Framing(self.config))
        return shaping.records(block, done.position, offset=done.start, inode=file_of(stream.key)[1]).batch

    def on_durable(self, done: Range) -> None:
        """Nothing to do: the checkpoint holds all that a file needs."""

    # --- how far it is ----------------------------------------------------------------------------------------------------------
    def progress(self) -> Progress:
        found, at_work = self._listing, self._at_work
        if found is None:
            return Progress(0, 0, 0, 0, 0, "")
        left = sum(one.size for one in found.pending) - (at_work[1].done_bytes if at_work else 0)
        return Progress(
            found.files, found.files - len(found.pending), found.bytes, max(0, found.bytes - left), self._missed, self._last_error
        )

    def sources(self) -> Sequence[SourceStatus]:
        if (at_work := self._at_work) is None:
            return ()
        pending, source = at_work
        return [SourceStatus(pending.stream, pending.path, *file_of(pending.key), pending.size, source.offset, "behind")]

    # --- the thread -------------------------------------------------------------------------------------------------------------
    def _run(self, context: InputContext) -> None:
        found = self._listing = listing(self.config, context)
        while found.pending and not self._stopping.is_set():
            pending = found.pending[0]
            try:
                opened = open_at(context, pending)
            except OSError as error:
                if error.errno in MAY_PASS and self._is_patient(context, pending, error):
                    found.pending = [*found.pending[1:], pending]
                    continue
                self._give_up(context, pending, int(pending.position["offset"]), error)
            else:
                if not self._read(context, pending, opened):
                    return
            context.end_stream(pending.stream)
            found.pending.pop(0)
        self.drained = not found.pending

    def _is_patient(self, context: InputContext, pending: Pending, error: OSError) -> bool:
        """Whether a file that cannot be opened is tried again; waits when it was tried a moment ago."""
        now = time.monotonic()
        first, last = self._refused.get(pending.key, (now, now - RETRY_SECS))
        if pending.key not in self._refused:
            message = "cannot open the file now; it is tried again behind all others"
            context.alarm("OPEN_LOGFILE_FAIL_ALARM", message, path=pending.path, reason=str(error.strerror or error))
        self._stopping.wait(max(0.0, last + RETRY_SECS - now))
        self._refused[pending.key] = first, time.monotonic()
        return now - first < PATIENCE_SECS

    def _read(self, context: InputContext, pending: Pending, opened: Opened) -> bool:
        """Read one file to its end; False when the lane stops before."""
        source = opened.source
        self._at_work = pending, source
        try:
            reading = Reading(self.config, context, pending, opened)
            while reading.step():
                if self._stopping.is_set():
                    return False
            return reading.at_end and not self._stopping.is_set()
        except OSError as error:
            self._give_up(context, pending, source.offset, error)
            return True
        finally:
            self._at_work = None
            with contextlib.suppress(OSError):
                source.close()

    def _give_up(self, context: InputContext, pending: Pending, offset: int, error: OSError) -> None:
        """The rest of a file cannot be read. Said and counted, and the run goes on with the next one."""
        self._missed += 1
        self._last_error = f"{pending.path}: {error.strerror or error}"
        context.count("files_not_read_to_their_end")
        message = "cannot read the file to its end; the rest is not imported"
        context.alarm("OPEN_LOGFILE_FAIL_ALARM", message, path=pending.path, reason=str(error.strerror or error), offset=offset)


def split(block: bytes, config: StaticFileConfig, offset: int = 0) -> EventBatch:
    """The events of a whole block as the input would form them (`tailrace parse`)."""
    return Framing(config).split(block, offset=offset).batch

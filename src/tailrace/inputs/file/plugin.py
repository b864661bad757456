"""Collects text files: follows them through rotation, truncation and restarts, without loss and without repeats.

Each generation of a file is a stream of its own. A file that stood there before the config arrived is read from its last megabyte, once it
changes; a file that appears later is read from its beginning.
"""

import codecs
import threading
import time
from collections.abc import Sequence
from typing import Any

from tailrace.batch import EventBatch
from tailrace.inputs.file.again import Again
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.follow import Follower
from tailrace.inputs.file.framing import Framing
from tailrace.inputs.file.generation import file_of
from tailrace.inputs.file.reader import Shaping
from tailrace.inputs.file.roots import Root, Roots
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.contract import InputContext, Range, SourceStatus, StreamState
from tailrace.pipeline.registry import input_plugin
from tailrace.pipeline.sharing import Claims


@input_plugin("input_file", stability="beta")
class InputFile:
    """One config's files, followed by one thread."""

    Config = FileConfig
    key = "input_file"

    def __init__(self, config: FileConfig) -> None:
        self.config = config
        self.roots = Roots()
        self._follower: Follower | None = None
        self._thread: threading.Thread | None = None
        self._again = Again()
        self._context: InputContext | None = None

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"FilePaths": ["/var/log/app/*.log"]}

    def start(self, context: InputContext) -> None:
        self._context = context
        self._follower = Follower(self.config, context, self.roots)
        self._thread = threading.Thread(target=self._follower.run, name=f"input_file {context.pipeline}", daemon=True)
        self._thread.start()

    def stake(self, pipeline: str, claims: Claims) -> None:
        claims.stake(pipeline, Paths(self.config).ranking(self.roots), shares=self.config.allowing_included_by_multi_configs)

    def add_root(self, root: Root) -> None:
        """Search another tree from now on, from any thread: what stands in it is read like new files."""
        self.roots.add(root)
        self._roots_changed()

    def remove_root(self, name: str) -> None:
        """Search a tree once more, then read its files to their end and let them go."""
        self.roots.remove(name)
        self._roots_changed()

    def _roots_changed(self) -> None:
        if self._follower is not None and self._context is not None:
            self.stake(self._context.pipeline, self._context.claims)
            self._follower.roots_changed()

    def stop(self, deadline: float) -> None:
        if self._follower is not None and self._thread is not None:
            self._follower.stop()
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def update(self, config: PluginConfig) -> bool:
        return config == self.config

    def replay(self, context: InputContext, stream: StreamState, done: Range) -> EventBatch | None:
        block = self._again.read(context, self.roots, stream, done)
        if block is None:
            return None
        shaping = Shaping(self.config, Framing(self.config))
        return shaping.records(block, done.position, offset=done.start, inode=file_of(stream.key)[1]).batch

    def lost(self, key: str, done: Range, reason: str) -> None:
        if self._follower is not None:
            self._follower.lost(key, done, reason)

    def on_durable(self, done: Range) -> None:
        """Nothing to do: the checkpoint holds all that a file needs."""

    def sources(self) -> Sequence[SourceStatus]:
        return self._follower.sources() if self._follower is not None else ()

    def lately(self) -> Sequence[SourceStatus]:
        return self._follower.lately() if self._follower is not None else ()

    @property
    def turned_at(self) -> float:
        return self._follower.turned_at if self._follower is not None else 0.0

    def runs_on(self, thread: threading.Thread) -> bool:
        return thread is self._thread

    @property
    def drained(self) -> bool:
        return self._follower is not None and self._follower.drained


def split(block: bytes, config: FileConfig, offset: int = 0) -> EventBatch:
    """The events of a whole block as `input_file` would form them (`tailrace parse`)."""
    return Framing(config).split(block, offset=offset, big_endian=not offset and block.startswith(codecs.BOM_UTF16_BE)).batch

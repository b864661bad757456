"""Deleted files: each is held open until it is read, as far as the agent's bounds let it be (`agent.yaml`).

What a deleted file holds keeps its room on the disk for as long as it is open, so a target that is away for days could fill the disk.
"""

import os
from collections.abc import Iterable

from tailrace.inputs.file.generation import Generation
from tailrace.pipeline.sharing import DeletedBounds

BLOCK_BYTES = 512
"""Unit of `st_blocks`."""


class Deleted:
    """Those that one `input_file` holds. Its thread uses it."""

    def __init__(self, bounds: DeletedBounds) -> None:
        self._bounds = bounds
        self._since: dict[Generation, float] = {}
        """When each was first seen to have no name any more (monotonic seconds), the oldest first."""

    def beyond(self, generations: Iterable[Generation], now: float) -> list[tuple[Generation, str]]:
        """Those that must be given up, with the name of the bound: what is read to its end first, then what was deleted first."""
        sizes = {one: status.st_blocks * BLOCK_BYTES for one in generations if not (status := os.fstat(one.descriptor)).st_nlink}
        self._since = {one: self._since.get(one, now) for one in [*filter(sizes.__contains__, self._since), *sizes]}
        files, room = len(sizes), sum(sizes.values())
        given_up: list[tuple[Generation, str]] = []
        for one in sorted(self._since, key=lambda one: one.unread > 0):
            if now - self._since[one] > self._bounds.secs:
                why = "force_release_deleted_file_fd_timeout"
            elif files > self._bounds.files.room(self):
                why = "max_deleted_files"
            elif room > self._bounds.bytes.room(self):
                why = "max_deleted_mb"
            else:
                continue
            given_up.append((one, why))
            files, room = files - 1, room - sizes[one]
        self._bounds.files.hold(self, files)
        self._bounds.bytes.hold(self, room)
        return given_up

    def close(self) -> None:
        self._bounds.files.release(self)
        self._bounds.bytes.release(self)

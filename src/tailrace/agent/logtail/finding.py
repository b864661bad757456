"""Finds the file that a position of Logtail is about, wherever it is now, and shows that it still is that file."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tailrace.agent.logtail.remains import Mark
from tailrace.agent.logtail.signature import signature
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.roots import HOST
from tailrace.inputs.file.rotation import open_content, rotated_from
from tailrace.pipeline.platform import Platform

SECOND = 1_000_000_000


def find(mark: Mark, platform: Platform) -> tuple[str, Content] | None:
    """Where it is, and the file, opened. None when it is gone, or was written anew and no copy of it is there."""
    for path in _candidates(mark):
        content = opened(path, platform)
        if content is None:
            continue
        if _fits(mark, content):
            return path, content
        content.close()
    return None


def opened(path: str, platform: Platform) -> Content | None:
    """A file, or the log that is packed in it; None when it cannot be read."""
    with contextlib.suppress(OSError):
        return open_content(platform, path, beneath=HOST.beneath)
    return None


def _candidates(mark: Mark) -> Iterator[str]:
    """The file itself, whatever it is called; then what was rotated away from its path after the position was written."""
    own = list(_with_inode(mark))
    yield from own
    for rotated in rotated_from(mark.path):
        if rotated.path not in own and rotated.modified >= mark.updated * SECOND:
            yield rotated.path


def _with_inode(mark: Mark) -> Iterator[str]:
    """In its directory, which may hold a link to it. The number of the device may have changed since; its signature decides."""
    with contextlib.suppress(OSError):
        if Path(mark.path).stat().st_ino == mark.inode:
            yield mark.path
            return
    directory = mark.path.rpartition("/")[0] or "/"
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        yield from [entry.path for entry in entries if entry.inode() == mark.inode and entry.is_file()]


def _fits(mark: Mark, content: Content) -> bool:
    try:
        if not content.reaches(mark.offset):
            return False
        if not mark.sig_size:
            return content.file[1] == mark.inode
        head = content.read_at(mark.sig_size, 0)
    except OSError:
        return False
    return len(head) == mark.sig_size and signature(head) == mark.sig_hash

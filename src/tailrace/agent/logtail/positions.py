"""From positions of Logtail to streams of this agent: each file that a config names goes on where Logtail stood.

| a file | goes on |
| --- | --- |
| that has a position, under whatever name | there |
| whose position belongs to what it was before it was truncated or written anew | at its beginning, after the copy that was made of it |
| without a position, made after the positions were written | at its beginning: nobody has read it |
| without a position, older | at its end; where it was written to since, at its last `TailSizeKB`, as Logtail would have done |

What Logtail has read and not sent is lost with it: it is to be stopped, which sends that, before its positions are taken over.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tailrace.agent.logtail.finding import SECOND, find, opened
from tailrace.agent.logtail.remains import Mark
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.generation import LAYOUT, Generation, stream_key
from tailrace.inputs.file.roots import HOST
from tailrace.inputs.file.standing import first_offset, mark_key, tail_bytes
from tailrace.inputs.file.walk import Look
from tailrace.inputs.static_file.listing import walk_once
from tailrace.pipeline.contract import Position
from tailrace.pipeline.platform import Platform

GRACE_SECS = 60
"""A file that is so little older than the positions may have been made before Logtail had found it."""


@dataclass(slots=True)
class Taken:
    """What became of the positions of one config."""

    streams: dict[str, Position] = field(default_factory=dict[str, Position])
    """By stream key."""
    goes_on: dict[str, tuple[Mark, str, int]] = field(default_factory=dict[str, tuple[Mark, str, int]])
    """By stream key: the position where it goes on, path and size of the file."""
    gone: list[Mark] = field(default_factory=list[Mark])
    """Neither the file nor a copy of it is there."""
    fresh: int = 0
    """Files that are read from their beginning."""


def take(config: FileConfig, marks: Sequence[Mark], *, marked_at: float, platform: Platform) -> Taken:
    """`marks` are those of the config. Reads heads and ends of files; changes nothing."""
    taken = Taken()
    order = _Order()
    ordered = sorted(marks, key=lambda one: (one.path, one.place, one.updated))
    for mark in ordered:
        found = find(mark, platform)
        if found is None:
            taken.gone.append(mark)
        else:
            _go_on(taken, order, mark, *found)
    known, paths = _known_files(taken), {mark.path for mark in marks}
    for path, look in sorted(walk_once(config, platform.reach).files.items(), key=lambda one: one[1].st_mtime_ns):
        if look[:2] not in known and (content := opened(path, platform)) is not None:
            begin = 0 if path in paths else _start(config, content, look, marked_at)
            _begin(taken, order, path, content, begin)
    since = int(marked_at * SECOND)
    for text in config.file_paths:  # what appears from now on is new, and could be read since then
        taken.streams[mark_key(text, config)] = {"v": LAYOUT, "since": int(marked_at), "scanned_at": since}
    return taken


class _Order:
    """Files of one path are read in the order in which they are taken over."""

    def __init__(self) -> None:
        self._last = time.time_ns()

    def next(self) -> int:
        self._last += 1
        return self._last


def _go_on(taken: Taken, order: _Order, mark: Mark, location: str, content: Content) -> None:
    generation = _generation(mark.path, location, content, order)
    generation.seek(mark.offset)
    generation.note_ahead()
    generation.size = max(generation.size, mark.offset)
    known = taken.goes_on.get(generation.key)
    if known is None or _age(mark) > _age(known[0]):  # two positions may lead to one file: the older one says less
        taken.streams[generation.key] = generation.position()
        taken.goes_on[generation.key] = mark, location, generation.size
    content.close()


def _age(mark: Mark) -> tuple[int, int]:
    """What is greater was written later."""
    return mark.updated, mark.offset


def _begin(taken: Taken, order: _Order, path: str, content: Content, offset: int) -> None:
    if not content.is_unpacked:  # what is packed is a copy of what was read
        generation = _generation(path, path, content, order)
        generation.seek(offset)
        generation.note_ahead()
        taken.streams.setdefault(generation.key, generation.position())
        taken.fresh += not offset
    content.close()


def _generation(path: str, location: str, content: Content, order: _Order) -> Generation:
    """Its age is not known: events that waited for this are not too old."""
    generation = Generation(stream_key(content.identity), content.file, content.identity.born, path, location, content=content)
    generation.known_as(HOST)
    generation.opened = order.next()
    generation.look(time.time_ns())
    return generation


def _start(config: FileConfig, content: Content, look: Look, marked_at: float) -> int:
    """Where a file begins of which Logtail knows nothing, at a path of which it knew nothing."""
    if (content.identity.born or look.st_mtime_ns) >= (marked_at - GRACE_SECS) * SECOND:
        return 0
    written_since = look.st_mtime_ns > marked_at * SECOND
    tail = tail_bytes(config) if written_since else 0
    return first_offset(content.descriptor, look.st_size, tail, config.max_event_bytes, config.file_encoding)


def _known_files(taken: Taken) -> set[tuple[int, int]]:
    return {(int(device, 16), int(inode, 16)) for device, inode, *_ in (key.split(":") for key in taken.streams)}

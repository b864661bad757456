"""Reading one file of a run: blocks become ranges, as when a file is followed; what stands there is complete."""

import os
from pathlib import Path

from tailrace.batch import EventBatch, fingerprint
from tailrace.inputs.file.framing import CUT, CUT_AND_CONTINUED, Framing, Piece
from tailrace.inputs.file.generation import SIGNATURE_SIZE, FileId, file_of
from tailrace.inputs.file.reader import Shaping
from tailrace.inputs.file.rotation import find_file
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.listing import Pending
from tailrace.inputs.static_file.source import Source
from tailrace.pipeline.contract import InputContext, Position, Range, StreamState


class Reading:
    """One file at work."""

    def __init__(self, config: StaticFileConfig, context: InputContext, pending: Pending, source: Source) -> None:
        """`source` stands where `pending` says."""
        self._framing = Framing(config)
        self._shaping = Shaping(config, self._framing)
        self._context = context
        self._pending = pending
        self._source = source
        self._block = b""
        self._offset = source.offset
        self._unfinished = int(pending.position.get("unfinished", 0))
        self._tail = bytes.fromhex(pending.position.get("tail", ""))

    def step(self) -> bool:
        """Submit the next range; False when the file is read to its end, or the lane stops. OSError when it cannot be read on."""
        wanted = self._framing.block_size - len(self._block)
        more = self._source.read(wanted)
        self._block += more
        piece = self._cut(complete=len(more) < wanted)
        if piece is None:
            return False
        return self._submit(piece)

    @property
    def at_end(self) -> bool:
        return not self._block

    def _cut(self, *, complete: bool) -> Piece | None:
        if not self._block:
            return None
        at_line_start = self._tail.endswith(b"\n") or not self._offset
        return self._framing.cut(self._block, continued=bool(self._unfinished), at_line_start=at_line_start, complete=complete)

    def _submit(self, piece: Piece) -> bool:
        start = self._offset
        batch = self._shape(piece)
        if self._framing.start is not None and not piece.mark and (at := self._framing.long_record(batch, start)) is not None:
            piece = Piece(at) if at else Piece(self._framing.limit, CUT, unfinished=1)
            batch = self._shape(piece)
        if piece.mark in (CUT, CUT_AND_CONTINUED):
            self._context.count("records_cut")
            self._context.alarm("LOG_TRUNCATE_ALARM", "a record is longer than the limit and is cut", path=self._pending.path, offset=start)
        if batch.discarded:
            self._context.count("unmatched_lines_discarded", batch.discarded)
        data, self._block = self._block[: piece.size], self._block[piece.size :]
        self._offset += piece.size
        self._tail = (self._tail + data)[-SIGNATURE_SIZE:] if len(data) < SIGNATURE_SIZE else data[-SIGNATURE_SIZE:]
        self._unfinished = piece.unfinished
        return self._context.submit(
            batch,
            stream=self._pending.stream,
            start=start,
            end=self._offset,
            position=self._position(piece),
            fingerprint=fingerprint(data),
            readable_at=0,
        )

    def _position(self, piece: Piece) -> Position:
        first = self._pending.position
        position = {name: first[name] for name in ("v", "path", "size", "modified")}
        position |= {
            "offset": self._offset,
            "tail": self._tail[-1:].hex(),
            "last": fingerprint(self._tail).hex(),
            "last_size": len(self._tail),
        }
        if piece.mark:
            position["mark"] = piece.mark
        if piece.unfinished:
            position["unfinished"] = piece.unfinished
        return position

    def _shape(self, piece: Piece) -> EventBatch:
        path, inode = self._pending.path, file_of(self._pending.key)[1]
        return self._shaping.batch(self._block[: piece.size], offset=self._offset, mark=piece.mark, path=path, inode=inode)


def open_at(context: InputContext, pending: Pending) -> Source:
    """The file where its position stands, under whatever name it has now. OSError, also when it is no longer the file that was listed."""
    offset, tail_size = int(pending.position["offset"]), int(pending.position.get("last_size", 0))
    source = _open(context, pending.path, file_of(pending.key), pending.size)
    try:
        source.skip_to(offset - tail_size)
        tail = source.read(tail_size)
    except OSError:
        source.close()
        raise
    if tail_size and fingerprint(tail).hex() != pending.position["last"]:
        source.close()
        raise OSError("it has changed since the run began")
    return source


def _open(context: InputContext, path: str, file: FileId, size: int) -> Source:
    for candidate in (path, find_file(str(Path(path).parent), file)):
        if candidate is None:
            continue
        try:
            descriptor = context.platform.open_file(candidate)
        except FileNotFoundError:
            continue
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) == file and status.st_size >= size:
            try:
                return Source(descriptor, size)
            except OSError:
                os.close(descriptor)
                raise
        os.close(descriptor)
    raise OSError("it is gone, or another file stands in its place")


class Again:
    """Reads prepared ranges again. Those of one stream come in order, so the file stays open from one to the next."""

    def __init__(self) -> None:
        self._stream = ""
        self._source: Source | None = None

    def read(self, context: InputContext, stream: StreamState, done: Range) -> bytes | None:
        """The bytes of a range; None when they are gone or have changed."""
        try:
            source = self._at(context, stream, done)
            block = source.read(done.end - done.start)
        except OSError:
            return None
        if not stream.prepared or done is stream.prepared[-1]:
            self._close()
        return block if len(block) == done.end - done.start and fingerprint(block) == done.fingerprint else None

    def _at(self, context: InputContext, stream: StreamState, done: Range) -> Source:
        if self._source is None or self._stream != stream.id or self._source.offset > done.start:
            self._close()
            position = done.position
            self._stream, self._source = stream.id, _open(context, str(position["path"]), file_of(stream.key), int(position["size"]))
        self._source.skip_to(done.start)
        return self._source

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

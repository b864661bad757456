"""Reading one file of a run: blocks become ranges, as when a file is followed; what stands there is complete."""

import codecs
import os
from dataclasses import dataclass
from pathlib import Path

from tailrace.batch import fingerprint
from tailrace.inputs.file.framing import Framing, Piece, Place, Records
from tailrace.inputs.file.generation import SIGNATURE_SIZE, FileId, file_of
from tailrace.inputs.file.reader import Shaping
from tailrace.inputs.file.rotation import find_file
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.listing import Pending
from tailrace.inputs.static_file.source import Source
from tailrace.pipeline.contract import InputContext, Position, Range, StreamState
from tailrace.wire.identity import StoredEnd


@dataclass(frozen=True, slots=True)
class Opened:
    """A file where its position stands, and the last bytes before that."""

    source: Source
    tail: bytes


class Reading:
    """One file at work."""

    def __init__(self, config: StaticFileConfig, context: InputContext, pending: Pending, opened: Opened) -> None:
        self._framing = Framing(config)
        self._shaping = Shaping(config, self._framing)
        self._utf16 = config.file_encoding == "utf16"
        self._context = context
        self._pending = pending
        self._source = opened.source
        self._tail = opened.tail
        self._block = b""
        self._offset = opened.source.offset
        self._unfinished = int(pending.position.get("unfinished", 0))
        self._big_endian = bool(pending.position.get("big_endian"))

    def step(self) -> bool:
        """Submit the next range; False when the file is read to its end, or the lane stops. OSError when it cannot be read on."""
        for wanted in (self._framing.block_size, self._framing.most):  # the second for one long record
            missing = wanted - len(self._block)
            more = self._source.read(missing)
            self._block += more
            piece = self._cut(complete=len(more) < missing)
            if piece is not None:
                return self._submit(piece)
        return False

    @property
    def at_end(self) -> bool:
        return not self._block

    def _cut(self, *, complete: bool) -> Piece | None:
        if not self._block:
            return None
        if self._utf16 and not self._offset:
            self._big_endian = self._block.startswith(codecs.BOM_UTF16_BE)
        return self._framing.cut(self._block, self._place(), complete=complete)

    def _place(self) -> Place:
        return Place(self._offset, self._unfinished, self._tail, self._big_endian)

    def _submit(self, piece: Piece) -> bool:
        start, place = self._offset, self._place()
        piece, data, records = fitted = self._shaping.fitted(self._block, piece, place, self._shape)
        fitted.tell(self._context, self._pending.path, start)
        self._block = self._block[piece.size :]
        self._offset += piece.size
        self._tail = (data if len(data) >= SIGNATURE_SIZE else self._tail + data)[-SIGNATURE_SIZE:]
        self._unfinished = piece.unfinished
        return self._context.submit(
            records.batch,
            stream=self._pending.stream,
            start=start,
            end=self._offset,
            position=self._position(piece),
            fingerprint=fingerprint(data),
            readable_at=0,
        )

    def _position(self, piece: Piece) -> Position:
        first = self._pending.position
        position: Position = {name: first[name] for name in ("v", "path", "size", "modified")}
        position |= {"offset": self._offset, "tail": [len(self._tail), fingerprint(self._tail).hex()]}
        if piece.mark:
            position["mark"] = piece.mark
        if piece.unfinished:
            position["unfinished"] = piece.unfinished
        if self._big_endian:
            position["big_endian"] = True
        return position

    def _shape(self, piece: Piece) -> tuple[bytes, Records]:
        data = self._block[: piece.size]
        position = {**self._pending.position, "mark": piece.mark, "big_endian": self._big_endian}
        return data, self._shaping.records(data, position, offset=self._offset, inode=file_of(self._pending.key)[1])


def open_at(context: InputContext, pending: Pending) -> Opened:
    """The file under whatever name it has now. OSError, also when it is no longer the file that was listed."""
    if "stored" in pending.position and (opened := _open_at_stored(context, pending)) is not None:
        return opened
    offset = int(pending.position["offset"])
    size, expected = pending.position.get("tail", (0, ""))
    source = _open(context, pending.path, file_of(pending.key), pending.size)
    try:
        source.skip_to(offset - size)
        tail = source.read(size)
    except OSError:
        source.close()
        raise
    if size and fingerprint(tail).hex() != expected:
        source.close()
        raise OSError("it has changed since the run began")
    return Opened(source, tail)


def _open_at_stored(context: InputContext, pending: Pending) -> Opened | None:
    """Where the server has the file up to; None when what it has is of a file that held other bytes."""
    end, start, expected = pending.position["stored"]
    source = _open(context, pending.path, file_of(pending.key), pending.size)

    def read_at(size: int, offset: int) -> bytes:
        source.skip_to(offset)
        return source.read(size)

    try:
        if StoredEnd(end, start, bytes.fromhex(expected)).is_in(read_at):
            return Opened(source, b"")
    except OSError:
        source.close()
        raise
    source.close()
    return None


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

"""Reading: one block of one generation becomes one range."""

import codecs
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from tailrace.batch import fingerprint
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.content import is_compressed
from tailrace.inputs.file.framing import BLOCK_SIZE, CUT, CUT_AND_CONTINUED, WINDOW_SIZE, Framing, Piece, Place, Records
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.inspection import Inspection
from tailrace.inputs.file.nuls import NulsAtEnd
from tailrace.pipeline.contract import InputContext, Position

FILE_OFFSET = b"__file_offset__"
FEW_BYTES = 32_768


class Shaping:
    """Turns the bytes of a piece into a batch with its tags: the same at the first reading and at a replay."""

    def __init__(self, config: FileConfig, framing: Framing) -> None:
        self.framing = framing
        self._with_inode = config.with_inode
        keys = (FILE_OFFSET if config.appending_log_position_meta else b"", config.file_offset_key.encode())
        self._offset_keys = [key for key in keys if key]

    def records(self, block: bytes, position: Position, *, offset: int, inode: int) -> Records:
        """`position` is that of the range's end."""
        mark, path = str(position.get("mark", "")), str(position.get("shown", position["path"]))
        found = self.framing.split(block, offset=offset, mark=mark, big_endian=bool(position.get("big_endian")))
        batch = found.batch
        of_root = [(str(key).encode(), str(value).encode()) for key, value in position.get("tags", ())]
        batch.tags = [(b"__path__", os.fsencode(path)), *of_root]
        if self._with_inode:
            batch.tags = [*batch.tags, (b"__inode__", str(inode).encode())]
        if self._offset_keys:
            offsets = [str(offset).encode() for offset in batch.raw_offsets]
            for key in self._offset_keys:
                batch.set_column(key, offsets)
        return found

    def fitted(self, block: bytes, piece: Piece, place: Place, shape: Callable[[Piece], tuple[bytes, Records]]) -> "Fitted":
        """A piece and what it holds; a shorter piece where a record of several lines in it turns out to be too long."""
        data, records = shape(piece)
        if not piece.mark and (at := self.framing.long_record(records.batch, place.offset)) is not None:
            piece = self.framing.shortened(block, at, place)
            data, records = shape(piece)
        return Fitted(piece, data, records)


class Fitted(NamedTuple):
    """A piece, its bytes, and the events in them."""

    piece: Piece
    data: bytes
    records: Records

    def tell(self, context: InputContext, path: str, offset: int) -> None:
        """Count what was cut, discarded and skipped."""
        if self.piece.mark in (CUT, CUT_AND_CONTINUED):
            context.count("records_cut")
            context.alarm("LOG_TRUNCATE_ALARM", "a record is longer than the limit and is cut", path=path, offset=offset)
        if discarded := self.records.batch.discarded:
            context.count("unmatched_lines_discarded", discarded)
            message = "lines belong to no record of `Multiline`, and are discarded as it says"
            context.alarm("SPLIT_LOG_FAIL_ALARM", message, path=path, lines=discarded, offset=offset)
        if self.records.has_invalid_bytes:
            context.count("ranges_with_invalid_bytes")
            message = "bytes are no characters of `FileEncoding`; they are kept or replaced as `InvalidBytes` says"
            context.alarm("ENCODING_CONVERT_ALARM", message, path=path, offset=offset)
        if self.records.nuls:
            context.count("nul_bytes_skipped", self.records.nuls)


class Reader:
    """Reads for one `input_file`. Its thread is the input's."""

    def __init__(self, config: FileConfig, context: InputContext, inspection: Inspection) -> None:
        self._framing = Framing(config)
        self._nuls = NulsAtEnd(self._framing.unit)
        self._utf16 = config.file_encoding == "utf16"
        self._shaping = Shaping(config, self._framing)
        self._patience = config.flush_timeout_secs
        self._history = config.tailing_all_matched_files
        self._context = context
        self._inspection = inspection

    def read(self, generation: Generation) -> bool:
        """Read and submit the next range; whether there may be more right now."""
        looked_at = time.time_ns()  # before the bytes: what comes while we look was readable later
        ahead, block = self._block(generation, looked_at) if self._is_due(generation) else (False, None)
        if block is None:
            return False
        to_the_end = not ahead and len(block) < self._framing.block_size
        complete = to_the_end and self._is_complete(generation)
        settled = (
            block
            if ahead or generation.is_unpacked
            else self._nuls.settled(generation, block, 0 if self._context.finite else self._patience)
        )
        piece = (self._framing.whole(block) if ahead else None) or self._cut(generation, settled, complete=complete)
        if piece is None and not to_the_end and len(settled) == len(block) < self._framing.most:
            block = settled = generation.read_at(self._framing.most, generation.offset)  # one long record
            if not generation.unchanged():
                return True  # the next turn sees what became of it
            piece = self._cut(generation, settled, complete=False)
        if piece is None:
            self._at_end(generation, looked_at)
            return self._context.finite and len(settled) < len(block)
        begin = generation.offset
        if not self._submit(generation, settled, piece):
            return False
        done = len(block) if not piece.is_all or len(settled) < len(block) else piece.size
        if to_the_end and generation.offset == begin + done:
            return self._at_end(generation, looked_at)
        return True

    def _is_due(self, generation: Generation) -> bool:
        """Whether it is still to be read, and open."""
        if generation.ended or generation.after is not None:  # since it was queued
            return False
        if generation.is_open or self._inspection.reopen(generation):
            return True
        return not self._inspection.handles.lacking and self._pause(generation)  # else it may only have lacked a handle

    def _block(self, generation: Generation, looked_at: int) -> tuple[bool, bytes | None]:
        """The next bytes, and whether they end with a record; None when others must be read instead."""
        before = generation.sight
        if generation.may_have_held_other and self._inspection.came_before(generation):
            return False, None
        generation.look(looked_at)
        ahead = self._whole_records(generation)
        block = ahead or self._next_bytes(generation)
        if generation.offset + len(block) > generation.size:
            generation.look(looked_at)  # more came meanwhile
        if not generation.head[0] and len(block) < generation.unread and generation.is_shorter:
            generation.see(before)
            self._inspection.read_again(generation)
            return False, None
        if not generation.unchanged():  # looked at after reading: what was read before that is from the file as it was
            generation.see(before)
            self._inspection.truncated(generation)
            return False, None
        if not generation.offset and is_compressed(block) and not generation.in_copy:
            self._inspection.leave_compressed(generation)
            return False, None
        if generation.size < before.size:
            if not self._inspection.shortened(generation, before):
                return False, None
        elif generation.offset + len(block) < generation.size:
            generation.note_ahead()
        return bool(ahead), block

    def _next_bytes(self, generation: Generation) -> bytes:
        """At most a block; less at the end of the file only. Memory for a block costs more than the few bytes that most reads find."""
        if 0 <= generation.size - generation.offset < FEW_BYTES < self._framing.block_size:
            few = generation.read_at(FEW_BYTES, generation.offset)
            if len(few) < FEW_BYTES:
                return few
        return generation.read_at(self._framing.block_size, generation.offset)

    def _whole_records(self, generation: Generation) -> bytes:
        """A block that ends where a record ends, when the file has much more to read; else nothing."""
        size = self._framing.block_size
        if generation.unfinished or generation.is_unpacked or size < BLOCK_SIZE or generation.size - generation.offset < size:
            return b""
        window_at = generation.offset + size - WINDOW_SIZE
        boundary = self._framing.boundary(generation.read_at(WINDOW_SIZE, window_at))
        if not boundary:
            return b""
        wanted = window_at + boundary - generation.offset
        block = generation.read_at(wanted, generation.offset)
        return block if len(block) == wanted else b""

    def _is_complete(self, generation: Generation) -> bool:
        if self._context.finite or generation.is_unpacked:
            return True
        return time.monotonic() - generation.grown_at >= self._patience

    def _cut(self, generation: Generation, block: bytes, *, complete: bool) -> Piece | None:
        if not block:
            return None
        if self._utf16 and not generation.offset:
            generation.big_endian = block.startswith(codecs.BOM_UTF16_BE)
        return self._framing.cut(block, self._place(generation), complete=complete)

    def _place(self, generation: Generation) -> Place:
        return Place(generation.offset, generation.unfinished, generation.tail, generation.big_endian)

    def _submit(self, generation: Generation, block: bytes, piece: Piece) -> bool:
        start = generation.offset
        place = self._place(generation)
        piece, data, records = fitted = self._shaping.fitted(block, piece, place, lambda one: self._shape(generation, block, one))
        fitted.tell(self._context, generation.path, start)
        generation.moved(data, unfinished=piece.unfinished)
        return self._context.submit(
            records.batch,
            stream=generation.stream,
            start=start,
            end=generation.offset,
            position=generation.position(mark=piece.mark),
            fingerprint=fingerprint(data),
            readable_at=generation.read_to_end_at,
        )

    def _shape(self, generation: Generation, block: bytes, piece: Piece) -> tuple[bytes, Records]:
        data = block if piece.size == len(block) else block[: piece.size]
        position = generation.naming(mark=piece.mark)
        return data, self._shaping.records(data, position, offset=generation.offset, inode=generation.file[1])

    def _at_end(self, generation: Generation, looked_at: int) -> bool:
        if not self._history:
            generation.read_to_end_at = looked_at
        return self._pause(generation)

    def _pause(self, generation: Generation) -> bool:
        generation.drained = True
        self._inspection.release_followers(generation)
        self._inspection.paused(generation)
        return False

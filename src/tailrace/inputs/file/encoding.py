"""The encodings of files: their bytes as UTF-8 text, and where in the file each place of that text lies.

Records are found in the text and cut there, ranges and positions are those of the file. NULs at the beginning of a line, as a sparse hole
or a crash leaves them, are no part of the text, nor is the mark of the byte order at the head of a file.
"""

import codecs
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple, Protocol

Invalid = Literal["keep", "replace"]
LineEnds = Callable[[bytes], list[int]]
"""Behind each newline of a block of whole characters."""

UNIT = {"utf8": 1, "gbk": 1, "utf16": 2}
"""Bytes of the smallest character."""

HOLE = re.compile(rb"\n(\0+)")
UTF8_MARK = codecs.BOM_UTF8
GB18030_MARK = "\ufeff".encode("gb18030")


class Segment(NamedTuple):
    """From `text` on the text is what the raw bytes `[raw, end)` hold."""

    text: int
    raw: int
    end: int


class Text:
    """The UTF-8 of a block: `data`. Positions in it are turned into positions in the block."""

    __slots__ = ("_encoding", "_raw", "_segments", "_starts", "data", "nuls")

    def __init__(self, data: bytes, raw: bytes, segments: list[Segment] | None = None, *, encoding: "Encoding | None" = None) -> None:
        """`segments` lie side by side in the text, the last is an empty one at its end; None when the text is the block itself.
        `encoding`: what the segments are written in, where that is not UTF-8."""
        self.data = data
        self.nuls = 0
        """Bytes of NULs that are left out."""
        self._raw, self._segments, self._encoding = raw, segments, encoding
        self._starts = [segment.text for segment in segments or ()]

    @property
    def is_block(self) -> bool:
        return self._segments is None

    def raw(self, at: int) -> int:
        """Where the text from `at` on begins, behind NULs that are left out."""
        if self._segments is None:
            return at
        return self._place(self._segments[bisect_right(self._starts, at) - 1], at)

    def raw_end(self, at: int) -> int:
        """Where the text before `at`, which is not 0, ends."""
        if self._segments is None:
            return at
        index = bisect_right(self._starts, at - 1) - 1
        return self._segments[index].end if at == self._starts[index + 1] else self._place(self._segments[index], at)

    def _place(self, segment: Segment, at: int) -> int:
        size = at - segment.text
        if size and self._encoding is not None:
            size = _raw_size(self._encoding, self._raw[segment.raw : segment.end], self.data[segment.text : at])
        return segment.raw + size


class Encoding(Protocol):
    """How one kind of file is written."""

    def text(self, block: bytes, *, at_head: bool, mid_line: bool, to_its_end: bool) -> Text:
        """The whole characters of the block, or `to_its_end` also an unfinished one there. `at_head`: the file begins with the block;
        `mid_line`: the block begins within a line."""
        ...


class Utf8:
    """The bytes as they are."""

    def text(self, block: bytes, *, at_head: bool, mid_line: bool, to_its_end: bool) -> Text:  # noqa: ARG002 - cut where text ends
        start = len(UTF8_MARK) if at_head and block.startswith(UTF8_MARK) else 0
        if not start and b"\0" not in block:
            return Text(block, block)
        begin = start if mid_line else len(block) - len(block[start:].lstrip(b"\0"))
        segments: list[Segment] = []
        text = 0
        for hole in HOLE.finditer(block, begin):
            segments.append(Segment(text, begin, hole.start(1)))
            text += hole.start(1) - begin
            begin = hole.end(1)
        if begin < len(block):
            segments.append(Segment(text, begin, len(block)))
            text += len(block) - begin
        segments.append(Segment(text, len(block), len(block)))
        made = Text(b"".join(block[segment.raw : segment.end] for segment in segments), block, segments)
        made.nuls = len(block) - start - text
        return made


class _Decoded(ABC):
    """What the encodings share that have to be turned into UTF-8: a segment per line."""

    mark = b""
    nul = b"\0"

    @abstractmethod
    def utf8(self, raw: bytes) -> bytes: ...
    @abstractmethod
    def line_ends(self, raw: bytes) -> list[int]: ...

    @abstractmethod
    def whole(self, raw: bytes) -> int:
        """How many bytes of `raw` are whole characters."""

    def text(self, block: bytes, *, at_head: bool, mid_line: bool, to_its_end: bool) -> Text:
        start = len(self.mark) if at_head and block.startswith(self.mark) else 0
        body = block[start:]
        if not to_its_end:
            body = body[: self.whole(body)]
        ends = self.line_ends(body)
        raw_lines = [body[begin:end] for begin, end in pairwise([0, *ends, len(body)]) if begin < end]
        data = self.utf8(body)
        lines = data.split(b"\n")
        texts = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        nuls = [0] * len(texts)
        if b"\0" in data:
            nuls = [len(line) - len(line.lstrip(b"\0")) for line in texts]
            if mid_line:
                nuls[0] = 0
            texts = [line[skipped:] for line, skipped in zip(texts, nuls, strict=True)]
        made = Text(
            b"".join(texts), block, _segments(texts, raw_lines, [skipped * len(self.nul) for skipped in nuls], start), encoding=self
        )
        made.nuls = sum(nuls) * len(self.nul)
        return made


class Gbk(_Decoded):
    """GBK, and GB18030, which holds all of it."""

    mark = GB18030_MARK

    def __init__(self, invalid: Invalid) -> None:
        self._errors = {"keep": "surrogateescape", "replace": "replace"}[invalid]
        """A byte that begins no character stays as it is, or becomes U+FFFD."""

    def utf8(self, raw: bytes) -> bytes:
        try:
            return raw.decode("gb18030").encode()
        except UnicodeDecodeError:
            # Line by line: what a broken character does must not depend on the lines that happen to follow it.
            return b"\n".join(line.decode("gb18030", self._errors).encode("utf-8", "surrogateescape") for line in raw.split(b"\n"))

    def line_ends(self, raw: bytes) -> list[int]:
        return byte_line_ends(raw)

    def whole(self, raw: bytes) -> int:
        """A newline is never part of a character: only what follows the last one has to be looked at."""
        decoder = codecs.getincrementaldecoder("gb18030")(self._errors)
        decoder.decode(raw[raw.rfind(b"\n") + 1 :])
        return len(raw) - len(decoder.getstate()[0])


class Utf16(_Decoded):
    """UTF-16 of one byte order; blocks begin at an even place."""

    nul = b"\0\0"

    def __init__(self, invalid: Invalid, *, big_endian: bool) -> None:
        self._codec = "utf-16-be" if big_endian else "utf-16-le"
        self._errors = {"keep": "surrogatepass", "replace": "replace"}[invalid]
        """Half of a pair stays alone, as three bytes, or becomes U+FFFD."""
        self._high = 0 if big_endian else 1
        self.mark = codecs.BOM_UTF16_BE if big_endian else codecs.BOM_UTF16_LE

    def utf8(self, raw: bytes) -> bytes:
        even = len(raw) & ~1
        text = raw[:even].decode(self._codec, self._errors).encode("utf-8", "surrogatepass")
        lone = raw[even:] if self._errors == "surrogatepass" else b"\xef\xbf\xbd"
        return text + lone if even < len(raw) else text

    def line_ends(self, raw: bytes) -> list[int]:
        high, low = raw[self._high :: 2], raw[1 - self._high :: 2]
        return [2 * match.end() for match in re.finditer(b"\n", low) if high[match.start() : match.end()] == b"\0"]

    def whole(self, raw: bytes) -> int:
        even = len(raw) & ~1
        is_first_of_pair = even and 0xD8 <= raw[even - 2 + self._high] <= 0xDB
        return even - 2 if is_first_of_pair else even


def whole_utf8(data: bytes) -> int:
    """How many bytes of `data` end with a whole character, as far as they are UTF-8 at all."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < wanted else len(data)
        if byte < 0x80:
            break
    return len(data)


def byte_line_ends(raw: bytes) -> list[int]:
    return [match.end() for match in re.finditer(b"\n", raw)]


def line_ends(encoding: str, head: bytes) -> LineEnds:
    """For a file that begins with `head`."""
    if encoding == "utf16":
        return Utf16("keep", big_endian=head.startswith(codecs.BOM_UTF16_BE)).line_ends
    return byte_line_ends


def _segments(texts: Iterable[bytes], raw_lines: Iterable[bytes], skipped: Iterable[int], start: int) -> list[Segment]:
    lengths, sizes = list(map(len, texts)), list(map(len, raw_lines))
    starts, raws = list(accumulate(lengths, initial=0)), list(accumulate(sizes, initial=start))
    lines = zip(starts, raws, raws[1:], skipped, strict=False)
    made = [Segment(text, raw + nuls, end) for text, raw, end, nuls in lines if raw + nuls < end]
    return [*made, Segment(starts[-1], raws[-1], raws[-1])]


def _raw_size(encoding: Encoding, raw: bytes, text: bytes) -> int:
    """How many bytes at the front of a line's `raw` make `text`: the fewest that give as much. Asked for where a line is cut in two."""
    low, high = 0, len(raw)
    while low < high:
        middle = (low + high) // 2
        if len(encoding.text(raw[:middle], at_head=False, mid_line=True, to_its_end=False).data) < len(text):
            low = middle + 1
        else:
            high = middle
    return low

"""The encodings of files: their bytes as UTF-8 text, and where in the file each place of that text lies.

Records are found in the text and cut there, ranges and positions are those of the file. NULs at the beginning of a line, as a sparse hole
or a crash leaves them, are no part of the text, nor is the mark of the byte order at the head of a file.
"""

import codecs
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from operator import add, sub
from typing import Literal, NamedTuple, Protocol

from tailrace.batch import EventBatch

Invalid = Literal["keep", "replace"]
LineEnds = Callable[[bytes], list[int]]
"""Behind each newline of a block of whole characters."""

UNIT = {"utf8": 1, "gbk": 1, "utf16": 2}
"""Bytes of the smallest character."""

HOLE = re.compile(rb"\n(\0+)")
UTF8_MARK = codecs.BOM_UTF8
GB18030_MARK = "\ufeff".encode("gb18030")


class Segments(NamedTuple):
    """From `texts[i]` on the text is what the raw bytes `[raws[i], ends[i])` hold. They lie side by side in the text, the last is an empty
    one at its end."""

    texts: list[int]
    raws: list[int]
    ends: list[int]


class Text:
    """The UTF-8 of a block: `data`. Positions in it are turned into positions in the block."""

    __slots__ = ("_encoding", "_find", "_found", "_raw", "data", "is_valid", "nuls")

    def __init__(self, data: bytes, raw: bytes, find: Callable[[], Segments] | None = None, *, encoding: "Encoding | None" = None) -> None:
        """`find` tells the segments, when they are asked for; None when the text is the block itself. `encoding`: what they are written in,
        where that is not UTF-8."""
        self.data = data
        self.nuls = 0
        """Bytes of NULs that are left out."""
        self.is_valid: bool | None = None
        """Whether it was valid where it was decoded; None where it was not."""
        self._raw, self._find, self._encoding = raw, find, encoding
        self._found: Segments | None = None

    @property
    def is_block(self) -> bool:
        return self._find is None

    def raw(self, at: int) -> int:
        """Where the text from `at` on begins, behind NULs that are left out."""
        segments = self._segments()
        return at if segments is None else self._place(segments, bisect_right(segments.texts, at) - 1, at)

    def raw_end(self, at: int) -> int:
        """Where the text before `at`, which is not 0, ends."""
        segments = self._segments()
        if segments is None:
            return at
        index = bisect_right(segments.texts, at - 1) - 1
        return segments.ends[index] if at == segments.texts[index + 1] else self._place(segments, index, at)

    def raw_spans(self, begins: Sequence[int], lengths: Sequence[int]) -> tuple[list[int], list[int]]:
        """Beginnings and lengths in the block of pieces of the text."""
        segments, stops = self._segments(), list(map(add, begins, lengths))
        if segments is not None and begins == segments.texts[:-1] and stops == segments.texts[1:]:  # each segment is a piece
            return segments.raws[:-1], list(map(sub, segments.ends, segments.raws))[:-1]
        at = {} if segments is None or self.nuls else dict(zip(segments.texts, segments.raws, strict=True))
        if begins and at and at.keys() >= {*begins, *stops}:  # whole lines, each of which ends where the next one begins
            offsets, ends = [at[begin] for begin in begins], [at[stop] for stop in stops]
        else:
            offsets, ends = list(map(self.raw, begins)), list(map(self.raw_end, stops))
        return offsets, list(map(sub, ends, offsets))

    def _segments(self) -> Segments | None:
        if self._found is None and self._find is not None:
            self._found = self._find()
        return self._found

    def _place(self, segments: Segments, index: int, at: int) -> int:
        begin, size = segments.raws[index], at - segments.texts[index]
        if size and self._encoding is not None:
            size = _raw_size(self._encoding, self._raw[begin : segments.ends[index]], self.data[segments.texts[index] : at])
        return begin + size


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
        raws, ends = [begin], []
        for hole in HOLE.finditer(block, begin):
            ends.append(hole.start(1))
            raws.append(hole.end(1))
        if raws[-1] < len(block):
            ends.append(len(block))
            raws.append(len(block))
        ends.append(len(block))
        pieces = [block[raw:end] for raw, end in zip(raws, ends, strict=True)]
        segments = Segments(list(accumulate(map(len, pieces[:-1]), initial=0)), raws, ends)
        made = Text(b"".join(pieces), block, lambda: segments)
        made.nuls = len(block) - start - len(made.data)
        return made


class _Decoded(ABC):
    """What the encodings share that have to be turned into UTF-8: a segment per line."""

    mark = b""
    nul = b"\0"

    @abstractmethod
    def utf8(self, raw: bytes) -> tuple[bytes, bool]:
        """The text, and whether all of it was valid."""

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
        data, is_valid = self.utf8(body)
        if b"\0" in data:
            made = self._without_nuls(data, body, block, start, mid_line=mid_line)
        else:
            lines = lambda: _lines(byte_line_ends(data), len(data), self.line_ends(body), len(body), start)  # noqa: E731 - when asked for
            made = Text(data, block, lines, encoding=self)
        made.is_valid = is_valid
        return made

    def _without_nuls(self, data: bytes, body: bytes, block: bytes, start: int, *, mid_line: bool) -> Text:
        """The text `data` of `body`, which stands at `start` of the block, without the NULs at the beginnings of its lines."""
        lines = _lines(byte_line_ends(data), len(data), self.line_ends(body), len(body), start)
        texts = [data[begin:end] for begin, end in pairwise(lines.texts)]
        nuls = [len(line) - len(line.lstrip(b"\0")) for line in texts]
        if mid_line:
            nuls[0] = 0
        texts = [line[skipped:] for line, skipped in zip(texts, nuls, strict=True)]
        raws = [raw + skipped * len(self.nul) for raw, skipped in zip(lines.raws, nuls, strict=False)]
        kept = [index for index, line in enumerate(texts) if line]
        at = list(accumulate(map(len, texts), initial=0))
        end = lines.raws[-1]
        begins, ends = [*(raws[one] for one in kept), end], [*(lines.ends[one] for one in kept), end]
        segments = Segments([*(at[one] for one in kept), at[-1]], begins, ends)
        made = Text(b"".join(texts), block, lambda: segments, encoding=self)
        made.nuls = sum(nuls) * len(self.nul)
        return made


class Gbk(_Decoded):
    """GBK, and GB18030, which holds all of it."""

    mark = GB18030_MARK

    def __init__(self, invalid: Invalid) -> None:
        self._errors = {"keep": "surrogateescape", "replace": "replace"}[invalid]
        """A byte that begins no character stays as it is, or becomes U+FFFD."""

    def utf8(self, raw: bytes) -> tuple[bytes, bool]:
        try:
            return raw.decode("gb18030").encode(), True
        except UnicodeDecodeError:
            # Line by line: what a broken character does must not depend on the lines that happen to follow it.
            lines = [line.decode("gb18030", self._errors).encode("utf-8", "surrogateescape") for line in raw.split(b"\n")]
            return b"\n".join(lines), False

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

    def utf8(self, raw: bytes) -> tuple[bytes, bool]:
        try:
            return raw.decode(self._codec).encode(), True
        except UnicodeDecodeError:
            even = len(raw) & ~1
            text = raw[:even].decode(self._codec, self._errors).encode("utf-8", "surrogatepass")
            lone = raw[even:] if self._errors == "surrogatepass" else b"\xef\xbf\xbd"
            return text + lone if even < len(raw) else text, False

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
    starts = EventBatch.split_lines(raw, offset=0, time_ns=0).raw_offsets
    return [*starts[1:], len(raw)] if raw.endswith(b"\n") else starts[1:]


def line_ends(encoding: str, head: bytes) -> LineEnds:
    """For a file that begins with `head`."""
    if encoding == "utf16":
        return Utf16("keep", big_endian=head.startswith(codecs.BOM_UTF16_BE)).line_ends
    return byte_line_ends


def _lines(text_ends: list[int], text_size: int, raw_ends: list[int], raw_size: int, start: int) -> Segments:
    """A segment per line, the last of which may be unfinished; the raw bytes begin at `start` of their block."""
    texts, raws = [0, *text_ends], [start, *(map(start.__add__, raw_ends) if start else raw_ends)]
    if texts[-1] < text_size:
        texts.append(text_size)
    if raws[-1] < start + raw_size:  # half a character at the end may look like a newline in the text alone
        raws.append(start + raw_size)
    return Segments(texts, raws, [*raws[1:], raws[-1]])


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

"""Records of every mode and encoding: the same events whatever the blocks, wherever reading is taken up again, in whatever encoding."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.framing import Framing, Place

START, CONTINUE, END = "StartPattern", "ContinuePattern", "EndPattern"
MODES = {
    "lines": {},
    "start": {START: "始|s"},
    "start and continue": {START: "始|s", CONTINUE: r"\s"},
    "start and end": {START: "始|s", END: ".*e$"},
    "continue and end": {CONTINUE: r"\s|m", END: ".*e"},
    "end": {END: "e|終"},
    "objects": {"Mode": "JSON"},
    "whole file": {"Mode": "whole_file"},
}
CODECS = {"utf8": "utf-8", "gbk": "gb18030", "utf16": "utf-16-le"}
LIMIT = 1024

LINE = st.one_of(
    st.sampled_from(
        ["s", "始まり", "  more", "\tm", "m", "e", "終", "the e", "x", "", " ", '{"a": "}"}', "{", '  "k": [1,', "]}", "}", '}{"b":1}']
    )
    | st.sampled_from(['"', "\\", "é漢字", "丂", "|}", "\U0001f30a" * 3, "\r", "a\r"]),
    st.integers(0, 1500).map(lambda size: "x" * size),
    st.integers(0, 600).map(lambda size: "漢a" * size),
    st.integers(900, 1030).map(lambda size: " " + "y" * size),
)
TEXT = st.tuples(st.lists(LINE, max_size=25), st.sampled_from(["", "\n", "\r\n"]), st.sampled_from(["\n", "\r\n"])).map(
    lambda drawn: drawn[2].join(drawn[0]) + drawn[1]
)
BLOCK_SIZES = st.integers(1, 40) | st.integers(100, 5000)
mode = pytest.mark.parametrize("mode", MODES)
encoding = pytest.mark.parametrize("encoding", CODECS)
examples = settings(max_examples=40, deadline=None)


def framing(mode, encoding="utf8", *, block_size=None, **options):
    multiline = {"Multiline": MODES[mode]} if MODES[mode] else {}
    made = Framing(
        FileConfig.model_validate({"FilePaths": ["/d/x"], "FileEncoding": encoding, "MaxEventSizeKB": 1, **multiline, **options})
    )
    made.block_size = block_size or made.most
    return made


def read(made, data, place=None, *, stops=()):
    """(place, piece, batch) of each range, as a reader would make them of a file that stops growing at `stops` for a while."""
    place = place or Place(big_endian=data.startswith(codecs.BOM_UTF16_BE))
    for end in [*(stop for stop in sorted(stops) if stop > place.offset), len(data)]:
        while place.offset < end:
            for size in (made.block_size, made.most):
                block = data[place.offset : min(end, place.offset + size)]
                piece = made.cut(block, place, complete=len(block) < size)
                if piece is not None:
                    break
            assert piece is not None
            assert 0 < piece.size <= len(block)
            batch = records_of(made, block, place, piece).batch
            if not piece.mark and (at := made.long_record(batch, place.offset)) is not None:
                piece = made.shortened(block, at, place)
                batch = records_of(made, block, place, piece).batch
            yield place, piece, batch
            offset = place.offset + piece.size
            place = Place(offset, piece.unfinished, data[max(0, offset - 1024) : offset], place.big_endian)


def records_of(made, block, place, piece):
    return made.split(block[: piece.size], offset=place.offset, mark=piece.mark, now_ns=0, big_endian=place.big_endian)


def events(made, data, place=None, *, stops=()):
    """With their places."""
    found = []
    for _, _, batch in read(made, data, place, stops=stops):
        found += zip(batch.rows(), batch.raw_offsets, batch.raw_lengths, strict=True)
    return found


def seen(found):
    return [fields for (_, fields), _, _ in found]


@mode
@encoding
@given(text=TEXT, block_size=BLOCK_SIZES, stops=st.lists(st.integers(0, 3000), max_size=3))
@examples
def test_the_events_do_not_depend_on_the_blocks(mode, encoding, text, block_size, stops):
    data = text.encode(CODECS[encoding])
    stops = [2 * (stop // 2) for stop in stops if stop < len(data)]
    whole = framing(mode, encoding, block_size=1 << 20)
    assert events(framing(mode, encoding, block_size=block_size), data, stops=stops) == events(whole, data, stops=stops)


@mode
@encoding
@given(text=TEXT, block_sizes=st.tuples(BLOCK_SIZES, BLOCK_SIZES))
@examples
def test_reading_is_taken_up_at_any_range(mode, encoding, text, block_sizes):
    data = text.encode(CODECS[encoding])
    first, second = (framing(mode, encoding, block_size=size) for size in block_sizes)
    ranges = list(read(first, data))
    assert [place.offset for place, _, _ in ranges[1:]] == [place.offset + piece.size for place, piece, _ in ranges[:-1]]
    everything = events(first, data)
    sent = 0
    for place, _, batch in ranges:
        assert events(second, data, place) == everything[sent:]
        sent += len(batch)


@mode
@given(text=TEXT)
@examples
def test_the_encoding_makes_no_difference(mode, text):
    expected = seen(events(framing(mode), text.encode()))
    assert seen(events(framing(mode, "gbk"), text.encode("gb18030"))) == expected
    assert seen(events(framing(mode, "utf16"), text.encode("utf-16-le"))) == expected
    assert seen(events(framing(mode, "utf16"), text.encode("utf-16"))) == expected
    assert seen(events(framing(mode, "utf16"), codecs.BOM_UTF16_BE + text.encode("utf-16-be"))) == expected
    assert seen(events(framing(mode), text.encode("utf-8-sig"))) == expected


@mode
@encoding
@given(text=TEXT, block_size=BLOCK_SIZES)
@examples
def test_an_events_place_is_where_its_bytes_stand(mode, encoding, text, block_size):
    data = text.encode(CODECS[encoding])
    before = 0
    for (_, fields), offset, length in events(framing(mode, encoding, block_size=block_size), data):
        value = dict(fields)[b"content"]
        assert offset >= before
        before = offset + length
        assert data[offset:before].decode(CODECS[encoding]).encode().startswith(value)
        assert length <= (LIMIT + 2) * 2


@encoding
@given(
    lines=st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["a", "long " * 50, ""])), min_size=1, max_size=6),
    block_size=BLOCK_SIZES,
)
@examples
def test_holes_of_nuls_are_no_part_of_the_lines_behind_them(encoding, lines, block_size):
    data = "".join("\0" * nuls + line + "\n" for nuls, line in lines).encode(CODECS[encoding])
    made = framing("lines", encoding, block_size=block_size)
    found = events(made, data)
    assert seen(found) == [[(b"content", line.encode())] for _, line in lines]
    for _, offset, length in found:
        assert "\0" not in data[offset : offset + length].decode(CODECS[encoding])
    skipped = sum(records_of(made, data[place.offset :], place, piece).nuls for place, piece, _ in read(made, data))
    assert skipped == sum(nuls for nuls, _ in lines) * made.unit


@mode
@encoding
@given(
    data=st.lists(st.binary(max_size=4) | st.sampled_from([b"\n", b"\0", b"s", b"\x81\x30", b"\xd8\x00", b"\x00\xd8"]), max_size=40).map(
        b"".join
    )
)
@settings(max_examples=60, deadline=None)
def test_any_bytes(mode, encoding, data):
    for invalid in ("keep", "replace"):
        kept = events(framing(mode, encoding, InvalidBytes=invalid), data)
        assert kept == events(framing(mode, encoding, block_size=7, InvalidBytes=invalid), data)
        if invalid == "replace":
            assert all(value.decode() is not None for fields in seen(kept) for _, value in fields)

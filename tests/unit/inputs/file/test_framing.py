"""Cutting blocks into records: the same events whatever the blocks are, and long or unfinished records marked."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.framing import Framing, Place


def framing(start="", *, limit_kb=1, treatment="single_line", block_size=None, multiline=None, **options):
    options = {"FilePaths": ["/d/x"], "MaxEventSizeKB": limit_kb, **options}
    multiline = multiline or ({"StartPattern": start} if start else {})
    if multiline:
        options["Multiline"] = {"UnmatchedContentTreatment": treatment, **multiline}
    made = Framing(FileConfig.model_validate(options))
    if block_size:
        made.block_size = block_size
    return made


def pieces(made, data, *, seen_at=()):
    """Read `data` as a reader does; at the offsets `seen_at` the file ends for a while and its unfinished record is flushed.

    (offset, piece, batch), side by side.
    """
    place = Place(big_endian=data.startswith(codecs.BOM_UTF16_BE))
    for end in [*seen_at, len(data)]:
        while place.offset < end:
            block = data[place.offset : min(end, place.offset + made.block_size)]
            piece = made.cut(block, place, complete=len(block) < made.block_size)
            if piece is None:
                block = data[place.offset : min(end, place.offset + made.most)]
                piece = made.cut(block, place, complete=len(block) < made.most)
            assert piece is not None
            assert 0 < piece.size <= len(block)
            batch = split(made, block[: piece.size], place, piece)
            if not piece.mark and (at := made.long_record(batch, place.offset)) is not None:
                piece = made.shortened(block, at, place)
                batch = split(made, block[: piece.size], place, piece)
            yield place.offset, piece, batch
            offset = place.offset + piece.size
            place = Place(offset, piece.unfinished, data[max(0, offset - 1024) : offset], place.big_endian)


def split(made, block, place, piece):
    return made.split(block, offset=place.offset, mark=piece.mark, big_endian=place.big_endian).batch


def read_all(made, data, *, seen_at=()):
    """Events as (content, mark)."""
    rows = [dict(fields) for _, _, batch in pieces(made, data, seen_at=seen_at) for _, fields in batch.rows()]
    return [(values.get(b"content", b""), values.get(b"__truncate_info__", b"").decode()) for values in rows]


def contents(events):
    return [content for content, _ in events]


def test_lines():
    assert read_all(framing(), b"one\ntwo\r\n\nfour\n") == [(b"one", ""), (b"two", ""), (b"", ""), (b"four", "")]


def test_a_last_line_without_newline_waits_until_it_is_complete():
    made = framing()
    assert made.cut(b"half", Place(), complete=False) is None
    piece = made.cut(b"one\nhalf", Place(), complete=False)
    assert (piece.size, piece.mark, piece.unfinished) == (4, "", 0)


def test_the_rest_of_a_flushed_line_is_a_second_event_that_says_so():
    assert read_all(framing(), b"one\nhalf and rest\ntwo\n", seen_at=[8]) == [
        (b"one", ""),
        (b"half", ""),
        (b" and rest", "continued"),
        (b"two", ""),
    ]


def test_a_flushed_line_of_which_only_the_newline_was_missing_has_no_rest():
    assert read_all(framing(), b"one\nwhole\ntwo\n", seen_at=[9]) == [(b"one", ""), (b"whole", ""), (b"two", "")]


@pytest.mark.parametrize("before", [b"", b"short\n", b"y" * 900 + b"\n"])
def test_a_long_line_is_cut_at_the_limit_and_each_part_marked(before):
    events = read_all(framing(), before + b"x" * 2049 + b"\nnext\n")
    assert [(len(content), mark) for content, mark in events if content.startswith(b"x")] == [
        (1024, "cut"),
        (1024, "cut,continued"),
        (1, "continued"),
    ]
    assert events[-1] == (b"next", "")
    assert b"".join(content for content in contents(events) if content.startswith(b"x")) == b"x" * 2049


@pytest.mark.parametrize("before", [b"", b"short\n"])
def test_a_long_line_that_ends_within_the_block_is_cut_too(before):
    events = read_all(framing(), before + b"x" * 1500 + b"\nnext\n")
    assert [(len(content), mark) for content, mark in events if content.startswith(b"x")] == [(1024, "cut"), (476, "continued")]
    assert events[-1] == (b"next", "")


def test_a_line_of_exactly_the_limit_is_whole():
    assert read_all(framing(), b"x" * 1024 + b"\ny\n") == [(b"x" * 1024, ""), (b"y", "")]


START = r"\[\d+\]"


def test_records_of_several_lines():
    assert contents(read_all(framing(START), b"[1] a\n  at x\n  at y\n[2] b\n[3] c\n  at z\n")) == [
        b"[1] a\n  at x\n  at y",
        b"[2] b",
        b"[3] c\n  at z",
    ]


def test_the_last_record_waits_because_it_may_grow():
    made = framing(START)
    piece = made.cut(b"[1] a\n[2] b\n  at x\n", Place(), complete=False)
    assert piece.size == 6
    assert made.cut(b"[2] b\n  at x\n", Place(), complete=False) is None


def test_lines_before_the_first_record():
    assert contents(read_all(framing(START), b"stray\nlines\n[1] a\n")) == [b"stray", b"lines", b"[1] a"]
    assert contents(read_all(framing(START, treatment="discard"), b"stray\nlines\n[1] a\n")) == [b"[1] a"]


def test_what_follows_a_flushed_record_is_one_event_that_says_so():
    data = b"[1] a\n  at x\n  at y\n  at z\n[2] b\n"
    assert read_all(framing(START), data, seen_at=[13]) == [(b"[1] a\n  at x", ""), (b"  at y\n  at z", "continued"), (b"[2] b", "")]
    assert read_all(framing(START), b"[1] a\n[2] b\n", seen_at=[6]) == [(b"[1] a", ""), (b"[2] b", "")]


def test_a_long_record_of_several_lines_is_cut():
    data = b"[1] a\n" + b"[2] b\n" + b"  at line\n" * 150 + b"[3] c\n"
    events = read_all(framing(START), data)
    assert [mark for _, mark in events] == ["", "cut", "continued", ""]
    assert len(events[1][0]) == 1024


LINE = st.one_of(
    st.binary(max_size=40), st.integers(0, 99).map(lambda number: b"[%d] start" % number), st.integers(0, 700).map(lambda n: b"x" * n)
)
FILE = st.tuples(st.lists(LINE.map(lambda line: line.replace(b"\n", b" ").replace(b"\0", b" ")), max_size=60), st.booleans()).map(
    lambda file: b"\n".join(file[0]) + (b"\n" if file[1] else b"")
)


@given(data=FILE, block_size=st.integers(1024, 4096), start=st.sampled_from(["", START]))
@settings(max_examples=150, deadline=None)
def test_the_events_do_not_depend_on_the_blocks(data, block_size, start):
    # Records longer than a block would be cut: that is the limit's doing, not the block's.
    whole = framing(start, limit_kb=8192)
    if start and max((len(content) for content in contents(read_all(whole, data))), default=0) >= 1000:
        return
    assert read_all(framing(start, block_size=block_size), data) == read_all(whole, data)


@given(data=FILE, cuts=st.lists(st.integers(0, 3000), max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_byte_is_lost_however_often_the_file_stops_growing(data, cuts):
    seen = sorted({cut for cut in cuts if cut < len(data)})
    found = b"".join(contents(read_all(framing(), data, seen_at=seen))).replace(b"\r", b"")
    assert found == data.replace(b"\n", b"").replace(b"\r", b"")

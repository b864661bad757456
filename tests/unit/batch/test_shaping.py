"""Filter, mask, rename, drop, add, replace; and what comes out of a batch."""

import hashlib
import struct
from types import ModuleType
from typing import Any

import pytest

ROWS = [(1, [(b"level", b"INFO"), (b"m", b"id=12 id=345")]), (2, [(b"level", b"DEBUG")]), (3, [(b"m", b"x"), (b"m", b"y")])]


@pytest.fixture
def batch(engine: ModuleType) -> Any:
    return engine.EventBatch.from_events(ROWS)


def test_filter_keeps_rows_of_which_all_named_fields_match(engine: ModuleType, batch: Any) -> None:
    assert batch.filter([(b"level", engine.Pattern("INFO|DEBUG")), (b"m", engine.Pattern("id.*"))]) == 2
    assert (batch.times, batch.discarded) == ([1], 2)


def test_filter_can_exclude(engine: ModuleType, batch: Any) -> None:
    assert batch.filter([(b"level", engine.Pattern("DEBUG")), (b"m", engine.Pattern("x"))], exclude=True) == 2
    assert batch.times == [1]


def test_filter_matches_whole_values(engine: ModuleType, batch: Any) -> None:
    assert batch.filter([(b"level", engine.Pattern("INF"))]) == 3


def test_which_rows_match_is_said_without_dropping_any(engine: ModuleType, batch: Any) -> None:
    assert batch.matching(b"level", engine.Pattern("INF")) == [False, False, False]
    assert batch.matching(b"level", engine.Pattern("INF"), anywhere=True) == [True, False, False]
    assert batch.matching(b"m", engine.Pattern("x")) == [False, False, True]
    assert len(batch) == 3


@pytest.mark.parametrize("text", [b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
def test_rows_that_are_not_text(engine: ModuleType, text: bytes) -> None:
    rows = [(1, [(b"a", "é€😀".encode())]), (2, [(b"a", text)]), (3, [(text, b"x")]), (4, [])]
    assert engine.EventBatch.from_events(rows).utf8_rows() == [True, False, False, True]


def test_rows_are_put_into_another_order(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_lines(b"one\ntwo\nthree\n", offset=10)
    batch.set_times([1, 2, 3])
    batch.reorder([2, 0, 1])
    assert batch.column(b"content") == [b"three", b"one", b"two"]
    assert (batch.times, batch.raw_offsets, batch.raw_lengths) == ([3, 1, 2], [18, 10, 14], [6, 4, 4])
    assert batch.spans(b"content") == [(8, 5), (0, 3), (4, 3)]
    for wrong in ([0, 1], [0, 0, 1], [0, 1, 3]):
        with pytest.raises(ValueError, match=r"3 events|every row once"):
            batch.reorder(wrong)


@pytest.mark.parametrize(
    ("pattern", "replacement", "every", "expected"),
    [
        (r"\d+", b"*", True, b"id=* id=*"),
        (r"\d+", b"*", False, b"id=* id=345"),
        (r"(id)=(\d)\d*", rb"\2\\\1\n\x", True, rb"2\id\n\x 3\id\n\x".replace(rb"2\id", rb"1\id")),
        (r"\d*", b"*", True, b"id=* id=*"),
        (r"(a)?id", rb"<\1>", True, b"<>=12 <>=345"),
    ],
)
def test_mask(engine: ModuleType, batch: Any, pattern: str, replacement: bytes, every: bool, expected: bytes) -> None:
    assert batch.mask(b"m", engine.Pattern(pattern), replacement, all=every, instead=b"never").count == 0
    assert batch.column(b"m") == [expected, None, b"x"]
    batch.mask(b"m", engine.Pattern("zzz"), b"")
    assert batch.column(b"m") == [expected, None, b"x"]


def test_rename_keeps_the_place_and_overwrites(batch: Any) -> None:
    assert batch.rename(b"m", b"level") == 2
    assert batch.rows() == [(1, [(b"level", b"id=12 id=345")]), (2, [(b"level", b"DEBUG")]), (3, [(b"level", b"x"), (b"level", b"y")])]
    assert batch.rename(b"level", b"level") == 0


def test_a_column_is_set_to_what_is_given(batch: Any) -> None:
    values = [None, b"WARN", b"new"]
    batch.set_column(b"level", values)
    assert batch.column(b"level") == values
    batch.set_column(b"m", [None, None, None])
    assert [fields for _, fields in batch.rows()] == [[], [(b"level", b"WARN")], [(b"level", b"new")]]


def test_of_a_repeated_key_the_first_is_set(batch: Any) -> None:
    batch.set_column(b"m", [b"id=12 id=345", None, b"z"])
    assert batch.rows()[2] == (3, [(b"m", b"z"), (b"m", b"y")])


def test_a_value_that_does_not_change_stays_in_the_block(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_lines(b"one\ntwo\n")
    batch.set_column(b"content", [b"one", b"TWO"])
    assert batch.spans(b"content") == [(0, 3), None]


def test_rows_are_kept_by_choice_and_by_time(batch: Any) -> None:
    assert batch.keep_rows([True, False, True]) == 1
    assert batch.keep_times(1, 2) == 1
    assert (batch.times, batch.discarded) == ([1], 2)
    batch.set_times([70])
    assert (batch.keep_times(70), batch.keep_times(None, 70), batch.times) == (0, 0, [70])
    assert batch.keep_times() == 0


@pytest.mark.parametrize(("operation", "arguments"), [("set_column", (b"m", [b""])), ("set_times", ([1],)), ("keep_rows", ([True] * 4,))])
def test_a_column_has_one_value_per_row(batch: Any, operation: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="3 events"):
        getattr(batch, operation)(*arguments)


def test_drop_and_add(batch: Any) -> None:
    batch.drop([b"m", b"unknown"])
    batch.add(b"level", b"X", overwrite=False)
    batch.add(b"host", b"h")
    batch.add(b"host", b"h2")
    assert [fields for _, fields in batch.rows()] == [
        [(b"level", b"INFO"), (b"host", b"h2")],
        [(b"level", b"DEBUG"), (b"host", b"h2")],
        [(b"level", b"X"), (b"host", b"h2")],
    ]
    assert batch.keys == [b"level", b"host"]


def test_replace_puts_rows_back_and_counts_what_is_gone(engine: ModuleType, batch: Any) -> None:
    rows = batch.rows()
    batch.replace([rows[0], None, (9, [(b"new", b"v")])])
    assert batch.rows() == [ROWS[0], (9, [(b"new", b"v")])]
    assert batch.discarded == 1
    with pytest.raises(ValueError, match="2"):
        batch.replace([])


def test_keys_follow_the_rows(batch: Any) -> None:
    assert batch.keys == [b"level", b"m"]
    assert batch.column(b"m") == [b"id=12 id=345", None, b"x"], "of a repeated key the first"
    assert len(batch) == 3


def test_encoding_says_size_digest_and_count(batch: Any) -> None:
    plain = batch.encode(compression="none", digest="sha256", first=1, count=1)
    assert plain.body == b"\x0a\x12\x08\x00\x12\x0e\x0a\x05level\x12\x05DEBUG"
    assert (plain.raw_size, plain.digest, plain.events) == (20, hashlib.sha256(plain.body).hexdigest(), 1)
    packed = batch.encode(compression="zstd", digest="md5")
    assert packed.digest == hashlib.md5(packed.body).hexdigest().upper()
    assert packed.raw_size == len(batch.encode(compression="none").body)
    assert batch.encode(digest="none", first=5, count=3).events == 0


def test_times_beyond_what_the_wire_can_say_are_clamped(engine: ModuleType) -> None:
    for time, wire in [(-1, 0), (2**32 * 10**9, 2**32 - 1)]:
        batch = engine.EventBatch.from_events([(time, [])])
        body = batch.encode(compression="none", digest="none").body
        assert engine.EventBatch.decode(body).times == [wire * 10**9]


def test_store_columns(batch: Any) -> None:
    columns = batch.store_columns(first=1, fields=[b"m", b"nothing"])
    assert struct.unpack("<2q", columns.times) == (2, 3)
    assert struct.unpack("<2Q", columns.ends) == (1, 3)
    assert (columns.keys, columns.key_index) == ([b"level", b"m"], b"\0\1\1")
    assert columns.values == b"\5DEBUG\1x\1y"
    assert columns.fields == [b"\0\1x", b"\0\0"]


def test_places_of_keys_are_as_wide_as_their_number_asks(engine: ModuleType) -> None:
    for keys, code in [(256, "B"), (257, "H"), (65_537, "I")]:
        batch = engine.EventBatch.from_events([(0, [(b"%d" % n, b"%d" % n) for n in range(keys)])])
        columns = batch.store_columns(fields=[b"300", b"7"])
        assert struct.unpack(f"<{keys}{code}", columns.key_index) == tuple(range(keys))
        assert columns.fields == [b"\x03300" if keys > 300 else b"\0", b"\x017"]


def test_a_long_value_has_a_length_of_several_bytes(engine: ModuleType) -> None:
    batch = engine.EventBatch.from_events([(0, [(b"k", b"v" * 300)])])
    assert batch.store_columns(fields=[b"k"]).fields == [b"\xac\x02" + b"v" * 300]


def test_a_decoded_body_that_lies_is_refused(engine: ModuleType, batch: Any) -> None:
    sealed = batch.encode(compression="lz4")
    for options, reason in [
        ({"raw_size": sealed.raw_size + 1}, "wrong_size"),
        ({"raw_size": sealed.raw_size - 1}, "wrong_size"),
        ({}, "wrong_size"),
        ({"raw_size": sealed.raw_size, "max_raw_size": 10}, "too_large"),
        ({"raw_size": sealed.raw_size, "max_events": 2}, "too_many"),
        ({"raw_size": sealed.raw_size, "max_value": 4}, "too_large"),
    ]:
        with pytest.raises(engine.DecodeError) as caught:
            engine.EventBatch.decode(sealed.body, compression="lz4", **options)
        assert caught.value.reason == reason, options
    with pytest.raises(engine.DecodeError) as caught:
        engine.EventBatch.decode(sealed.body[:-3])
    assert caught.value.reason == "malformed"

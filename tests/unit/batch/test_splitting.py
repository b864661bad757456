"""Blocks become events: which bytes belong to which event, and where in the stream they stood."""

from types import ModuleType

import pytest


def values(batch) -> list[bytes]:
    return batch.column(b"content")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\r\nb\r", [b"a\r", b"b\r"]),
        (b"\x00\xff\n", [b"\x00\xff"]),
    ],
)
def test_lines(engine: ModuleType, block: bytes, expected: list[bytes]) -> None:
    batch = engine.EventBatch.split_lines(block, offset=100, time_ns=7)
    assert values(batch) == expected
    assert batch.times == [7] * len(expected)


def test_raw_offsets_and_lengths_partition_the_block(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_lines(b"ab\r\n\nc", offset=100)
    assert (batch.raw_offsets, batch.raw_lengths) == ([100, 104, 105], [4, 1, 1])
    assert batch.spans(b"content")[0] == (0, 2)


BLOCK = b"stray\r\n2026 a\n  more\r\n2027 b\n\n2028 c"


def test_records_begin_where_the_pattern_matches_a_prefix(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(BLOCK, engine.Pattern(r"\d{4}"), offset=10)
    assert values(batch) == [b"stray", b"2026 a\n  more", b"2027 b\n", b"2028 c"]
    assert (batch.raw_offsets, batch.raw_lengths) == ([10, 17, 32, 40], [7, 15, 8, 6])
    assert batch.discarded == 0


def test_lines_before_the_first_record_can_be_discarded(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(BLOCK, engine.Pattern(r"\d{4}"), discard_unmatched=True)
    assert (values(batch)[0], len(batch), batch.discarded) == (b"2026 a\n  more", 3, 1)
    nothing = engine.EventBatch.split_records(b"a\nb\n", engine.Pattern("x"), discard_unmatched=True)
    assert (len(nothing), nothing.discarded) == (0, 2)


def test_a_record_start_sees_a_line_without_its_end(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(b"a!\r\nb\na!\r", engine.Pattern("a!$"))
    assert values(batch) == [b"a!\r\nb", b"a!\r"]


@pytest.mark.parametrize(
    ("block", "start", "expected"),
    [
        (b"a\nb\nc", None, 4),
        (b"abc", None, 0),
        (b"1 a\n b\n2 c\n d", r"\d", 7),
        (b"1 a\n b\n", r"\d", 0),
        (b"1 a\n2 b\n3", r"\d", 4),
        (b"1 a\n2", r"\d", 0),
        (b"1 a\n", r"\d", 0),
        (b"", r"\d", 0),
    ],
)
def test_the_end_of_whole_records(engine: ModuleType, block: bytes, start: str | None, expected: int) -> None:
    assert engine.record_end(block, None if start is None else engine.Pattern(start)) == expected

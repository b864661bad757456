"""Log groups become columns: the same bytes, the right places, tags on every row."""

from pathlib import Path

import pytest

from tailrace.batch import DecodeError, EventBatch
from tailrace.server.store import columns
from tailrace.server.store.columns import Placement
from tailrace.server.store.port import FieldIndex
from tests.unit.store.native_reader import Reader

SECOND = 1_000_000_000
NOW_MS = 1_800_000_000_000


def decoded(events: list[tuple[int, list[tuple[bytes, bytes]]]], tags: list[tuple[bytes, bytes]] | None = None) -> EventBatch:
    batch = EventBatch.from_events(events)
    batch.topic, batch.source = b"t\xff", b"10.0.0.1"
    encoded = batch.encode(tags=tags or [], time_ns_part=True)
    return columns.decode(encoded.body, "lz4", encoded.raw_size)


def rows(path: Path, *groups: tuple[Placement, EventBatch], fields: tuple[FieldIndex, ...] = ()) -> list[dict[str, object]]:
    columns.write_block(path, groups, fields)
    return Reader(path.read_bytes()).rows()


def test_a_row_is_its_event_and_its_place(tmp_path: Path) -> None:
    group = decoded([(5 * SECOND + 7, [(b"a", b"1"), (b"a", b"\xff")]), (6 * SECOND, [])], [(b"host", b"h")])
    at = Placement(NOW_MS, 3, 100, 9, "me", b"\x01" * 16, 0xFFFF_FFFF_FFFF_FFFF, 12, 1)
    found = rows(tmp_path / "block", (at, group))
    assert found[0] == {
        "time": 5 * SECOND + 7, "recv": NOW_MS, "shard": 3, "seq": 100, "group_cursor": 9, "group_size": 2, "agent": b"me",
        "epoch": b"01" * 16, "stream": 0xFFFF_FFFF_FFFF_FFFF, "pack_seq": 12, "pack_part": 1, "pack_index": 0,
        "source": b"10.0.0.1", "topic": b"t\xff", "tags": [(b"host", b"h")], "fields": [(b"a", b"1"), (b"a", b"\xff")],
    }  # fmt: skip
    assert (found[1]["seq"], found[1]["pack_index"], found[1]["fields"]) == (101, 1, [])


def test_groups_with_other_keys_and_tags_go_into_one_block(tmp_path: Path) -> None:
    one, two = decoded([(0, [(b"x", b"1")])], [(b"t", b"1")]), decoded([(0, [(b"y", b"2")])])
    found = rows(tmp_path / "block", (Placement(NOW_MS, 0, 0, 0), one), (Placement(NOW_MS, 0, 1, 1), two))
    assert [(row["fields"], row["tags"]) for row in found] == [([(b"x", b"1")], [(b"t", b"1")]), ([(b"y", b"2")], [])]


def test_only_rows_from_the_future_are_marked(tmp_path: Path) -> None:
    now = NOW_MS * 1_000_000
    times = [now - SECOND, now + 901 * SECOND, now, now + 5000 * SECOND, now + 901 * SECOND]
    group = decoded([(time, [(b"n", b"%d" % n)]) for n, time in enumerate(times)], [(b"a", b"1"), (b"b", b"2")])
    found = rows(tmp_path / "block", (Placement(NOW_MS, 0, 0, 0, mark_ahead=900.0), group))
    own = [(b"a", b"1"), (b"b", b"2")]
    marks = [b"", b"901", b"", b"5000", b"901"]
    assert [row["tags"] for row in found] == [[*own, (b"__time_ahead__", mark)] if mark else own for mark in marks]


def test_values_of_indexed_fields_stand_beside_the_map(tmp_path: Path) -> None:
    group = decoded([(0, [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]), (1, [(b"b", b"")]), (2, [])])
    fields = (FieldIndex("c4", "b", "text"), FieldIndex("c7", "a", "long"))
    found = rows(tmp_path / "block", (Placement(NOW_MS, 0, 0, 0), group), fields=fields)
    assert [(row["c4"], row["c7"]) for row in found] == [(b"2", b"1"), (b"", b""), (b"", b"")]


def test_more_tags_than_a_byte_counts(tmp_path: Path) -> None:
    tags = [(b"%d" % n, b"v%d" % n) for n in range(300)]
    times = [NOW_MS * 1_000_000, (NOW_MS + 901_000) * 1_000_000]
    found = rows(tmp_path / "block", (Placement(NOW_MS, 0, 0, 0, mark_ahead=900.0), decoded([(time, []) for time in times], tags)))
    assert [row["tags"] for row in found] == [tags, [*tags, (b"__time_ahead__", b"901")]]


@pytest.mark.parametrize(("body", "size"), [(b"\xff\xff\xff", 3), (b"\x0a\x05abc", 5), (b"", 1)])
def test_a_bad_body_is_refused(body: bytes, size: int) -> None:
    with pytest.raises(DecodeError):
        columns.decode(body, "none", size)

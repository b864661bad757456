"""Shards and their numbers."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.pipeline.contract import Identity
from tailrace.server.store.cursors import Cursors, ShardChooser
from tailrace.server.store.port import Package, ShardRange, TableSpec, Write
from tailrace.server.store.records import PackageRecord, RequestRecord, StateRecord

TABLE = TableSpec(1, 30, shards=4)
PLAIN = Package(b"", "none", 0)


def request(*packages: tuple[int, int]) -> RequestRecord:
    """(shard, events) of each package."""
    return RequestRecord(1, 0, [PackageRecord(b"", "none", 0, events, shard, 0, 0) for shard, events in packages])


def test_a_hash_key_falls_into_the_range_of_its_shard() -> None:
    chooser = ShardChooser()
    keys = ["0" * 32, "3" + "f" * 31, "4" + "0" * 31, "f" * 32]
    assert [chooser.choose(Write(TABLE, [PLAIN], hash_key=key), [PLAIN])[0] for key in keys] == [0, 0, 1, 3]


def test_ranges_of_the_moment_decide_for_keys_streams_and_turns() -> None:
    ranges = [ShardRange(7, 0), ShardRange(3, 1 << 126), ShardRange(9, 3 << 126)]
    chooser = ShardChooser()
    keys = ["0" * 32, "4" + "0" * 31, "b" + "f" * 31, "c" + "0" * 31, "f" * 32]
    by_key = [chooser.choose(Write(TABLE, [PLAIN], hash_key=key, shards=lambda: ranges), [PLAIN])[0] for key in keys]
    assert by_key == [7, 3, 3, 9, 9]
    streams = [Package(b"", "none", 0, "agent", Identity(b"e", f"{n:X}", 1, 0, 1, b"")) for n in range(400)]
    spread = Counter(chooser.choose(Write(TABLE, streams, shards=lambda: ranges), streams))
    assert spread.keys() == {7, 3, 9}
    assert spread[3] > spread[7]
    assert {chooser.choose(Write(TABLE, [PLAIN], shards=lambda: ranges), [PLAIN])[0] for _ in range(3)} == {7, 3, 9}


def test_writes_go_round_and_streams_stay() -> None:
    chooser = ShardChooser()
    assert [chooser.choose(Write(TABLE, [PLAIN]), [PLAIN])[0] for _ in range(6)] == [0, 1, 2, 3, 0, 1]
    other = replace(TABLE, logstore=TABLE.logstore + 1)
    in_turn = [chooser.choose(Write(table, [PLAIN]), [PLAIN])[0] for table in (TABLE, other) * 4]
    assert set(in_turn[::2]) == set(in_turn[1::2]) == {0, 1, 2, 3}, "whoever writes to two logstores in turn reaches all shards of both"
    mine = Package(b"", "none", 0, "agent", Identity(b"e", "AB", 1, 0, 1, b""))
    writes = (Write(TABLE, [PLAIN]), Write(TABLE, [PLAIN], hash_key="0" * 32), Write(TABLE, [PLAIN]), Write(TABLE, [mine]))
    placed = [chooser.choose(write, write.packages)[0] for write in writes * 2]
    assert set(placed[::2]) == {0, 1, 2, 3}, "writes with a key and streams take no turn"
    assert len({chooser.choose(Write(TABLE, [mine]), [mine])[0] for _ in range(8)}) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=4), st.booleans())))
def test_whatever_fails_there_are_no_holes_and_no_repeats(writes: list[tuple[list[tuple[int, int]], bool]]) -> None:
    cursors = Cursors()
    cursors.start()
    rows: dict[int, list[int]] = {}
    groups: dict[int, list[int]] = {}
    for packages, written in writes:
        made = request(*packages)
        cursors.place(made)
        if not written:
            cursors.undo(made)
            continue
        cursors.apply(made)
        for package in made.packages:
            rows.setdefault(package.shard, []).extend(range(package.seq, package.seq + package.events))
            groups.setdefault(package.shard, []).extend([package.group_cursor] * (package.events > 0))
    assert all(found == list(range(len(found))) for found in [*rows.values(), *groups.values()])
    again = Cursors()
    again.restore(StateRecord(0, [], cursors.snapshot()))
    again.start()
    after = request((0, 1))
    again.place(after)
    assert after.packages[0].seq == len(rows.get(0, []))

"""Which events go first when the store takes too many bytes."""

from tailrace.server.store.space import Part, excess


def part(logstore: int, day: int, size: int, written: int = 0) -> Part:
    return Part(logstore, f"202611{day:02}", f"{day}_{written}", written, size, size)


PARTS = [part(1, 1, 10), part(1, 1, 5), part(1, 2, 20), part(1, 3, 7, 100), part(1, 3, 8, 300), part(2, 2, 30), part(2, 4, 9, 50)]
"""Logstore 1 has 50 bytes, logstore 2 has 39."""


def gone(bounds: dict[int, int], whole: int = 0) -> list[tuple[int, str, int]]:
    return [(unit.dropped.logstore, unit.dropped.day[-2:], unit.dropped.bytes) for unit in excess(PARTS, bounds, whole)]


def test_within_its_bound_nothing_goes() -> None:
    assert gone({1: 50, 2: 39}, 89) == []
    assert gone({1: 0}) == []


def test_whole_days_go_first_the_oldest_first_and_no_more_than_needed() -> None:
    assert gone({1: 49}) == [(1, "01", 15)]
    assert gone({1: 34}) == [(1, "01", 15), (1, "02", 20)]


def test_of_the_newest_day_parts_go_but_never_the_last() -> None:
    assert gone({1: 10}) == [(1, "01", 15), (1, "02", 20), (1, "03", 7)]
    assert gone({1: 1, 2: 1}) == [(1, "01", 15), (1, "02", 20), (1, "03", 7), (2, "02", 30)]


def test_the_whole_store_drops_the_oldest_of_all_after_each_has_kept_to_its_own_bound() -> None:
    assert gone({}, 70) == [(1, "01", 15), (1, "02", 20)]
    assert gone({2: 9}, 50) == [(2, "02", 30), (1, "01", 15)]


def test_a_merged_part_keeps_its_place_before_what_came_after_it() -> None:
    merged, later, elsewhere = part(1, 3, 7, 300), part(1, 3, 7, 200), part(2, 3, 7, 250)
    units = excess([merged, later, part(1, 3, 1, 400), elsewhere, part(2, 3, 1, 400)], {}, 2)
    assert [unit.part for unit in units] == [elsewhere.name, merged.name, later.name]


def test_statements_name_the_day_or_the_part() -> None:
    assert [unit.statement for unit in excess(PARTS, {1: 10}, 0)] == [
        "ALTER TABLE ls_1 DROP PARTITION ID '20261101'",
        "ALTER TABLE ls_1 DROP PARTITION ID '20261102'",
        "ALTER TABLE ls_1 DROP PART '3_100'",
    ]

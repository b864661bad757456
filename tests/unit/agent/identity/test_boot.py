"""What a start tells of the starts before it."""

import json
from pathlib import Path

from tailrace.agent.identity.boot import FILE, MOST_STARTS, begin, settle


def test_a_start_names_those_that_no_server_has_heard_of(tmp_path: Path) -> None:
    first, second, third = begin(tmp_path), begin(tmp_path), begin(tmp_path)
    assert (first.before, second.before, third.before) == ([], [first.id], [first.id, second.id])
    settle(tmp_path, third)
    assert begin(tmp_path).before == [third.id]


def test_the_one_that_a_server_knows_stays_among_any_number(tmp_path: Path) -> None:
    known = begin(tmp_path)
    settle(tmp_path, known)
    last = [begin(tmp_path) for _ in range(2 * MOST_STARTS)][-1]
    assert last.before[0] == known.id
    assert len(last.before) < MOST_STARTS
    assert begin(tmp_path).before[-1] == last.id


def test_the_file_of_an_older_release_is_understood(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"format": 1, "boot_id": "b" * 32}))
    assert begin(tmp_path).before == ["b" * 32]


def test_a_damaged_file_does_not_keep_the_agent_from_starting(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    assert begin(tmp_path).before == []
    assert json.loads((tmp_path / FILE).read_text())["format"] == 2

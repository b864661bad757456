"""A file that was deleted while it was behind goes on after the end of its worker, through the handle that the supervisor kept."""

import os
from pathlib import Path

from tests.unit.inputs.file.following import Following, RememberingLane, wait_for


def numbers(lane) -> list[int]:
    return [int(event["content"].split()[0]) for event in lane.events]


def test_what_was_not_read_of_a_deleted_file_is_read_by_the_next_worker(tmp_path: Path):
    lane = RememberingLane()
    following = Following(tmp_path, lane, TailingAllMatchedFiles=True).start()
    log = tmp_path / "app.log"
    log.write_bytes(b"0 first\n")
    wait_for(lambda: numbers(lane) == [0])
    with log.open("ab") as out:
        log.unlink()
        wait_for(lambda: lane.kept_handles)
        following.stop()
        out.write(b"1 nobody looked\n2 when these came\n")
    log.write_bytes(b"3 another file\n")
    assert [os.fstat(handle).st_nlink for handle in lane.kept_handles.values()] == [0]
    following = Following(tmp_path, lane, TailingAllMatchedFiles=True).start()
    wait_for(lambda: len(lane.events) == 4)
    following.stop()
    assert numbers(lane) == [0, 1, 2, 3]
    assert "unread_bytes_deleted" not in lane.counts

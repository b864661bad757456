"""What whoever samples an input every few seconds is told: no more than has happened."""

from tests.unit.inputs.file.following import Following, wait_for, write


def test_a_look_tells_of_what_was_read_since_the_last_one_and_of_what_is_behind(tmp_path):
    for name in ("a.log", "b.log", "c.log"):
        write(tmp_path / name, "begin\n")
    with Following(tmp_path, TailingAllMatchedFiles=True) as following:
        wait_for(lambda: len(following.contents) == 3)
        told = dict[str, int]()

        def tells(**sizes):
            told.update({one.path.rpartition("/")[2]: one.read for one in following.input.lately()})
            return told == {f"{name}.log": size for name, size in sizes.items()}

        wait_for(lambda: tells(a=6, b=6, c=6))
        wait_for(lambda: not following.input.lately(), lambda: "nothing has happened since")
        told.clear()
        write(tmp_path / "b.log", "more\n")
        wait_for(lambda: tells(b=11))
        told.clear()
        following.lane.room.clear()
        write(tmp_path / "c.log", "waits\n")
        wait_for(lambda: tells(c=6))
        wait_for(lambda: [one.read for one in following.input.lately()] == [6], lambda: "what is behind is told each time")
        following.lane.room.set()
        following.expect("begin", "begin", "begin", "more", "waits")

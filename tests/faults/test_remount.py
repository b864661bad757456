"""A file system that is mounted again under another device number: nothing of its files is read again, and nothing is lost."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.inputs.file.following import Following, wait_for, write

HOW = "needs root and loop devices: run the tests as root, in a container with `--privileged`"


@dataclass
class Disk:
    """An ext4 image that is mounted at `at`, each time on another loop device."""

    image: Path
    at: Path
    loops: list[str] = field(default_factory=list)
    """Loop devices that are kept busy, so that the next mount gets another one."""

    def mount(self) -> int:
        """Its device number now."""
        run("mount", "-o", "loop", str(self.image), str(self.at))
        return self.at.stat().st_dev

    def unmount(self) -> None:
        """The loop device that it had is somebody else's from now on."""
        other = self.image.with_name(f"other{len(self.loops)}.img")
        other.write_bytes(b"\0" * 65_536)
        run("umount", str(self.at))
        self.loops.append(run("losetup", "--find", "--show", str(other)).strip())

    def close(self) -> None:
        if os.path.ismount(self.at):
            run("umount", str(self.at))
        for loop in self.loops:
            run("losetup", "--detach", loop)


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    image, at = tmp_path / "disk.img", tmp_path / "logs"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(8 << 20)
    disk = Disk(image, at)
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, check=False)
    if os.geteuid() != 0 or made.returncode != 0 or subprocess.run(["mount", "-o", "loop", image, at], check=False).returncode != 0:
        pytest.skip(HOW)
    yield disk
    disk.close()


def mounted_again(disk: Disk, change: Callable[[], object]) -> None:
    before = disk.at.stat().st_dev
    disk.unmount()
    assert disk.mount() != before
    change()


def test_files_go_on_that_were_mounted_again_while_the_agent_was_down(disk: Disk) -> None:
    one, two = disk.at / "one.log", disk.at / "two.log"
    write(one, "1\n")
    write(two, "2\n")
    following = Following(disk.at, TailingAllMatchedFiles=True)
    with following:
        wait_for(lambda: sorted(following.contents) == ["1", "2"])
    mounted_again(disk, lambda: write(one, "3\n"))
    with following:
        wait_for(lambda: "3" in following.contents)
        write(two, "4\n")
        wait_for(lambda: "4" in following.contents)
    assert sorted(following.contents) == ["1", "2", "3", "4"]
    assert {len({stream for stream, _ in following.lane.ranges})} == {2}
    assert following.lane.counts == {}


def test_a_file_that_was_rotated_on_a_new_number_is_read_to_its_end_first(disk: Disk) -> None:
    log = disk.at / "x.log"
    write(log, "1\n")
    following = Following(disk.at, TailingAllMatchedFiles=True)
    with following:
        following.expect("1")
    disk.unmount()
    disk.mount()
    write(log, "2\n")
    log.rename(disk.at / "x.log.1")
    write(log, "3\n")
    with following:
        following.expect("1", "2", "3")
    assert following.lane.counts == {}


def test_a_mount_that_changes_under_a_running_agent(disk: Disk) -> None:
    log = disk.at / "x.log"
    write(log, "1\n")
    with Following(disk.at, TailingAllMatchedFiles=True, CloseUnusedReaderIntervalSec=1) as following:
        following.expect("1")

        def is_closed() -> bool:
            following.rescan()
            return not following.input._follower._files.open_generations

        wait_for(is_closed)
        mounted_again(disk, lambda: write(log, "2\n"))
        following.rescan()
        following.expect("1", "2")
        assert following.lane.counts == {}


def test_a_mount_that_is_taken_from_under_open_files(disk: Disk) -> None:
    """`umount -l`: the old handles still lead to the old mount while the files have a new device number. Nothing comes twice."""
    log, idle = disk.at / "x.log", disk.at / "y.log"
    write(log, "1\n")
    write(idle, "idle\n")
    with Following(disk.at, TailingAllMatchedFiles=True) as following:
        wait_for(lambda: sorted(following.contents) == ["1", "idle"])
        run("umount", "-l", str(disk.at))
        disk.mount()
        write(log, "2\n")
        following.rescan()
        wait_for(lambda: "2" in following.contents)
        log.rename(disk.at / "x.log.1")
        write(log, "3\n")
        following.rescan()
        wait_for(lambda: "3" in following.contents)
        following.rescan()
        assert [line for line in following.contents if line != "idle"] == ["1", "2", "3"]
        assert following.contents.count("idle") == 1
        assert following.lane.counts == {}


def test_what_stood_there_before_the_config_is_still_not_read(disk: Disk) -> None:
    log = disk.at / "old.log"
    write(log, "old\n")
    following = Following(disk.at, TailSizeKB=0)
    with following:
        pass
    disk.unmount()
    disk.mount()
    with following:
        write(log, "new\n")
        following.expect("new")

"""The shortest lives that once lost a line, repeated one or mixed up their order: mostly, an inode came back within a tick of the clock."""

import pytest

from tests.property.file_model import World
from tests.property.test_file_generations import FileLife, FileLifeOfAllNames

LIVES = {
    "what a key said of an ended file": "write+header scan rename stop compress start read write+header+partial restart delete_live stop",
    "a compressed copy's inode": "write look copytruncate compress read write delete_oldest copytruncate",
    "a key that another stream took elsewhere": "write copytruncate look restart stop compress restart delete_live write",
    "the same, unseen": "write copytruncate restart stop write compress restart delete_live write",
    "a copy on the inode of a copy": "write scan copytruncate write read stop delete_oldest copytruncate",
    "a cut copy beside it": "write scan copytruncate write read copytruncate_late+seen stop delete_oldest copytruncate",
    "a handle that held another by then": "write+partial look read copytruncate write delete_live look read restart stop",
    "the compressed copy on the live inode": "stop write start read copytruncate look read stop delete_live compress",
    "a copy on the inode of a closed file": (
        "write rename+create copytruncate rename pause truncate delete_oldest delete_live write delete_oldest scan restart read "
        "delete_oldest copytruncate_late"
    ),
    "a copy that is ended while others are looked at": "write scan delete_live write copytruncate_late+seen rename sweep",
    "states in the order of their inodes": (
        "write copytruncate restart write restart copytruncate copytruncate restart restart write copytruncate_late+seen pause write read"
    ),
    "what was copied from a file that was empty when it was seen": (
        "write copytruncate_late+seen look read write copytruncate look pause write delete_live"
    ),
    "a compressed copy that is younger than the one after it": (
        "write look copytruncate write look copytruncate compress@0 pause compress@0 write read"
    ),
    "a compressed file before a live one": "write rename write restart stop compress copytruncate_late+late write",
    "what stood there is over when its place has been looked at": (
        "write look read pause restart rename write compress rename+create rename+create look write"
    ),
    "what a search saw in a file that was empty when it was looked at": (
        "write copytruncate look rename+create look write copytruncate pause sweep write read rename+create"
    ),
    "what a search saw in a file that was empty again when it was looked at": (
        "write look copytruncate copytruncate look read@1 write copytruncate pause copytruncate_late copytruncate read@2 write "
        "copytruncate_late+seen"
    ),
    "a compressed copy of a file that was written anew, shorter, with the same head, before it was read": (
        "write@30+header scan copytruncate pause write+header scan rename scan compress@0 scan stop"
    ),
    "a known rotated file that another one has replaced": "write truncate look restart delete_live pause write look rename pause write",
    "a copy on the inode of a copy that went within the same tick": (
        "write copytruncate_late+seen look read restart delete_oldest write copytruncate delete_live"
    ),
    "compressed in the other order": "write look copytruncate write look rename compress@0 pause compress@0 restart",
    "a compressed copy of what a known file held anew, unread": (
        "write@30+header pause scan copytruncate pause write+header scan rename scan compress@0 scan stop compress@0"
    ),
    "a copy on the inode of an empty rotated file": "write scan truncate copytruncate write read stop delete_oldest copytruncate",
    "a copy on the inode of what was compressed": (
        "write rename write copytruncate_late+seen restart stop compress write copytruncate_late+late write"
    ),
    "a copy on the inode of a rotated file that was deleted": (
        "write rename write copytruncate_late+seen restart stop write delete_oldest copytruncate_late+late write"
    ),
    "what was seen in a file and is read from its copy is not lost": (
        "write@30+header pause scan copytruncate pause write+header scan rename scan compress@0 scan stop"
    ),
    "files that waited for each other": ("write look read restart rename write compress rename+create rename+create restart look write"),
    "a known file that holds what is copied away next": (
        "write copytruncate restart write restart copytruncate copytruncate write+header restart restart compress copytruncate write "
        "copytruncate_late+seen pause write read"
    ),
    "a copy of what came in between, which waits itself": (
        "write rename write truncate restart stop write+header compress copytruncate_late+late write"
    ),
    "a cut copy that was compressed before the rest was read": (
        "write copytruncate restart write copytruncate write+header copytruncate write copytruncate_late+seen compress@0"
    ),
    "a restored file is none that was empty": "write look copytruncate write+partial rename restart",
    "several that were copied away in between": (
        "write rename write copytruncate restart stop write+header compress copytruncate_late+late write"
    ),
    "a closed file whose inode a copy got": "write look read restart rename write compress copytruncate_late+seen",
    "a cut copy that was compressed before a restart": (
        "write copytruncate restart write copytruncate scan write+header copytruncate write copytruncate_late+seen compress@0 restart"
    ),
    "what is in a deleted file now comes after what was in it": ("write@30+header scan copytruncate look pause write+header delete_live"),
    "what is in a deleted file now, where another one stands by then": (
        "write@30+header restart pause copytruncate look pause write+header delete_live write@30"
    ),
    "what came in between beside a rotated file that is not read yet": (
        "write rename write truncate restart stop write+header compress copytruncate_late+late compress@0"
    ),
    "what came in between on the inode of a rotated file": (
        "write rename killed@5 write truncate start write+header compress copytruncate_late+late write"
    ),
    "a copy that is seen before anything is in it": "write look read truncate write copytruncate_slow",
    "a copy on the inode of a deleted one, when what it is of is deleted too": (
        "killed@1 write copytruncate_late+seen pause start read restart delete_oldest write copytruncate delete_live"
    ),
    "what came in between is in a deleted file that was compressed": (
        "write copytruncate restart stop write+header compress copytruncate_late+late write start compress"
    ),
    "a half copy that two files begin like": "write+header restart rename pause write+header+partial copytruncate_slow+half",
    "a file on the inode of a restarted one": "write restart copytruncate stop delete_live start write read restart restart",
}
VALUES = {"write": {"count": 1}, "copytruncate_late": {"count": 1}, "compress": {"index": 1}, "read": {"turns": 5}, "killed": {"writes": 1}}
FLAGS = {"write": ("header", "partial"), "copytruncate_slow": ("half",), "rename": ("create",), "copytruncate_late": ("seen",)}


@pytest.mark.parametrize("machine", [FileLife, FileLifeOfAllNames])
@pytest.mark.parametrize("life", LIVES)
def test_each_line_comes_once_and_in_order(machine: type[FileLife], life: str) -> None:
    world = machine().world
    try:
        for step in LIVES[life].split():
            take(world, *step.split("+"))
        world.settle()
        world.verify()
        assert world.contents
    finally:
        world.remove()


@pytest.mark.parametrize("machine", [FileLife, FileLifeOfAllNames])
def test_what_was_not_noted_yet_when_the_agent_was_killed_is_found_before_what_was(machine: type[FileLife]) -> None:
    """The first of two missed files is noted a moment after what stood there, and both are compressed before the next start."""
    world = machine().world
    steps = "write look read pause rename write pause rename write pause killed@1 rename write compress@0 pause compress@0 rename write"
    try:
        for step in steps.split():
            take(world, step)
        world.settle()
        world.verify()
        assert world.contents == [line for one in world.all for line in one.lines]
    finally:
        world.remove()


def take(world: World, step: str, *flags: str) -> None:
    if step == "pause":
        world.pass_time(30_000_000)
    elif step == "compress@0":
        world.compress(0)
    elif step.startswith("write@"):
        world.write(int(step.removeprefix("write@")), header="header" in flags)
    elif step.startswith("read@"):
        world.read(int(step.removeprefix("read@")))
    elif step.startswith("killed@"):
        world.killed(int(step.removeprefix("killed@")))
    elif step == "restart":
        world.stop()
        world.start()
    else:
        values = {**VALUES.get(step, {}), **{name: name in flags for name in FLAGS.get(step, ())}}
        getattr(world, step)(**values, **({"pause": 2_000_000_000} if "late" in flags else {}))

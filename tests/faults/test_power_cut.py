"""The power goes at any moment: what was promised is there, of the checkpoint, the spool, the journal and the agent's own records."""

import random
import sys
import tempfile
from pathlib import Path

import pytest

from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.diagnostics.outbox import Outbox
from tailrace.agent.spool import Spool
from tailrace.journal import Journal
from tests.faults.keeping import STREAM, body
from tests.faults.power_cut import Disk, calls, record

pytestmark = pytest.mark.peer
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("home")
    file = home.with_name("trace")
    record([sys.executable, str(Path(__file__).with_name("keeping.py")), str(home), "150"], file)
    return home, file


WORDS = ("prepared", "spooled", "journalled", "acknowledging", "acknowledged", "said", "delivering", "delivered")


class Promises:
    """What was told so far."""

    def __init__(self) -> None:
        self.told: dict[str, set[int]] = {what: set() for what in WORDS}

    def hear(self, data: bytes) -> None:
        what, number = data.split()
        self.told[what.decode()].add(int(number))


def verify_image(home: Path, promises: Promises) -> None:
    told = promises.told
    opened = open_checkpoint(home / "agent")
    opened.database.close()
    content = opened.content
    prepared = {one.sequence for one in content.ranges.get(STREAM, [])}
    assert not content.rolled_back or not told["prepared"]
    assert told["prepared"] - told["acknowledging"] <= prepared
    assert not prepared & told["acknowledged"]
    spool = Spool(home, segment_bytes=16_384)
    found = {sequence: ref for (_, sequence), (ref, _) in spool.load().items()}
    for sequence in told["spooled"] - told["acknowledging"]:
        assert found[sequence].shelf.read(found[sequence]).payloads[0].body == body(sequence)
    spool.close()
    journal = Journal(home / "journal", segment_bytes=8_192)
    payloads = [one.payload for one in journal.read()]
    journal.close()
    assert {body(number) for number in told["journalled"]} <= set(payloads)
    assert payloads == [body(number) for number in range(1, len(payloads) + 1)]
    verify_own_records(Outbox(home / "diagnostics"), told)
    assert not list(home.rglob("set-aside"))  # a power cut tears, it damages nothing


def verify_own_records(outbox: Outbox, told: dict[str, set[int]]) -> None:
    """What was put in and not delivered is there under its number, and no number has another content."""
    found = {entry.sequence: entry.at for entry in outbox.after(outbox.position("there"), "")}
    outbox.close()
    assert all(at == sequence * 4 for sequence, at in found.items())
    sure, perhaps = max(told["delivered"], default=0), max(told["delivering"], default=0)
    assert {number for number in told["said"] if number > perhaps} <= set(found.values())
    assert {number for number in found.values() if number <= sure} == set()


@pytest.mark.parametrize("images", [60, pytest.param(1500, marks=pytest.mark.long)])
def test_what_was_promised_is_there_whenever_the_power_goes(trace: tuple[Path, Path], images: int) -> None:
    home, file = trace
    total = sum(1 for _ in calls(file))
    chance = random.Random(images)
    moments = sorted(chance.choices(range(total), k=images))
    disk, promises = Disk(home), Promises()
    for index, call in enumerate(calls(file)):
        if (told := disk.take(*call)) is not None:
            promises.hear(told)
        while moments and moments[0] == index:
            moments.pop(0)
            with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
                disk.image(Path(directory), chance)
                verify_image(Path(directory), promises)
    assert len(promises.told["spooled"]) == 149
    assert not moments

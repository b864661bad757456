"""A disk that is full, for real (a small tmpfs): the spool cuts back what it could not write, deletes without needing room, and goes on."""

import logging
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.spool import Kept, Ref, Shelf, Spool
from tailrace.agent.spool import spool as spools
from tailrace.errors import BusyError
from tailrace.telemetry.log_file import LogFile
from tests.faults.keeping import kept
from tests.integration.agent.running import Agent, wait_for
from tests.integration.agent.sink import Sink
from tests.integration.agent.test_agent_delivery import must_be_each_once, numbered

pytestmark = pytest.mark.peer  # it mounts: the same that installs packages may do that


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def large(number: int) -> Kept:
    one = kept(number)
    payload = one.payloads[0]
    body = bytes(number % 251 for _ in range(60_000))
    return Kept(one.stream, one.range, 1, [type(payload)(payload.identity, body, len(body), "none", 1)])


def write_on(shelf: Shelf, refs: list[Ref]) -> None:
    """One range after another, to the end."""
    while len(refs) < 1000:
        refs += shelf.write([large(len(refs))])


def fill(disk: Path, leave: int) -> Path:
    """Take all room but `leave` bytes."""
    other = disk / "other-program"
    with other.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave))
    return other


def say(log: LogFile, text: str) -> None:
    log.emit(logging.LogRecord("x", logging.INFO, __file__, 1, text, None, None))


def test_a_short_write_is_cut_back_and_all_that_was_kept_is_there(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "RESERVED_BYTES", -(1 << 30))  # so that the disk itself says no
    spool = Spool(small_disk, segment_bytes=1 << 20)
    shelf = spool.shelf("target")
    refs: list[Ref] = shelf.write([large(0)])
    other = fill(small_disk, 200_000)
    with pytest.raises(BusyError):
        write_on(shelf, refs)
    assert 2 <= len(refs) < 6
    for number, ref in enumerate(refs):
        assert shelf.read(ref).payloads == large(number).payloads
    other.unlink()
    refs += shelf.write([large(len(refs))])
    spool.close()
    again = Spool(small_disk, segment_bytes=1 << 20)
    assert [one.range.sequence for _, one in again.load().values()] == list(range(len(refs)))
    assert not list((small_disk / "agent" / "spool").rglob("set-aside"))
    again.close()


def test_deleting_needs_no_room(small_disk: Path) -> None:
    spool = Spool(small_disk, segments=8, segment_bytes=1 << 18)
    shelf = spool.shelf("target")
    refs = [ref for number in range(20) for ref in shelf.write([large(number)])]
    fill(small_disk, 0)
    shelf.release(refs[:10])
    assert [shelf.read(ref).range.sequence for ref in refs[10:]] == list(range(10, 20))
    shelf.release(refs[10:])
    assert list((small_disk / "agent" / "spool").glob("*/*.seg")) == []
    spool.close()


def test_some_of_the_disk_is_left_for_the_checkpoint(small_disk: Path) -> None:
    shelf = Spool(small_disk).shelf("target")
    with pytest.raises(BusyError, match="share"):
        write_on(shelf, [])
    opened = open_checkpoint(small_disk / "agent")
    opened.database.renew_epoch(rolled_back=False)
    opened.database.close()


def test_an_agent_whose_disk_is_full_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    sink = Sink().start()
    agent = Agent(small_disk, sink.endpoint)
    try:
        agent.enrol()
        agent.pipeline()
        log = agent.logs / "a.log"
        log.write_text(numbered(2000))
        agent.start()
        wait_for(lambda: len(sink.events) == 2000, "the first lines")
        sink.fault = lambda number: "503"
        other = fill(small_disk, 40_000)
        with log.open("a") as file:
            file.write(numbered(500, 2000))
        wait_for(lambda: sink.attempts["503"] or "CHECKPOINT_ALARM" in agent.log(), "an attempt", 20)
        fill(small_disk, 0)
        sink.fault = lambda number: None
        other.unlink()
        wait_for(lambda: len(sink.events) >= 2500, "the rest")
        must_be_each_once(sink, 2500)
        agent.stop()
    finally:
        if agent.process and agent.process.poll() is None:
            agent.kill()
        sink.stop()


def test_a_log_without_room_goes_on_when_there_is_some_and_says_what_is_missing(small_disk: Path) -> None:
    log = LogFile(small_disk / "agent.log", lambda count: f"{count} missed", max_bytes=1 << 20)
    say(log, "first")
    other = fill(small_disk, 0)
    for number in range(1000):
        say(log, f"{number} {'x' * 100}")
    other.unlink()
    say(log, "last")
    log.close()
    lines = (small_disk / "agent.log").read_text().splitlines()
    written = [line for line in lines if line.endswith(" " + "x" * 100)]
    assert [line for line in lines if line not in written] == ["first", f"{1000 - len(written)} missed", "last"]
    assert len(written) < 100


def test_a_log_that_cannot_be_compressed_is_kept_as_it_is(small_disk: Path) -> None:
    log = LogFile(small_disk / "agent.log", lambda count: f"{count} missed", max_bytes=1 << 20)
    chance = random.Random(1)  # what does not compress well
    for _ in range(524):
        say(log, chance.randbytes(1000).hex())
    other = fill(small_disk, 8192)
    say(log, chance.randbytes(1000).hex())
    log.close()
    names = sorted(path.name for path in small_disk.glob("agent.log*"))
    assert names == ["agent.log", "agent.log.1"]
    other.unlink()

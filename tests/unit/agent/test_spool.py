"""The spool gives back what was synced, to whoever has the key and nobody else, and goes on whatever happened to its bytes."""

import errno
import os
import random
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tailrace import telemetry
from tailrace.agent.checkpoint import StreamRow
from tailrace.agent.spool import Kept, Ref, Spool
from tailrace.errors import BusyError, DamagedError, NewerFormatError
from tailrace.pipeline.contract import Identity, Payload, Range

STREAM = "00000000000000AA"
SECRET = b"the password is swordfish"


def kept(sequence: int, bodies: tuple[bytes, ...] = (SECRET,), *, target: str = "sls:there", stream: str = STREAM) -> Kept:
    position = {"v": 1, "offset": sequence * 10 + 10, "path": "/var/log/app/\udcff.log"}
    done = Range(stream, sequence, sequence * 10, sequence * 10 + 10, position, b"f" * 16, "config", 17, (b"\0\1",))
    payloads = [
        Payload(
            Identity(b"e" * 16, stream, sequence, done.start, done.end, b"f" * 16, part, len(bodies), 3), body, 1000, "lz4", 5, b"topic"
        )
        for part, body in enumerate(bodies)
    ]
    return Kept(StreamRow(stream, target, "input_file", "1:2:3", position, position, sequence + 1), done, len(bodies), payloads)


def sequences(spool: Spool) -> list[int]:
    return [one.range.sequence for _, one in spool.load().values()]


def alarms() -> set[str]:
    return {alarm.kind for alarm in telemetry.recent_alarms()}


def segments(home: Path) -> list[Path]:
    return sorted((home / "agent" / "spool").glob("*/*.seg"))


# --- what it holds ------------------------------------------------------------------------------------------------------------------
def test_a_range_comes_back_as_it_went_in_also_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    one = kept(7, (b"first", b"", b"third" * 1000))
    [ref] = spool.shelf("sls:there").write([one])
    assert spool.shelf("sls:there").read(ref) == one
    spool.close()
    again = Spool(tmp_path)
    [(ref, head)] = again.load().values()
    assert (head.range, head.stream, head.parts, head.epoch) == (one.range, one.stream, 3, b"e" * 16)
    assert [payload.body for payload in head.payloads] == [b"", b"", b""]
    assert ref.shelf.read(ref) == one


def test_only_the_owner_may_look_and_without_the_key_there_is_nothing_to_see(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.shelf("sls:there").write([kept(number) for number in range(20)])
    spool.close()
    files = [path for path in (tmp_path / "agent").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "agent" / "spool").glob("**")} <= {0o700}
    data = b"".join(path.read_bytes() for path in files)
    assert SECRET not in data
    assert b"/var/log" not in data
    assert (tmp_path / "secret" / "spool.key").stat().st_mode & 0o777 == 0o600
    assert bytes.fromhex((tmp_path / "secret" / "spool.key").read_text().split('"')[5]) not in data


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.shelf("sls:there")
    assert spool.load() == {}
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_released_gives_its_segments_back_wherever_they_stand(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=1 << 20)
    shelf = spool.shelf("sls:there")
    refs = [ref for number in range(40) for ref in shelf.write([kept(number, (b"x" * 100_000,))])]
    by_segment: dict[int, list[Ref]] = {}
    for ref in refs:
        by_segment.setdefault(ref.place.segment, []).append(ref)
    first, second, *_ = by_segment.values()
    before = len(segments(tmp_path))
    shelf.release(second)
    assert len(segments(tmp_path)) == before - 1
    assert shelf.read(first[0]).range.sequence == 0
    shelf.release([ref for ref in refs if ref not in second])
    assert segments(tmp_path) == []
    assert shelf.size == 0
    [ref] = shelf.write([kept(99)])
    assert shelf.read(ref).range.sequence == 99


def test_a_range_that_was_written_twice_counts_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    shelf = spool.shelf("sls:there")
    shelf.write([kept(1, (b"old",)), kept(2)])
    shelf.write([kept(1, (b"new",))])
    spool.close()
    again = Spool(tmp_path)
    found = again.load()
    assert [one.range.sequence for _, one in found.values()] == [2, 1]
    ref, _ = found[STREAM, 1]
    assert ref.shelf.read(ref).payloads[0].body == b"new"
    ref.shelf.release([ref for ref, _ in found.values()])
    assert segments(tmp_path) == []


# --- bounds -------------------------------------------------------------------------------------------------------------------------
def test_each_target_has_its_share_and_a_full_one_keeps_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segments=4, segment_bytes=100_000)
    greedy, modest = spool.shelf("sls:greedy"), spool.shelf("sls:modest")
    written = 0
    while greedy.room > 11_500:
        greedy.write([kept(written, (b"x" * 10_000,))])
        written += 1
    with pytest.raises(BusyError, match="share"):
        greedy.write([kept(written, (b"x" * 20_000,))])
    assert 150_000 < greedy.size <= 200_000
    modest.write([kept(1, (b"x" * 10_000,), target="sls:modest", stream="00000000000000BB")])
    spool.close()
    assert sorted(sequences(Spool(tmp_path))) == sorted([*range(written), 1])


def test_a_target_that_is_gone_leaves_its_share_to_the_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    there = spool.shelf("sls:there")
    alone = there.room
    for number in range(9):
        spool.shelf(f"sls:{number}")
    spool.shelf("sls:0")  # as another pipeline's flusher does
    assert there.room < alone / 9
    for number in range(9):
        spool.give_up_share(f"sls:{number}")
    assert alone / 3 < there.room < alone / 1.9, "one of them is used by another target still"
    spool.give_up_share("sls:0")
    assert there.room > alone * 0.99


def test_many_small_ranges_fill_it_by_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.agent.spool.spool.MAX_RANGES", 10)
    shelf = Spool(tmp_path).shelf("sls:there")
    shelf.write([kept(number) for number in range(10)])
    assert shelf.room == 0
    with pytest.raises(BusyError):
        shelf.write([kept(11)])


# --- damage -------------------------------------------------------------------------------------------------------------------------
def test_a_damaged_record_is_skipped_its_segment_set_aside_and_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    refs = spool.shelf("sls:there").write([kept(number) for number in range(5)])
    spool.close()
    [segment] = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[refs[2].place.offset + 60] ^= 1
    segment.write_bytes(data)
    again = Spool(tmp_path)
    assert sequences(again) == [0, 1, 3, 4]
    assert (segment.parent / "set-aside" / segment.name).read_bytes() == data
    assert "SECONDARY_READ_WRITE_ALARM" in alarms()


def test_it_may_lie_on_another_disk_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "spool").symlink_to(tmp_path / "elsewhere")
    spool = Spool(tmp_path)
    spool.shelf("sls:there").write([kept(1)])
    spool.close()
    assert list((tmp_path / "elsewhere").glob("*/*.seg"))
    assert sequences(Spool(tmp_path)) == [1]


def test_without_its_key_it_starts_anew_and_keeps_what_it_cannot_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.shelf("sls:there").write([kept(1)])
    spool.close()
    (tmp_path / "secret" / "spool.key").write_text("{}")
    again = Spool(tmp_path)
    assert again.load() == {}
    assert "ENCRYPT_DECRYPT_FAIL_ALARM" in alarms()
    assert len(list((tmp_path / "agent" / "spool").glob("*/set-aside/*.seg"))) == 1
    again.shelf("sls:there").write([kept(2)])
    again.close()
    assert sequences(Spool(tmp_path)) == [2]


def test_a_record_that_rots_while_it_lies_there_is_no_range(tmp_path: Path) -> None:
    shelf = Spool(tmp_path).shelf("sls:there")
    refs = shelf.write([kept(1), kept(2)])
    [segment] = segments(tmp_path)
    with segment.open("r+b") as file:
        file.seek(refs[0].place.offset + 100)
        file.write(b"\0\1\2")
    with pytest.raises(DamagedError):
        shelf.read(refs[0])
    assert shelf.read(refs[1]).range.sequence == 2


def test_what_a_newer_release_wrote_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("tailrace.agent.spool.shelf.LAYOUT", 2)
        spool = Spool(tmp_path)
        spool.shelf("sls:there").write([kept(1)])
        spool.close()
    before = segments(tmp_path)[0].read_bytes()
    with pytest.raises(NewerFormatError, match="layout 2"):
        Spool(tmp_path).load()
    assert segments(tmp_path)[0].read_bytes() == before


# --- what passes --------------------------------------------------------------------------------------------------------------------
@contextmanager
def no_more_files() -> Iterator[None]:
    """Within it the process may open none."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_a_free_descriptor_nothing_is_set_aside_and_nothing_counts_as_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.shelf("sls:there").write([kept(1), kept(2)])
    spool.close()
    before = {path: path.read_bytes() for path in segments(tmp_path)}
    again = Spool(tmp_path)
    with no_more_files():
        assert again.load() == {}
        assert "cannot list" in again.closed(["sls:there"])
        assert not again.may_open()
    assert again.is_closed
    assert again.may_open()
    assert {path: path.read_bytes() for path in segments(tmp_path)} == before
    assert sequences(Spool(tmp_path)) == [1, 2]
    assert [path.name for path in (tmp_path / "agent" / "spool").iterdir()] == [next(iter(before)).parent.name]


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOSPC])
def test_a_shelf_that_cannot_be_read_now_is_closed_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    spool = Spool(tmp_path)
    [ref] = spool.shelf("sls:there").write([kept(1)])
    spool.shelf("sls:here").write([kept(7, target="sls:here", stream="00000000000000BB")])
    spool.close()
    reading = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.parent == ref.shelf.directory:
            raise OSError(code, os.strerror(code), str(path))
        return reading(path)

    again = Spool(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", read_bytes)
        assert sequences(again) == [7]
        assert os.strerror(code) in again.closed(["sls:elsewhere", "sls:there"])
        assert again.closed(["sls:here"]) == ""
        assert not again.may_open()
        with pytest.raises(BusyError, match="cannot open"):
            again.shelf("sls:there").write([kept(2)])
    assert "SECONDARY_READ_WRITE_ALARM" in alarms()
    assert again.may_open()
    assert not again.is_closed
    again.close()
    assert sorted(sequences(Spool(tmp_path))) == [1, 7]


def test_a_range_that_cannot_be_read_now_is_not_a_damaged_one(tmp_path: Path) -> None:
    shelf = Spool(tmp_path).shelf("sls:there")
    [ref] = shelf.write([kept(1)])
    with no_more_files(), pytest.raises(BusyError, match="cannot read"):
        shelf.read(ref)
    assert shelf.read(ref).range.sequence == 1


def test_a_disk_without_room_for_what_is_set_aside_keeps_no_spool_from_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    refs = spool.shelf("sls:there").write([kept(number) for number in range(3)])
    spool.close()
    [segment] = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[refs[1].place.offset + 60] ^= 1
    segment.write_bytes(data)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copy2", full)
    assert sequences(Spool(tmp_path)) == [0, 2]


def mutations(data: bytes, count: int | None, seed: int = 1) -> list[bytes]:
    """Every truncation and every flipped byte, or `count` of them."""
    every = [("cut", at) for at in range(len(data))] + [("flip", at) for at in range(len(data))]
    chosen = every if count is None else random.Random(seed).sample(every, count)
    return [data[:at] if what == "cut" else data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :] for what, at in chosen]


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A directory whose fsync costs nothing, where the system has one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else tmp_path) as directory:
        yield Path(directory)


@pytest.mark.parametrize("count", [150, pytest.param(None, marks=pytest.mark.long)])
def test_whatever_happens_to_a_segment_the_rest_is_found_and_it_goes_on(in_memory: Path, count: int | None) -> None:
    spool = Spool(in_memory)
    refs = spool.shelf("sls:there").write([kept(number, (bytes(40 * number),)) for number in range(6)])
    spool.close()
    [segment] = segments(in_memory)
    data = segment.read_bytes()
    for mutated in mutations(data, count):
        for path in segments(in_memory):
            path.unlink()
        segment.write_bytes(mutated)
        again = Spool(in_memory)
        found = sequences(again)
        touched = next((at for at, pair in enumerate(zip(mutated, data, strict=False)) if pair[0] != pair[1]), len(mutated))
        sound = [
            number
            for number, ref in enumerate(refs)
            if (end := ref.place.offset + 24 + ref.place.length) <= len(mutated) and not ref.place.offset <= touched < end
        ]
        assert found == sound
        [ref] = again.shelf("sls:there").write([kept(77)])
        assert again.shelf("sls:there").read(ref).range.sequence == 77
        again.close()

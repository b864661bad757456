"""The journal gives back what was synced, in order, whatever happened to the process or the bytes."""

import asyncio
import os
import resource
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tailrace.errors import BusyError, NewerFormatError, StateError
from tailrace.journal import Journal
from tailrace.journal.group import GroupCommit


def contents(journal: Journal, start: int = 0) -> list[tuple[int, int, bytes]]:
    return [(record.id, record.type, record.payload) for record in journal.read(start)]


def filled(directory: Path, payloads: list[bytes], segment_bytes: int = 1 << 20) -> Journal:
    journal = Journal(directory, segment_bytes=segment_bytes)
    for payload in payloads:
        journal.append([(7, payload)])
    journal.sync()
    return journal


# --- what it holds ------------------------------------------------------------------------------------------------------------------
def test_records_come_back_in_order_with_rising_ids(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.append([(1, b"one"), (2, b"")]) == [1, 2]
    assert journal.append([(3, b"three")]) == [3]
    journal.close()
    again = Journal(tmp_path)
    assert contents(again) == [(1, 1, b"one"), (2, 2, b""), (3, 3, b"three")]
    assert contents(again, start=3) == [(3, 3, b"three")]
    assert again.append([(1, b"next")]) == [4]
    again.close()


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal", [b"x"])
    journal.close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "journal").glob("*.seg")] == [0o600]


def test_cut_unlinks_whole_segments_and_ids_go_on(tmp_path: Path) -> None:
    journal = filled(tmp_path, [b"a" * 100] * 10, segment_bytes=300)
    assert len(list(tmp_path.glob("*.seg"))) == 5
    assert journal.would_cut(6) == 2
    assert journal.cut(6) == 2
    assert [record.id for record in journal.read()] == [5, 6, 7, 8, 9, 10]
    assert journal.cut(1000) == 2
    journal.close()
    again = Journal(tmp_path, segment_bytes=300)
    assert again.append([(1, b"")]) == [11]
    again.close()


def test_a_newer_segment_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("tailrace.journal.log.FORMAT_VERSION", 2)
        filled(tmp_path, [b"x"]).close()
    with pytest.raises(NewerFormatError, match="has format 2, this release knows up to 1"):
        Journal(tmp_path)


class AgainstModel(RuleBasedStateMachine):
    """Any mix of appends, syncs, cuts, reopens and crashes (unsynced bytes stay or vanish) keeps what was synced."""

    @initialize()
    def create(self) -> None:
        self.directory = Path(os.environ["PYTEST_JOURNAL_MODEL"]) / os.urandom(6).hex()
        self.journal = Journal(self.directory, segment_bytes=200)
        self.synced: list[tuple[int, int, bytes]] = []
        self.unsynced: list[tuple[int, int, bytes]] = []

    @rule(entries=st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=120)), max_size=4))
    def append(self, entries: list[tuple[int, bytes]]) -> None:
        ids = self.journal.append(entries)
        self.unsynced += [(number, kind, payload) for number, (kind, payload) in zip(ids, entries, strict=True)]

    @rule()
    def sync(self) -> None:
        self.journal.sync()
        self.synced += self.unsynced
        self.unsynced = []

    @rule(back=st.integers(0, 20))
    def cut(self, back: int) -> None:
        self.journal.cut(self.journal.next_id - back)
        first = self.journal.first_id
        self.synced = [record for record in self.synced if record[0] >= first]

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.sync_model()
        self.journal = Journal(self.directory, segment_bytes=200)

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """The tail that was never synced is torn anywhere."""
        last = max(self.directory.glob("*.seg"))
        keep = data.draw(st.integers(self.journal._synced, last.stat().st_size))
        os.close(self.journal._fd)
        os.truncate(last, keep)
        self.journal = Journal(self.directory, segment_bytes=200)
        survived = contents(self.journal)
        known = [record for record in self.synced + self.unsynced if record[0] >= self.journal.first_id]
        assert survived == known[: len(survived)]
        assert len(survived) >= len([record for record in self.synced if record[0] >= self.journal.first_id])
        self.synced, self.unsynced = survived, []

    def sync_model(self) -> None:
        self.synced += self.unsynced
        self.unsynced = []

    @invariant()
    def reads_what_was_written(self) -> None:
        expected = [record for record in self.synced + self.unsynced if record[0] >= self.journal.first_id]
        assert contents(self.journal) == expected

    def teardown(self) -> None:
        self.journal.close()


@pytest.fixture(autouse=True)
def model_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_JOURNAL_MODEL", str(tmp_path_factory.mktemp("model")))


class TestAgainstModel(AgainstModel.TestCase):
    settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


# --- damage -------------------------------------------------------------------------------------------------------------------------
PAYLOADS = [b"first", b"second" * 3, b"", b"fourth\xa7trR"]


def test_a_torn_tail_of_any_length_is_cut(tmp_path: Path) -> None:
    filled(tmp_path / "whole", PAYLOADS).close()
    data = next((tmp_path / "whole").glob("*.seg")).read_bytes()
    for size in range(len(data)):
        directory = tmp_path / str(size)
        directory.mkdir()
        (directory / f"{1:020d}.seg").write_bytes(data[:size])
        journal = Journal(directory)
        survived = [payload for _, _, payload in contents(journal)]
        assert survived == PAYLOADS[: len(survived)]
        assert journal.append([(1, b"after")]) == [len(survived) + 1]
        journal.close()
        assert [payload for _, _, payload in contents(Journal(directory))] == [*survived, b"after"]


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_loses_one_record_at_most(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int) -> None:
    directory = tmp_path_factory.mktemp("flip")
    filled(directory, [*PAYLOADS, b"x" * 300], segment_bytes=200).close()
    before = contents(Journal(directory, segment_bytes=200))
    paths = sorted(directory.glob("*.seg"))
    path = paths[position % len(paths)]
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.write_bytes(data)
    journal = Journal(directory, segment_bytes=200)
    after = contents(journal)
    assert len(after) >= len(before) - 1
    assert set(after) <= set(before)
    assert journal.damage
    newest = before[-1][0] if after[-1:] == before[-1:] else max([0, *(record[0] for record in after)])
    assert journal.append([(1, b"goes on")])[0] > newest
    journal.close()


def test_a_damaged_segment_is_set_aside_and_its_other_records_are_used(tmp_path: Path) -> None:
    filled(tmp_path, [b"one", b"two", b"three"]).close()
    path = next(tmp_path.glob("*.seg"))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"two", b"twO"))
    journal = Journal(tmp_path)
    assert [payload for _, _, payload in contents(journal)] == [b"one", b"three"]
    assert [(damage.offset, damage.torn_tail) for damage in journal.damage] == [(32 + 27, False)]
    journal.close()
    assert (tmp_path / "set-aside" / path.name).read_bytes() == path.read_bytes()


def test_left_over_bytes_of_an_older_record_do_not_come_back(tmp_path: Path) -> None:
    filled(tmp_path, [b"one", b"two"]).close()
    path = next(tmp_path.glob("*.seg"))
    data = path.read_bytes()
    path.write_bytes(data + data[32:])
    assert [payload for _, _, payload in contents(Journal(tmp_path))] == [b"one", b"two"]


# --- full disk ----------------------------------------------------------------------------------------------------------------------
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tailrace.errors import BusyError
from tailrace.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
journal.append([(1, b"kept" * 50)])
journal.sync()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    journal.append([(1, b"too much" * 200)])
except BusyError as error:
    print("busy", error.hint)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(journal.append([(1, b"room again")]))
journal.close()
"""


def test_a_short_write_is_cut_back_and_the_journal_goes_on(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert result.stdout == "busy free some space\n[2]\n"
    journal = Journal(tmp_path)
    assert [payload for _, _, payload in contents(journal)] == [b"kept" * 50, b"room again"]
    assert not journal.damage
    journal.close()


def test_a_failed_fdatasync_takes_its_records_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(tmp_path, [b"safe"])

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        journal.append([(1, b"unknown")])
        with pytest.raises(StateError, match="cannot sync"):
            journal.sync()
    assert journal.append([(1, b"next")]) == [2]
    journal.close()
    assert [payload for _, _, payload in contents(Journal(tmp_path))] == [b"safe", b"next"]


# --- kill -9 ------------------------------------------------------------------------------------------------------------------------
WRITER = """
import sys
from pathlib import Path
from tailrace.journal import Journal
journal = Journal(Path(sys.argv[1]), segment_bytes=2000)
while True:
    number = journal.next_id
    journal.append([(1, b"%d" % number * 20)])
    journal.sync()
    print(number, flush=True)
"""


def test_nothing_synced_is_lost_to_kill_9(tmp_path: Path) -> None:
    acknowledged = 0
    for lines in (3, 40, 150):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                acknowledged = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
        journal = Journal(tmp_path, segment_bytes=2000)
        found = contents(journal)
        assert len(found) >= acknowledged
        assert found == [(number, 1, b"%d" % number * 20) for number in range(1, len(found) + 1)]
        journal.close()


# --- group commit -------------------------------------------------------------------------------------------------------------------
async def test_many_commits_share_few_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    syncs = 0
    real = os.fdatasync

    def counted(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        real(fd)

    monkeypatch.setattr(os, "fdatasync", counted)
    commits = GroupCommit(journal)
    order: list[int] = []
    futures = [commits.submit(lambda n=n: [(1, b"%d" % n)], applied=order.extend) for n in range(500)]
    ids = [found[0] for found in await asyncio.gather(*futures)]
    await commits.close()
    assert ids == order == list(range(1, 501))
    assert syncs < 250
    assert [int(payload) for _, _, payload in contents(Journal(tmp_path))] == list(range(500))


async def test_a_failed_group_is_undone_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = GroupCommit(Journal(tmp_path))

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    undone: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        futures = [commits.submit(lambda: [(1, b"x")], undo=lambda n=n: undone.append(n)) for n in range(3)]
        results = await asyncio.gather(*futures, return_exceptions=True)
    assert all(isinstance(result, StateError) for result in results)
    assert sorted(undone) == [0, 1, 2]
    assert await commits.submit(lambda: [(1, b"y")]) == [1]
    await commits.close()


async def test_cut_and_close_through_the_writer_thread(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=100)
    commits = GroupCommit(journal)
    for _ in range(5):
        await commits.submit(lambda: [(1, b"z" * 90)])
    await commits.cut(4)
    assert journal.first_id == 4
    await commits.close()
    with pytest.raises(StateError, match="closed"):
        await commits.submit(list)


def test_checksums_cover_id_type_and_length() -> None:
    """The layout is a disk format: this is the record that version 1 writes for ever."""
    from tailrace.journal import log as journal

    head, payload = journal._encode(258, 3, b"abc")
    crc = zlib.crc32(b"\x03\0\0\0\x03\0\0\0\x02\x01\0\0\0\0\0\0abc")
    assert head + payload == b"\xa7trR" + struct.pack("<I", crc) + b"\x03\0\0\0\x03\0\0\0\x02\x01\0\0\0\0\0\0abc"


def test_busy_is_not_a_state_error() -> None:
    assert not issubclass(BusyError, StateError)
    assert resource.RLIMIT_FSIZE is not None

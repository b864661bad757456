"""What is known about a worker's end: the black box, the report, what it kept."""

import json
import os
import threading
from pathlib import Path

from tailrace.agent.platform import processes
from tailrace.agent.supervisor import blackbox, crash
from tailrace.agent.supervisor.blackbox import AtWork, BlackBox
from tailrace.agent.supervisor.crash import KEPT, Crash
from tailrace.agent.supervisor.keeper import MOST, HandleKeeper


def boxes() -> tuple[BlackBox, BlackBox]:
    """The same memory as two processes see it."""
    memory = processes().shared_memory("test", blackbox.SIZE)
    both = BlackBox(memory), BlackBox(memory)
    os.close(memory)
    return both


def test_the_box_holds_what_was_begun_and_not_finished():
    mine, theirs = boxes()
    first, second = mine.slot(), mine.slot()
    assert first is not None
    assert second is not None
    first.begin("app", "v1", "0123456789ABCDEF", 5, 1 << 40)
    second.begin("other", "v2", "S2", 0, 1)
    second.done()
    [work] = theirs.at_work()
    assert (work.pipeline, work.version, work.stream, work.start, work.end) == ("app", "v1", "0123456789ABCDEF", 5, 1 << 40)
    assert work.thread == threading.get_ident()


def test_a_name_of_any_length_in_any_alphabet_fits():
    mine, theirs = boxes()
    slot = mine.slot()
    assert slot is not None
    slot.begin("日本" * 500, "f" * 64, "0123456789ABCDEF", 0, 1)
    [work] = theirs.at_work()
    assert work.pipeline.startswith("日本")
    assert (work.version, work.stream) == ("f" * 64, "0123456789ABCDEF")


def test_slots_are_given_again_and_there_are_only_so_many():
    mine, _ = boxes()
    slots = [mine.slot() for _ in range(blackbox.SLOTS)]
    assert None not in slots
    assert mine.slot() is None
    slots[7].release()
    assert mine.slot() is not None


def a_crash(trace: bytes = b"", at_work: tuple[AtWork, ...] = ()) -> Crash:
    return Crash(77, "0.1.0", "killed by SIGABRT", 12.3456, trace, at_work, {"parts": []})


def test_the_trace_says_which_of_the_lanes_at_work_died():
    works = (AtWork("one", "v", "S1", 0, 1, thread=0x7F01), AtWork("two", "v", "S2", 0, 1, thread=0x7F02))
    trace = b"Fatal Python error: Aborted\n\nThread 0x0000000000007f01 (most recent call first):\n\nCurrent thread 0x0000000000007f02 (most"
    assert [work.pipeline for work in a_crash(trace, works).culprits] == ["two"]
    assert [work.pipeline for work in a_crash(b"", works).culprits] == ["one", "two"]


def test_a_report_tells_all_that_is_known_and_only_the_latest_stay(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "agent.log").write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    paths = [crash.write(a_crash(b"Fatal", (AtWork("app", "v", "S", 1, 2),)), tmp_path) for _ in range(KEPT + 3)]
    report = json.loads(paths[-1].read_text())
    assert (report["why"], report["trace"], report["at_work"][0]["pipeline"]) == ("killed by SIGABRT", ["Fatal"], "app")
    assert report["last_lines"][-1] == "line 99999"
    assert paths[-1].stat().st_size < 100_000
    assert sorted(path for path in (tmp_path / "crash").iterdir()) == paths[-KEPT:]
    assert paths[-1].stat().st_mode & 0o777 == 0o600


def test_a_keeper_holds_only_so_many_handles_and_closes_what_it_lets_go(tmp_path: Path):
    (tmp_path / "file").touch()
    keeper = HandleKeeper()
    handles = [os.open(tmp_path / "file", os.O_RDONLY) for _ in range(3)]
    assert keeper.keep("a", handles[0])
    assert keeper.keep("a", handles[1])
    assert dict(keeper.all()) == {"a": handles[1]}
    keeper.let_go("a")
    assert not any(is_open(handle) for handle in handles[:2])
    for number in range(MOST):
        assert keeper.keep(str(number), os.dup(handles[2]))
    assert not keeper.keep("one more", handles[2])
    assert not is_open(handles[2])
    for number in range(MOST):
        keeper.let_go(str(number))
    assert len(keeper) == 0


def is_open(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True

"""flusher_file and flusher_stdout: JSON lines, rotation, and no repeats after a crash."""

import asyncio
import json
import os
import resource
import signal
from contextlib import contextmanager

import pytest

from tailrace.batch import EventBatch
from tailrace.flushers.file import FileFlusherConfig, FlusherFile
from tailrace.flushers.json_lines import lines
from tailrace.flushers.stdout import FlusherStdout, StdoutConfig
from tailrace.pipeline.contract import Group, Identity, Outcome


def flusher(path, **options):
    return FlusherFile(FileFlusherConfig.model_validate({"FilePath": str(path), **options}))


def payloads(made, sequence, *contents, below=0, epoch=b"e" * 16):
    batch = EventBatch.from_events([(1_700_000_000_000_000_000, [(b"content", content)]) for content in contents])
    return made.encode(batch, Identity(epoch, "00000000000000AA", sequence, 0, 1, b"f" * 16, acknowledged_below=below))


async def send(made, *ranges):
    for payload in ranges:
        assert (await made.send(payload)).outcome is Outcome.ACKNOWLEDGED


def contents(*paths):
    return [json.loads(line)["content"] for path in paths for line in path.read_text().splitlines()]


def test_one_object_per_event():
    batch = EventBatch.from_events([(1_700_000_000_123_000_000, [(b"content", b"caf\xc3\xa9 \xff"), (b"level", b"info")])])
    batch.topic, batch.source, batch.tags = b"t", b"10.0.0.1", [(b"__path__", b"/x")]
    assert json.loads(b"".join(lines(batch, b"P-1"))) == {
        "__time__": 1_700_000_000,
        "content": "café �",
        "level": "info",
        "__tag__:__path__": "/x",
        "__tag__:__pack_id__": "P-1",
        "__topic__": "t",
        "__source__": "10.0.0.1",
    }


def test_groups_stand_behind_each_other_in_one_payload(tmp_path):
    made = flusher(tmp_path / "out.jsonl")
    batch = EventBatch.split_lines(b"a\nb\nc\n")
    batch.topic = b"own"
    groups = [Group(0, 2, tags=((b"s", b"1"),)), Group(2, 1, topic=b"other", packed=False)]
    (payload,) = made.encode(batch, Identity(b"e" * 16, "00000000000000AA", 1, 0, 1, b"f" * 16), groups)
    events = [json.loads(line) for line in payload.body.splitlines()]
    assert [(one["content"], one["__topic__"], one.get("__tag__:s"), "__tag__:__pack_id__" in one) for one in events] == [
        ("a", "own", "1", True),
        ("b", "own", "1", True),
        ("c", "other", None, False),
    ]


async def test_a_repeat_is_not_written_again(tmp_path):
    out = tmp_path / "deep" / "out.jsonl"
    first = flusher(out)
    await send(first, payloads(first, 0, b"a"), payloads(first, 1, b"b"))
    await first.close()
    second = flusher(out)
    await send(second, payloads(second, 1, b"b"), payloads(second, 2, b"c"))
    await second.close()
    assert contents(out) == ["a", "b", "c"]


async def test_what_was_written_but_not_entered_is_cut_off(tmp_path):
    out = tmp_path / "out.jsonl"
    first = flusher(out)
    await send(first, payloads(first, 0, b"a"))
    await first.close()
    with out.open("ab") as file:
        file.write(b'{"__time__":0,"content":"never ackno')
    second = flusher(out)
    await send(second, payloads(second, 1, b"b"))
    await second.close()
    assert contents(out) == ["a", "b"]


async def test_a_torn_entry_of_the_ledger_counts_for_nothing(tmp_path):
    out = tmp_path / "out.jsonl"
    first = flusher(out)
    await send(first, payloads(first, 0, b"a"), payloads(first, 1, b"b"))
    await first.close()
    ledger = tmp_path / "out.jsonl.ledger"
    ledger.write_bytes(ledger.read_bytes()[:-5])
    second = flusher(out)
    await send(second, payloads(second, 1, b"b"))
    await second.close()
    assert contents(out) == ["a", "b"]


@contextmanager
def full_disk(size):
    """No file of this process can become larger than `size` bytes."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_ledger_that_cannot_be_written_acknowledges_nothing(tmp_path):
    out, ledger = tmp_path / "out.jsonl", tmp_path / "out.jsonl.ledger"
    made = flusher(out, MaxFileSize=1, MaxFiles=2)  # so that the ledger is the larger one
    for sequence in range(40):
        await send(made, payloads(made, sequence, b"a"))
    new = [one for sequence in range(40, 43) for one in payloads(made, sequence, b"%d" % sequence)]
    for _ in range(3):  # the third time there is room for the first entry
        with full_disk(ledger.stat().st_size + 30):
            assert (await made.send(new)).outcome is Outcome.RETRY
    await made.close()
    second = flusher(out, MaxFiles=2)
    await send(second, new, new, payloads(second, 43, b"43"))
    await second.close()
    assert contents(out) == ["40", "41", "42", "43"]


async def test_a_ledger_goes_on_when_the_disk_has_room_again(tmp_path):
    out, ledger = tmp_path / "out.jsonl", tmp_path / "out.jsonl.ledger"
    made = flusher(out, MaxFileSize=1, MaxFiles=2)
    for sequence in range(40):
        await send(made, payloads(made, sequence, b"a"))
    with full_disk(ledger.stat().st_size + 30):
        assert (await made.send(payloads(made, 40, b"40"))).outcome is Outcome.RETRY
    await send(made, payloads(made, 40, b"40"))
    assert contents(out) == ["40"]
    await made.close()
    second = flusher(out)
    await send(second, payloads(second, 40, b"40"), payloads(second, 41, b"41"))
    await second.close()
    assert contents(out) == ["40", "41"]


async def test_rotation_keeps_the_order_and_knows_what_is_in_older_files(tmp_path):
    out = tmp_path / "out.jsonl"
    made = flusher(out, MaxFileSize=200, MaxFiles=3)
    for sequence in range(9):
        await send(made, payloads(made, sequence, b"%d" % sequence))
    await send(made, payloads(made, 0, b"0"))
    await made.close()
    kept = contents(tmp_path / "out.jsonl.2", tmp_path / "out.jsonl.1", out)
    assert kept == [str(number) for number in range(9 - len(kept), 9)]
    assert len(list(tmp_path.glob("out.jsonl*"))) == 4


async def test_the_ledger_forgets_what_can_never_come_again(tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.flushers.ledger.COMPACT_AT", 10)
    out = tmp_path / "out.jsonl"
    made = flusher(out)
    for sequence in range(100):
        await send(made, payloads(made, sequence, b"%d" % sequence, below=max(0, sequence - 3)))
    await made.close()
    assert len((tmp_path / "out.jsonl.ledger").read_text().splitlines()) < 20
    again = flusher(out)
    await send(again, payloads(again, 99, b"99"), payloads(again, 50, b"50"))
    await again.close()
    assert len(contents(out)) == 100


async def test_another_epoch_is_another_identity(tmp_path):
    out = tmp_path / "out.jsonl"
    made = flusher(out)
    await send(made, payloads(made, 0, b"a"), payloads(made, 0, b"b", epoch=b"n" * 16))
    await made.close()
    assert contents(out) == ["a", "b"]


async def test_a_file_that_was_there_before_is_continued(tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text('{"content":"theirs"}\n')
    made = flusher(out)
    await send(made, payloads(made, 0, b"ours"))
    await made.close()
    assert contents(out) == ["theirs", "ours"]


async def test_a_disk_that_does_not_work_is_a_reason_to_try_again(tmp_path):
    (tmp_path / "out.jsonl").mkdir()
    made = flusher(tmp_path / "out.jsonl")
    delivery = await made.send(payloads(made, 0, b"a"))
    await made.close()
    assert delivery.outcome is Outcome.RETRY
    assert "cannot write" in delivery.message


async def test_standard_output(capfdbinary):
    made = FlusherStdout(StdoutConfig())
    await send(made, payloads(made, 0, b"a", b"b"))
    assert [json.loads(line)["content"] for line in capfdbinary.readouterr().out.splitlines()] == ["a", "b"]


@pytest.mark.parametrize("path", ["out.jsonl", "./x"])
def test_a_relative_path_is_refused(path):
    with pytest.raises(ValueError, match="is not an absolute path"):
        flusher(path)


async def test_a_file_that_hangs_holds_none_of_the_threads_that_others_need(tmp_path):
    """A pipe that nobody reads hangs whoever opens it, as a disk of the network does that is away."""
    os.mkfifo(tmp_path / "out.jsonl")
    hung = flusher(tmp_path / "out.jsonl")
    sending = [asyncio.create_task(hung.send(payloads(hung, number, b"x"))) for number in range(40)]
    await asyncio.sleep(0.05)
    try:
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(asyncio.to_thread(lambda: "written") for _ in range(40))) == ["written"] * 40
        assert not any(task.done() for task in sending)
        closing = asyncio.create_task(hung.close())
        await asyncio.sleep(0.05)
        assert not closing.done()  # who opens the file next must not meet a write that is still under way
    finally:
        reader = os.open(tmp_path / "out.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    outcomes = [(await task).outcome for task in sending]
    await closing
    os.close(reader)
    assert outcomes == [Outcome.RETRY] * 40

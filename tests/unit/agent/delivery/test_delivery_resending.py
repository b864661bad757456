"""Dead letters are sent again, once each, whatever happens meanwhile."""

import asyncio

import pytest

from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.resending import INPUT, Resending
from tailrace.agent.spool import Spool
from tailrace.errors import BusyError, StateError
from tests.unit.agent.delivery.test_delivery_refused import Picky, submit, texts
from tests.unit.agent.delivery.test_delivery_spool import Bench


class Desk(Bench):
    """A run of one target, with what a session does about dead letters."""

    def __init__(self, home, gate, names=("gate",)):
        self.names = names
        super().__init__(home, gate)

    def adopt(self):
        self.resending = Resending(self.letters, self.table, self.writer, lambda name: self.target if name in self.names else None)
        self.resending.settle(self.adoption.left, lambda _: "")
        super().adopt()

    async def refuse(self, *bad):
        """Each of these is a dead letter then."""
        self.gate.bad = {b"bad"}
        for key in bad:
            submit(self, b"bad", key=key)
        await self.done()
        self.gate.bad = set()


class Died(BaseException):
    """The process ends here."""


async def test_dead_letters_are_sent_again_and_may_come_back(tmp_path):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    submit(desk, *texts(10, 2, 6))
    await desk.done()
    assert len(desk.letters.rows()) == 2
    await desk.resending._all_sent()
    await desk.done()
    assert len(desk.letters.rows()) == 2, "refused again"
    gate.bad = set()
    await desk.resending._all_sent()
    await desk.done()
    assert desk.letters.rows() == []
    assert gate.events.count(b"bad") == 2
    assert len(gate.events) == 10
    await desk.end()


async def test_one_that_was_sent_does_not_come_back_with_the_segment_that_it_shares(tmp_path):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse("one", "two", "three")
    [(_, first), *_] = desk.letters.letters()
    desk.letters.remove(desk.letters.letters()[0][0])
    await desk.end()
    desk.letters.close()
    again = DeadLetters(tmp_path, Spool(tmp_path).cipher)
    assert len(again.rows()) == 2
    assert first.payloads[0].identity not in [letter.payloads[0].identity for _, letter in again.letters()]
    for ref, _ in again.letters():
        again.remove(ref)
    assert again.rows() == []
    assert list((tmp_path / "agent" / "dead-letters").glob("*.seg")) == [], "with the last letter all is gone, stones too"
    again.close()


async def test_a_letter_without_a_target_holds_back_no_other_one(tmp_path):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse("one", "two")
    ref, letter = desk.letters.letters()[0]
    stream = letter.stream
    stream.target = "sls:gone"
    desk.letters.remove(ref)
    desk.letters.add(letter)
    await desk.refuse("three")
    with pytest.raises(StateError, match="sls:gone"):
        await desk.resending._all_sent()
    await desk.done()
    assert gate.events == [b"bad", b"bad"]
    [(_, left)] = desk.letters.letters()
    assert left.stream.target == "sls:gone"
    await desk.end()


async def test_who_asks_while_they_are_sent_gets_none_sent_twice(tmp_path):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse(*(f"stream {number}" for number in range(8)))
    await asyncio.gather(*(desk.resending._all_sent() for _ in range(4)))
    await desk.done()
    assert gate.events == [b"bad"] * 8
    assert desk.letters.rows() == []
    await desk.end()


async def test_whoever_is_tired_of_waiting_is_told_and_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.agent.delivery.resending.PATIENCE_SECS", 0.01)
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse("one", "two")
    keep = desk.target.keep

    async def slow(kept):
        await asyncio.sleep(0.1)
        return await keep(kept)

    desk.target.keep = slow
    loop = asyncio.get_running_loop()
    with pytest.raises(BusyError, match="not all on their way"):
        await asyncio.to_thread(desk.resending.rows, loop=loop, resend=True)
    monkeypatch.undo()
    assert await asyncio.to_thread(desk.resending.rows, loop=loop, resend=True) == []
    await desk.done()
    assert gate.events == [b"bad", b"bad"]
    await desk.end()


STEPS = ["reserve", "durable", "keep", "kept", "removed", "taken on"]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_each_step_a_letter_is_a_dead_one_or_arrives_and_never_twice(tmp_path, step):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse("one", "two")
    target, letters = desk.target, desk.letters
    dies(step, target, letters)
    with pytest.raises(Died):
        await desk.resending._all_sent()
    await desk.end()
    letters.close()
    again = Desk(tmp_path, gate)
    await again.done()
    assert len(gate.events) + len(again.letters.rows()) == 2
    await again.resending._all_sent()
    await again.done()
    assert gate.events == [b"bad", b"bad"]
    assert again.letters.rows() == []
    await again.end()
    again.letters.close()
    last = Desk(tmp_path, gate)
    assert last.letters.rows() == []
    assert last.table.prepared_of(INPUT) == []
    await last.end()


def dies(step, target, letters):
    """Let the process end before, or right after, a step for the first letter."""
    place, name = {
        "reserve": (target.underway, "reserve"),
        "durable": (target.underway, "durable"),
        "keep": (target, "keep"),
        "kept": (target, "keep"),
        "removed": (letters, "remove"),
        "taken on": (target, "take_on"),
    }[step]
    do = getattr(place, name)

    async def before(*_):
        raise Died

    async def after(*words):
        await do(*words)
        raise Died

    def removed(ref):
        do(ref)
        raise Died

    def not_taken_on(_entry):
        raise Died

    put = {"kept": after, "durable": after, "removed": removed, "taken on": not_taken_on}
    setattr(place, name, put.get(step, before))


async def test_a_full_disk_leaves_a_dead_letter_that_can_be_sent_later(tmp_path):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse("one")
    remove = desk.letters.remove

    def full(_ref):
        raise BusyError("the disk is full")

    desk.letters.remove = full
    with pytest.raises(BusyError):
        await desk.resending._all_sent()
    await desk.done()
    assert gate.events == []
    desk.letters.remove = remove
    await desk.resending._all_sent()
    await desk.done()
    assert gate.events == [b"bad"]
    await desk.end()


async def test_a_copy_that_rots_before_it_was_sent_is_told_and_holds_back_nothing(tmp_path):
    gate = Picky()
    desk = Desk(tmp_path, gate)
    await desk.refuse("one", "two")
    gate.down = True
    await desk.resending._all_sent()
    await desk.end()
    desk.letters.close()
    [path] = desk.segments()
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    gate.down = False
    again = Desk(tmp_path, gate)
    await again.done()
    assert gate.events == [b"bad"]
    assert again.letters.rows() == []
    await again.end()
    assert "DISCARD_DATA_ALARM" in again.alarms()

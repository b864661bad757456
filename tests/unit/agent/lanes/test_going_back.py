"""After a roll-back, whatever the server has, whatever was cut again and wherever that lies: each byte arrives once."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tailrace.agent.checkpoint import StreamRow
from tailrace.agent.lanes.going_back import GoingBack
from tailrace.agent.lanes.streams import StreamTable
from tailrace.agent.spool import Kept
from tailrace.batch import fingerprint
from tailrace.errors import ForkError
from tailrace.pipeline.contract import Identity, Payload, Range
from tailrace.server.store.identities import Identities, Verdict
from tailrace.wire.identity import StoredEnd
from tests.unit.store.test_identities import check, store

STREAM = "00000000000000AB"
FIRST = 1_000
OLD, NEW = b"o" * 16, b"n" * 16


@dataclass
class Server:
    known: Identities = field(default_factory=Identities)
    has: bytes = b""

    def take(self, epoch: bytes, done: Range, source: bytes) -> bool:
        """False: it is a fork."""
        identity = Identity(epoch, STREAM, done.sequence, done.start, done.end, done.fingerprint, acknowledged_below=done.sequence)
        try:
            if check(self.known, identity) is Verdict.NEW:
                store(self.known, identity)
                self.has += source[done.start : done.end]
        except ForkError:
            return False
        return True


class Spooled:
    """What lies on a shelf, all by itself: it is its own shelf."""

    released = False

    @property
    def shelf(self) -> "Spooled":
        return self

    def release(self, _: object) -> None:
        self.released = True


def cut(source: bytes, start: int, sequence: int, sizes: list[int]) -> list[Range]:
    ranges: list[Range] = []
    for size in sizes:
        end = min(len(source), start + size)
        if start < end:
            ranges.append(Range(STREAM, sequence + len(ranges), start, end, {"v": 1}, fingerprint(source[start:end]), "c"))
        start = end
    return ranges


def lane_of(source: bytes, table: StreamTable) -> Any:
    """The part of a replay that looks at the source."""
    lane = SimpleNamespace(target=SimpleNamespace(flusher=SimpleNamespace(destination="t")), input=SimpleNamespace(key="i"))
    holds = lambda _, one: fingerprint(source[one.start : one.end]) == one.fingerprint and len(source) >= one.end  # noqa: E731
    return SimpleNamespace(lane=lane, holds=holds, streams=table)


def adopt(server: Server, table: StreamTable, left: dict[Any, Any], source: bytes) -> None:
    """As a target does: under the old name, and where that is another's, under the new one."""
    for _, kept in left.values():
        table.restore(kept)
        assert server.take(OLD, kept.range, source) or server.take(NEW, kept.range, source)


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(sizes, st.integers(0, 12), sizes, st.integers(0, 12), st.booleans(), st.integers(0, 60))
def test_each_byte_arrives_once(first: list[int], known: int, second: list[int], spooled: int, diverges: bool, grown: int) -> None:
    lines = bytes(range(200))
    sent = cut(lines, 0, FIRST, first)
    server = Server()
    for one in sent:
        assert server.take(OLD, one, lines)
    offset = sent[known - 1].end if 0 < known <= len(sent) else 0
    sequence = FIRST + min(known, len(sent)) if offset else FIRST
    stored = sent[-1].end
    source = lines[:offset] + bytes(255 - one for one in lines[offset : offset + grown]) if diverges else lines[: stored + grown]
    again = cut(source, offset, sequence, second)[:spooled]

    row = StreamRow(STREAM, "t", "i", "k", {"v": 1}, {"v": 1}, sequence)
    table = StreamTable("agent", [row], {})
    table.stored_ends = server.known.ends("a", None)
    payload = Payload(Identity(OLD, STREAM, 0, 0, 0, b""), b"", 0, "none", 1)
    left: dict[Any, Any] = {(STREAM, one.sequence): (Spooled(), Kept(row, one, 1, [payload])) for one in again}
    acknowledged: list[int] = []
    checkpoint: Any = SimpleNamespace(acknowledge=lambda _, sequences, *__: acknowledged.extend(sequences))
    GoingBack(left, table, checkpoint).run(lane_of(source, table))
    adopt(server, table, left, source)

    end = table.ends_at([STREAM])
    goes_on = end.end if end is not None and end.is_in(lambda size, at: source[at : at + size]) else offset
    for one in cut(source, goes_on, max(table.find("t", "i")[STREAM].next_sequence, sequence), [len(source)]):
        assert server.take(NEW, one, source)
    expected = lines[:stored] + (source[offset:] if diverges else source[stored:])
    assert sorted(server.has) == sorted(expected)


@given(sizes, sizes, st.integers(1, 12), st.booleans())
def test_what_is_prepared_behind_what_the_server_has_arrives_once(first: list[int], second: list[int], count: int, grown: bool) -> None:
    """As a kill leaves it between the answer for one range and the request with the next."""
    source = bytes(range(220))
    sent = cut(source, 0, FIRST, first)
    server = Server()
    for one in sent:
        assert server.take(OLD, one, source)
    stored = sent[-1].end
    prepared = cut(source, stored, FIRST + len(sent), second)[:count]
    row = StreamRow(STREAM, "t", "i", "k", {"v": 1}, {"v": 1}, prepared[-1].sequence + 1)
    table = StreamTable("agent", [row], {STREAM: prepared})
    table.stored_ends = server.known.ends("a", None)
    checkpoint: Any = SimpleNamespace(acknowledge=lambda _, __, ___, ____: None)
    here = source if grown else source[: prepared[-1].end]
    GoingBack({}, table, checkpoint).run(lane_of(here, table))
    stream = table.find("t", "i")[STREAM]
    for one in table.state_of(stream).prepared:
        assert server.take(NEW, one, here)
    end = table.ends_at([STREAM])
    goes_on = prepared[-1].end if end is None else end.end
    for one in cut(here, goes_on, stream.next_sequence, [len(here)]):
        assert server.take(NEW, one, here)
    assert server.has == here


def test_what_goes_back_is_neither_prepared_nor_in_the_spool_and_its_numbers_are_used_up() -> None:
    source = bytes(range(40))
    prepared, spooled = cut(source, 10, 7, [10, 10])
    row = StreamRow(STREAM, "t", "i", "k", {"v": 1}, {"v": 1}, 8)
    table = StreamTable("agent", [row], {STREAM: [prepared]})
    table.stored_ends = {STREAM: StoredEnd(15, 5, fingerprint(source[5:15]))}
    ref = Spooled()
    kept = Kept(replace(row, next_sequence=9), spooled, 1, [Payload(Identity(OLD, STREAM, 8, 0, 0, b""), b"", 0, "none", 1)])
    left: dict[Any, Any] = {(STREAM, 8): (ref, kept)}
    acknowledged: list[int] = []
    checkpoint: Any = SimpleNamespace(acknowledge=lambda _, sequences, *__: acknowledged.extend(sequences))
    GoingBack(left, table, checkpoint).run(lane_of(source, table))
    stream = table.find("t", "i")[STREAM]
    assert (left, ref.released, acknowledged, table.state_of(stream).prepared) == ({}, True, [7, 8], [])
    assert (stream.next_sequence, stream.acknowledged_below) == (9, 9)

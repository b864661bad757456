"""Which packages are repeats, which are forks, and that the state stays as small as what is alive."""

import msgspec
import pytest

from tailrace.errors import ForkError
from tailrace.pipeline.contract import Identity
from tailrace.server.store.identities import ENDED_MS, EXPIRY_MS, MAX_ABOVE, RECENT, Identities, Verdict, stream_key
from tailrace.server.store.records import PackageRecord, RequestRecord, StateRecord
from tailrace.wire.identity import StoredEnd

EPOCH = b"e" * 16
STREAM = "00000000000000FF"
NOW = 1_800_000_000_000


def identity(sequence: int, **changes: object) -> Identity:
    values: dict[str, object] = {"start": sequence * 10, "end": sequence * 10 + 10, "fingerprint": b"f%d" % sequence}
    return Identity(EPOCH, STREAM, sequence, **{**values, **changes})  # type: ignore[arg-type]


def store(known: Identities, item: Identity, at_ms: int = NOW) -> None:
    known.apply(RequestRecord(1, at_ms, [as_record(item)]))


def as_record(item: Identity) -> PackageRecord:
    record = PackageRecord(b"", "none", 0, 1, 0, 0, 0, "a", item.epoch, int(item.stream, 16), item.sequence)
    record.part, record.parts, record.start, record.end = item.part, item.parts, item.start, item.end
    record.fingerprint, record.acknowledged_below, record.ended, record.has_identity = (
        item.fingerprint,
        item.acknowledged_below,
        item.ended,
        True,
    )
    return record


def check(known: Identities, item: Identity) -> Verdict:
    return known.check(stream_key(1, "a", item), item)


def test_order_of_arrival_does_not_matter() -> None:
    known = Identities()
    for sequence in (5, 2, 3):
        assert check(known, identity(sequence)) is Verdict.NEW
        store(known, identity(sequence))
        assert check(known, identity(sequence)) is Verdict.DUPLICATE
    assert check(known, identity(4)) is Verdict.NEW


@pytest.mark.parametrize("change", [{"fingerprint": b"x"}, {"start": 1}, {"end": 99}, {"parts": 3}])
def test_the_same_sequence_with_other_content_is_a_fork(change: dict[str, object]) -> None:
    known = Identities()
    store(known, identity(7))
    with pytest.raises(ForkError) as fork:
        check(known, identity(7, **change))
    assert fork.value.hint


def test_a_clone_that_goes_on_from_an_old_state_is_a_fork_even_below_the_watermark() -> None:
    known = Identities()
    for sequence in range(5):
        store(known, identity(sequence, acknowledged_below=sequence))
    assert check(known, identity(2)) is Verdict.DUPLICATE
    with pytest.raises(ForkError):
        check(known, identity(3, start=500, end=600))
    with pytest.raises(ForkError):
        check(known, identity(3, end=600))
    with pytest.raises(ForkError):
        check(known, identity(2, fingerprint=b"x"))
    with pytest.raises(ForkError):
        check(known, identity(3, start=31, end=35))


def test_what_ends_below_the_watermark_is_proven_by_the_last_range_there() -> None:
    known = Identities()
    for sequence in range(5):
        store(known, identity(sequence, acknowledged_below=sequence))
    store(known, identity(6, acknowledged_below=5))
    assert known.ends("a", None) == {STREAM: StoredEnd(50, 40, b"f4")}


def test_of_what_is_acknowledged_the_last_is_told_from_what_was_never_there() -> None:
    known = Identities()
    for sequence in range(100):
        store(known, identity(sequence, acknowledged_below=sequence))
    assert [check(known, identity(sequence)) for sequence in (99, 98, 100 - RECENT)] == [Verdict.DUPLICATE] * 3
    with pytest.raises(ForkError):
        check(known, identity(90 - RECENT))


def test_what_an_older_release_has_seen_is_judged_by_where_it_ends() -> None:
    known = Identities()
    for sequence in range(5):
        store(known, identity(sequence, acknowledged_below=sequence))
    ((_, state),) = known.snapshot(NOW)
    state.recent = b""
    assert check(known, identity(2, fingerprint=b"x")) is Verdict.DUPLICATE
    with pytest.raises(ForkError):
        check(known, identity(3, end=600))


def test_nothing_is_a_repeat_where_nothing_was_ever_stored() -> None:
    """What came before was filtered out on the agent, so that nothing below the watermark is here."""
    known = Identities()
    store(known, identity(10, acknowledged_below=10))
    with pytest.raises(ForkError):
        check(known, identity(7, start=700, end=800))


def test_the_state_holds_what_is_not_acknowledged() -> None:
    known = Identities()
    for sequence in range(1000):
        store(known, identity(sequence, acknowledged_below=max(0, sequence - 2)))
    ((_, state),) = known.snapshot(NOW)
    assert sorted(state.above) == [997, 998, 999]
    assert state.low == 997


def test_an_agent_that_never_acknowledges_does_not_grow_the_state_without_end() -> None:
    known = Identities()
    for sequence in range(3 * MAX_ABOVE):
        store(known, identity(sequence))
    ((_, state),) = known.snapshot(NOW)
    assert len(state.above) <= MAX_ABOVE
    assert check(known, identity(0)) is Verdict.DUPLICATE


def farewell(sequence: int) -> Identity:
    return identity(sequence, start=0, end=0, acknowledged_below=sequence, ended=True)


def test_an_ended_stream_is_known_for_a_while_and_then_forgotten() -> None:
    known = Identities()
    for sequence in (1, 2):
        store(known, identity(sequence))
    assert check(known, farewell(3)) is Verdict.NEW
    store(known, farewell(3), at_ms=NOW + 1000)
    known.forget_ended(NOW + 1000 + ENDED_MS - 1)
    assert [check(known, item) for item in (identity(1), identity(2), farewell(3))] == [Verdict.DUPLICATE] * 3
    known.forget_ended(NOW + 1000 + ENDED_MS)
    assert len(known) == 0


def test_the_end_is_kept_in_a_snapshot() -> None:
    known, again = Identities(), Identities()
    store(known, identity(1))
    store(known, farewell(2))
    again.restore(StateRecord(0, known.snapshot(NOW), []))
    assert check(again, identity(1)) is Verdict.DUPLICATE
    again.forget_ended(NOW + ENDED_MS)
    assert len(again) == 0


def test_a_stream_that_ended_before_it_is_acknowledged_is_kept() -> None:
    known = Identities()
    store(known, identity(1))
    store(known, identity(2, acknowledged_below=2, ended=True))
    known.forget_ended(NOW + ENDED_MS)
    assert check(known, identity(2)) is Verdict.DUPLICATE


def test_a_stream_that_comes_back_is_not_forgotten_and_may_begin_at_the_farewells_sequence() -> None:
    known = Identities()
    store(known, identity(1))
    store(known, farewell(2))
    assert check(known, identity(2)) is Verdict.NEW
    store(known, identity(2), at_ms=NOW + 10)
    known.forget_ended(NOW + ENDED_MS + 10)
    assert check(known, identity(2)) is Verdict.DUPLICATE


def test_a_farewell_to_an_unknown_stream_leaves_nothing() -> None:
    known = Identities()
    assert check(known, farewell(5)) is Verdict.DUPLICATE
    assert len(known) == 0


def test_a_stream_without_a_word_for_30_days_is_forgotten() -> None:
    known = Identities()
    store(known, identity(1), at_ms=NOW)
    assert len(known.snapshot(NOW + EXPIRY_MS - 1)) == 1
    assert known.snapshot(NOW + EXPIRY_MS) == []
    assert len(known) == 0


def test_a_snapshot_brings_everything_back() -> None:
    known = Identities()
    for sequence in (1, 2, 4):
        store(known, identity(sequence, acknowledged_below=2))
    encoded = msgspec.msgpack.encode(StateRecord(0, known.snapshot(NOW), []))
    again = Identities()
    again.restore(msgspec.msgpack.decode(encoded, type=StateRecord))
    assert again.snapshot(NOW) == known.snapshot(NOW)
    assert [check(again, identity(sequence)) for sequence in (1, 2, 3, 4)] == [
        Verdict.DUPLICATE, Verdict.DUPLICATE, Verdict.NEW, Verdict.DUPLICATE,
    ]  # fmt: skip


def test_a_prefix_ends_at_the_first_gap_or_missing_part() -> None:
    known = Identities()
    store(known, identity(0))
    store(known, identity(1, parts=2))
    assert known.ends("a", None) == {STREAM: StoredEnd(10, 0, b"f0")}
    store(known, identity(1, parts=2, part=1))
    store(known, identity(3))
    assert known.ends("a", EPOCH) == {STREAM: StoredEnd(20, 10, b"f1")}
    assert known.ends("b", None) == {}


def test_a_dropped_logstore_is_forgotten() -> None:
    known = Identities()
    store(known, identity(1))
    known.forget(1)
    assert check(known, identity(1)) is Verdict.NEW

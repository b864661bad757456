"""Who owns which stream, and what it is called."""

import time

from tailrace.agent.checkpoint import StreamRow
from tailrace.agent.lanes.streams import Entry, StreamTable
from tailrace.pipeline.contract import Range
from tailrace.wire.identity import StoredEnd

START = {"v": 1}


def table(rows=(), prepared=None):
    return StreamTable("agent", rows, prepared or {})


def done(stream, sequence):
    return Range(stream.id, sequence, 0, 1, {"v": 1, "at": sequence}, b"f" * 16, "c")


def test_one_reader_per_stream_of_a_target_and_input():
    streams = table()
    one, other = object(), object()
    stream = streams.open(one, "target", "input", "key", START)
    assert streams.open(one, "target", "input", "key", START) is stream
    assert streams.open(other, "target", "input", "key", START) is None
    assert streams.open(other, "elsewhere", "input", "key", START) is not None
    assert streams.open(other, "target", "other input", "key", START) is not None


def test_who_opens_what_another_has_left_elsewhere_since_it_was_looked_up_does_not_get_it():
    streams = table()
    one, other = object(), object()
    stream = streams.open(one, "t", "i", "k", START, unmoved=True)
    streams.leave(stream, {"v": 1, "at": 7})
    assert streams.open(other, "t", "i", "k", START, unmoved=True) is None
    [state] = streams.states("t", "i")
    assert streams.open(other, "t", "i", "k", state.next, unmoved=True) is stream
    streams.release(stream, other)
    stream.ended = True
    assert streams.open(one, "t", "i", "k", START, unmoved=True) is stream, "what is over begins anew"


def test_ids_are_stable_and_differ_in_all_that_a_stream_belongs_to():
    names = [("t", "i", "k"), ("t", "i", "l"), ("t", "j", "k"), ("u", "i", "k")]
    ids = [table().stream_id(*name) for name in names]
    assert ids == [table().stream_id(*name) for name in names]
    assert len({*ids, StreamTable("another agent", [], {}).stream_id(*names[0])}) == 5
    assert all(len(id_) == 16 and id_ == id_.upper() and int(id_, 16) >= 0 for id_ in ids)


def test_a_stream_that_was_forgotten_and_comes_back_repeats_no_number():
    streams = table()
    first = streams.open(self := object(), "t", "i", "k", START)
    first.next_sequence += 5
    first.ended = True
    streams.drop(first, list)
    time.sleep(0.01)
    again = streams.open(self, "t", "i", "k", START)
    assert again.id == first.id
    assert again.next_sequence >= first.next_sequence
    assert again.acknowledged_below == again.next_sequence


def test_known_streams_go_on_with_their_numbers():
    row = StreamRow("AA", "t", "i", "k", {"v": 1, "at": 1}, {"v": 1, "at": 9}, 9)
    streams = table([row], {"AA": [Range("AA", 7, 0, 1, START, b"", "c"), Range("AA", 8, 1, 2, START, b"", "c")]})
    (state,) = streams.states("t", "i")
    assert (state.committed, state.next, [one.sequence for one in state.prepared]) == ({"v": 1, "at": 1}, {"v": 1, "at": 9}, [7, 8])
    stream = streams.open(object(), "t", "i", "k", START)
    assert (stream.next_sequence, stream.acknowledged_below) == (9, 7)


def test_prepared_ranges_are_given_out_once():
    row = StreamRow("AA", "t", "i", "k", START, START, 9)
    streams = table([row], {"AA": [Range("AA", 8, 1, 2, START, b"", "c")]})
    assert len(streams.take_prepared("t", "i")) == 1
    assert streams.take_prepared("t", "i") == []


def test_the_acknowledged_prefix_waits_for_the_oldest():
    stream = table().open(object(), "t", "i", "k", START)
    entries = [Entry(stream, done(stream, sequence), 1, 1) for sequence in range(4)]
    stream.under_way.extend(entries)
    entries[1].unacknowledged = entries[3].unacknowledged = 0
    assert stream.advance() is None
    entries[0].unacknowledged = 0
    assert stream.advance() == (1, {"v": 1, "at": 1})
    assert stream.acknowledged_below == 2
    entries[2].unacknowledged = 0
    assert stream.advance() == (3, {"v": 1, "at": 3})


def test_what_nobody_reads_expires_unless_it_is_undelivered():
    rows = [StreamRow(name, "t", "i", name, START, START, 9, updated=100) for name in ("idle", "read", "undelivered", "fresh")]
    rows[3].updated = 10_000
    streams = table(rows, {"undelivered": [Range("undelivered", 8, 1, 2, START, b"", "c")]})
    streams.open(object(), "t", "i", "read", START)
    assert streams.expire(before=5000) == ["idle"]
    assert {state.id for state in streams.states("t", "i")} == {"read", "undelivered", "fresh"}


def test_ranges_that_were_given_out_to_be_replayed_and_were_not_keep_their_stream():
    row = StreamRow("AA", "t", "i", "k", START, START, 9, updated=100)
    streams = table([row], {"AA": [Range("AA", 8, 1, 2, START, b"", "c")]})
    ((stream, _),) = streams.take_prepared("t", "i")
    assert streams.expire(before=5000) == []
    stream.to_replay -= 1
    assert streams.expire(before=5000) == ["AA"]


def test_streams_follow_their_target_to_its_new_name():
    rows = [StreamRow(name, "old", "i", key, START, START, 1) for name, key in (("A", "k"), ("B", "l"))]
    streams = table([*rows, StreamRow("C", "new", "i", "l", START, START, 1)])
    assert [row.id for row in streams.rename(["old"], "new")] == ["A"]
    assert {state.id for state in streams.states("new", "i")} == {"A", "C"}
    assert rows[0].target == "new"
    assert [state.id for state in streams.states("old", "i")] == ["B"]


def test_of_a_stream_that_was_loaded_the_first_range_goes_alone_until_something_of_it_is_taken():
    streams = table([StreamRow("AA", "t", "i", "k", START, START, 9)])
    for stream in (streams.open(object(), "t", "i", "k", START), streams.open(object(), "t", "i", "new", START)):
        entries = [Entry(stream, done(stream, stream.next_sequence + number), 1, 1) for number in range(2)]
        for entry in entries:
            stream.put(entry)
        assert [stream.admits(entry) for entry in entries] == [True, stream.row.key == "new"]
        stream.is_proven = True
        assert all(stream.admits(entry) for entry in entries)


def test_a_stored_end_holds_until_its_stream_is_read_on_whatever_name_it_came_under():
    streams = table()
    names = ["t", "formerly"]
    ids = [streams.stream_id(name, "i", "k") for name in names]
    stored, spooled = StoredEnd(900, 0, b""), StoredEnd(1000, 0, b"")
    streams.stored_ends[streams.stream_id("formerly", "i", "k")] = stored
    streams.spooled_ends[streams.stream_id("t", "i", "k")] = spooled
    streams.stored_ends[streams.stream_id("t", "i", "another")] = stored
    stream = streams.open(object(), "t", "i", "k", START)
    assert streams.ends_at(ids) == spooled
    streams.take_up(stream, names)
    assert streams.ends_at(ids) is None
    assert streams.ends_at([streams.stream_id("t", "i", "another")]) == stored

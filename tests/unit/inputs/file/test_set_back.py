"""Of a home that was set back: what the server has beyond it is not read again, wherever its bytes are by now."""

import gzip
import os
import shutil
from dataclasses import replace

import pytest

from tailrace.batch import fingerprint
from tailrace.wire.identity import StoredEnd
from tests.unit.inputs.file.following import Following, wait_for, write

READ, SENT = "event1\nevent2\n", "event3\nevent4\n"
END = len(READ + SENT)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


@pytest.fixture
def following(tmp_path, log):
    """The checkpoint knows of two events, the server has four of them; `key` is the stream's."""
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    with following:
        write(log, READ)
        following.expect("event1", "event2")
    known = {key: replace(state) for key, state in following.lane.known.items()}
    with following:
        write(log, SENT)
        following.expect("event1", "event2", "event3", "event4")
    following.lane.known = known
    following.key = next(key for key, state in known.items() if "head" in state.next)
    following.lane.stored[following.key] = StoredEnd(END, len(READ), fingerprint(SENT.encode()))
    following.lane.events.clear()
    yield following
    following.stop()


def stays(log):
    pass


def is_copied_and_emptied(log):
    shutil.copy2(log, f"{log}.1")
    os.truncate(log, 0)


def is_renamed_and_compressed(log):
    packed = log.with_name(f"{log.name}.1.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    os.utime(packed, ns=(log.stat().st_atime_ns, log.stat().st_mtime_ns))
    log.unlink()


def is_copied_emptied_and_compressed(log):
    is_copied_and_emptied(log)
    is_renamed_and_compressed(log.with_name(f"{log.name}.1"))
    log.with_name(f"{log.name}.1.1.gz").rename(log.with_name(f"{log.name}.1.gz"))


GOES = [stays, is_copied_and_emptied, is_renamed_and_compressed, is_copied_emptied_and_compressed]


@pytest.mark.parametrize("goes", GOES)
@pytest.mark.parametrize("unsent", [[], ["event5", "event6"]])
def test_what_the_server_has_is_not_read_again(following, log, goes, unsent):
    write(log, "".join(f"{one}\n" for one in unsent))
    goes(log)
    write(log, "event7\n")
    with following:
        following.expect(*unsent, "event7")
        assert "unread_bytes_deleted" not in following.lane.counts
    following.lane.stored.clear()
    with following:
        write(log, "event8\n")
        following.expect(*unsent, "event7", "event8")


@pytest.mark.parametrize("goes", GOES[1:])
@pytest.mark.parametrize("proof", [fingerprint(b"event3\neventX\n"), b""])
def test_a_copy_that_is_not_shown_to_hold_what_the_server_has_is_read_on_where_it_was(following, log, goes, proof):
    goes(log)
    write(log, "event7\n")
    following.lane.stored[following.key] = StoredEnd(END, len(READ), proof)
    with following:
        following.expect("event3", "event4", "event7")


@pytest.mark.parametrize("goes", GOES[1:])
def test_a_copy_is_not_read_back_to_where_the_server_stands(following, log, goes):
    goes(log)
    write(log, "event7\n")
    following.lane.stored[following.key] = StoredEnd(7, 0, fingerprint(READ[:7].encode()))
    with following:
        following.expect("event3", "event4", "event7")


def test_a_compressed_copy_of_which_the_server_has_all_is_left_alone_when_it_was_looked_at(following, log):
    is_renamed_and_compressed(log)
    with following:
        wait_for(lambda: following.lane.counts.get("copies_read_on") and following.key in following.lane.ended)
        following.expect()
    with following:
        write(log, "event7\n")
        following.expect("event7")

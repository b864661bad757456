"""A pull hands out groups that follow each other, and waits for those that are still being written."""

import time

from tailrace.server.query.pulling import ShardReader, decode, encode
from tailrace.server.query.tailing import PATIENCE_MS
from tests.integration.query.logs import EngineThread, FilledLogstore, Log

LONG_AGO = time.time() - PATIENCE_MS / 1000 - 60


def pulled(logstore: FilledLogstore, begin: int, count: int = 10, end: str = "") -> tuple[int, int]:
    """How many groups, and the number of the next one."""
    reader = ShardReader(logstore.table, 0, logstore.queries.run)
    answer = logstore.thread.run(reader.pull(encode(begin), count, end))
    return len(answer.groups), decode(answer.next)


def test_a_pull_waits_before_a_hole_and_goes_on_when_it_is_filled(engine: EngineThread):
    logstore = engine.logstore([Log({"n": "0"}, group=0), Log({"n": "1"}, group=1), Log({"n": "3"}, group=3)])
    assert pulled(logstore, 0) == (2, 2)
    assert pulled(logstore, 2) == pulled(logstore, 2, end=encode(4)) == (0, 2)
    logstore.add([Log({"n": "2"}, group=2)])
    assert pulled(logstore, 2) == (2, 4)


def test_what_was_set_aside_or_has_expired_is_passed(engine: EngineThread):
    logstore = engine.logstore([Log({"n": str(group)}, group=group, received=LONG_AGO) for group in (5000, 5001, 9000)])
    assert pulled(logstore, 0) == (2, 5002)
    assert pulled(logstore, 5002) == (1, 9001)
    assert pulled(logstore, 9001) == (0, 9001)


def test_an_end_beyond_which_nothing_is_left_is_reached(engine: EngineThread):
    logstore = engine.logstore([Log({"n": "1"}, group=1, received=LONG_AGO)])
    assert pulled(logstore, 0, end=encode(1)) == (0, 1)
    assert pulled(logstore, 0, end=encode(2)) == (1, 2)
    assert pulled(logstore, 1, count=1, end=encode(2)) == (1, 2)

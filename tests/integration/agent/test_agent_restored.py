"""An agent whose home is an older copy: what was sent since that was made is neither lost nor there twice."""

import gzip
import os
import shutil
from collections import Counter

import pytest

from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_delivery import append, ends, numbered, sent


@pytest.fixture
def log(agent, sink):
    """100 lines are sent, the home is copied, 200 more are sent; then the copy takes the place of the home."""
    log = sent(agent, numbered(100))
    shutil.copytree(agent.home, agent.directory / "older")
    append(log, numbered(200, 100))
    agent.run_to_the_end()
    assert Counter(sink.contents()) == Counter(numbered(300).splitlines())
    sink.stored_ends = ends(sink)
    shutil.rmtree(agent.home)
    shutil.copytree(agent.directory / "older", agent.home)
    return log


def stays_in_the_spool(agent, sink):
    sink.fault = lambda number: "500"
    agent.start()
    wait_for(lambda: sink.attempts["500"], "the first attempt")
    agent.stop()
    assert list((agent.home / "agent" / "spool").glob("*/*.seg"))
    sink.fault = lambda number: None


def lose_the_checkpoint(agent):
    """All but its online copy, which still has the ranges that are in the spool."""
    path = agent.home / "agent" / "checkpoint.db"
    path.replace(path.with_name("checkpoint.copy.db"))


@pytest.mark.parametrize("spooled", [False, True])
def test_a_file_that_has_grown_since_is_read_on_where_the_server_has_it(agent, sink, log, spooled):
    append(log, numbered(100, 300))
    if spooled:
        stays_in_the_spool(agent, sink)
        append(log, numbered(100, 400))
    agent.run_to_the_end()
    assert Counter(sink.contents()) == Counter(numbered(500 if spooled else 400).splitlines())
    assert not list((agent.home / "agent" / "spool").glob("*/*.seg"))


@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_was_rotated_since_is_read_on_in_its_copy_where_the_server_has_it(agent, sink, log, packed, spooled):
    append(log, numbered(100, 300))
    if spooled:
        stays_in_the_spool(agent, sink)
        lose_the_checkpoint(agent)
    copy = log.with_name("a.log.1.gz" if packed else "a.log.1")
    copy.write_bytes(gzip.compress(log.read_bytes()) if packed else log.read_bytes())
    if packed:
        log.unlink()
    else:
        os.truncate(log, 0)
    append(log, numbered(100, 400))
    agent.run_to_the_end()
    assert Counter(sink.contents()) == Counter(numbered(500).splitlines())


@pytest.mark.parametrize(("count", "spooled"), [(50, True), (300, False)])
def test_a_file_that_is_an_older_one_too_and_has_grown_otherwise_is_read_on_where_it_was(agent, sink, log, spooled, count):
    with log.open("r+") as file:
        file.truncate(len(numbered(100)))
    append(log, numbered(count, 1000))
    if spooled:
        stays_in_the_spool(agent, sink)
        append(log, numbered(100, 2000))
    agent.run_to_the_end()
    expected = numbered(300) + numbered(count, 1000) + (numbered(100, 2000) if spooled else "")
    assert Counter(sink.contents()) == Counter(expected.splitlines())


def test_a_file_that_is_gone_comes_from_the_spool(agent, sink, log):
    append(log, numbered(100, 300))
    stays_in_the_spool(agent, sink)
    log.unlink()
    agent.run_to_the_end()
    assert set(sink.contents()) == set(numbered(400).splitlines())

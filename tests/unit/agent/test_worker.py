"""What another thread asks of the worker, at any moment of its sessions."""

import threading
import time
from pathlib import Path

import pytest

from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.session import End, Session
from tailrace.agent.worker import Worker
from tailrace.errors import StateError
from tailrace.pipeline.model import PipelineConfig

DEADLINE_SECS = 20.0


class Told:
    """The keeper's thread, which says once that the home is an older one."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self._asked_before = worker, 0
        self.thread = threading.Thread(target=worker._roll_back, daemon=True)

    def tell(self) -> None:
        """Returns when it has done what it does before it waits."""
        if self.thread.ident is None:
            self._asked_before = self._worker._asked_for
            self.thread.start()
            until = time.monotonic() + DEADLINE_SECS
            while self.thread.is_alive() and self._worker._asked_for == self._asked_before and time.monotonic() < until:
                time.sleep(0.001)


def epoch(home: Path) -> bytes:
    opened = open_checkpoint(home / "agent")
    try:
        return opened.content.epoch
    finally:
        opened.database.close()


@pytest.mark.parametrize("moment", ["the first session is made", "another session is made", "a session ends for another reason"])
def test_a_home_that_is_said_to_be_older_gets_a_new_epoch_at_any_moment(tmp_path: Path, moment: str) -> None:
    worker, identity = Worker(tmp_path, [], finite=True, limited=False), AgentIdentity("a" * 32, [])
    told = Told(worker)
    if moment != "the first session is made":
        assert worker._one_session(identity) is End.DRAINED
    pipelines, watched = worker._pipelines, worker._watched

    def meanwhile() -> list[PipelineConfig]:
        told.tell()
        return pipelines()

    async def ending(session: Session) -> End:
        session.stop(End.RELOADED)
        told.tell()
        return await watched(session)

    if moment == "a session ends for another reason":
        worker._watched = ending
    else:
        worker._pipelines = meanwhile
    assert worker._one_session(identity) is End.RELOADED
    waited = told.thread.is_alive()
    old = epoch(tmp_path)
    worker._pipelines, worker._watched = pipelines, watched
    assert worker._one_session(identity) is End.DRAINED
    told.thread.join(DEADLINE_SECS)
    assert (waited, told.thread.is_alive()) == (True, False)
    assert epoch(tmp_path) != old


def test_a_home_that_is_said_to_be_older_gets_a_new_epoch_also_when_the_agent_is_killed_before(tmp_path: Path) -> None:
    identity = AgentIdentity("a" * 32, [])
    killed = Worker(tmp_path, [], finite=True, limited=False)
    killed._one_session(identity)
    old = epoch(tmp_path)
    killed._roll_back()
    after = Worker(tmp_path, [], finite=True, limited=False)
    after._one_session(identity)
    renewed = epoch(tmp_path)
    after._one_session(identity)
    Worker(tmp_path, [], finite=True, limited=False)._one_session(identity)
    assert (renewed != old, epoch(tmp_path) == renewed) == (True, True), "once, and not at every start"


def test_nobody_waits_for_another_session_of_a_worker_that_has_failed(tmp_path: Path) -> None:
    worker = Worker(tmp_path, [], finite=True, limited=False)
    told = Told(worker)

    def failing(_identity: AgentIdentity) -> End:
        told.tell()
        raise StateError("the checkpoint cannot be opened")

    worker._one_session = failing
    with pytest.raises(StateError):
        worker._sessions(AgentIdentity("a" * 32, []))
    told.thread.join(DEADLINE_SECS)
    assert not told.thread.is_alive()

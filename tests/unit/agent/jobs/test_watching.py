"""Who watches over one-time runs sleeps while there are none."""

import asyncio
import contextlib

import pytest

from tailrace.agent.jobs.jobs import Job, Jobs
from tailrace.agent.jobs.onetime import Runs
from tailrace.agent.platform import current


class Session:
    """One whose pipelines read nothing."""

    lanes = ()
    removed: asyncio.Event

    def __init__(self):
        self.removed = asyncio.Event()

    async def add(self, pipeline):
        raise AssertionError("nothing is added")

    async def remove(self, pipeline):
        self.removed.set()

    async def settled(self): ...

    def collected(self, pipeline):
        return set()


@contextlib.asynccontextmanager
async def watching(jobs, session):
    watch = asyncio.create_task(Runs(jobs, list, current(), events=None).watch(session))
    try:
        for _ in range(5):
            await asyncio.sleep(0)
        yield
    finally:
        watch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watch


async def test_without_a_run_it_waits_for_one_and_not_for_the_clock(tmp_path):
    async with watching(Jobs(tmp_path), Session()):
        timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
        assert timers == []


async def test_a_run_that_another_thread_adds_is_looked_at(tmp_path):
    jobs, session = Jobs(tmp_path), Session()
    async with watching(jobs, session):
        over = Job("import-1", "import-1", "app", config="{}", created_at=1.0, timeout_secs=1)
        await asyncio.to_thread(jobs.add, over)
        await asyncio.wait_for(session.removed.wait(), 60)
        assert jobs.all["import-1"].state == "timed out"


async def test_after_the_watch_nobody_is_told(tmp_path):
    jobs = Jobs(tmp_path)
    async with watching(jobs, Session()):
        pass
    jobs.add(Job("import-1", "import-1", "app", config="{}"))
    assert [job.id for job in jobs.running] == ["import-1"]

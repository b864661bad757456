"""What the agent says about itself goes to a server in order and once; only what the server refuses for what it is is given up."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tailrace import telemetry
from tailrace.agent.diagnostics.courier import Courier
from tailrace.agent.diagnostics.outbox import Outbox
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.wire import batch_form
from tailrace.wire.internal_logs import STATUS
from tests.integration.agent.sink import KEY_ID, KEY_SECRET, Sink


class Picky(Sink):
    """Refuses requests that hold one of `bad`."""

    bad: tuple[int, ...] = ()

    async def _put(self, request: web.Request) -> web.Response:
        sequences = {package.identity.sequence for package in batch_form.decode(await request.read())}
        self.refuse = "PostBodyInvalid" if sequences & set(self.bad) else ""
        return await super()._put(request)


@pytest.fixture
def picky() -> Iterator[Picky]:
    made = Picky()
    made.start()
    yield made
    made.stop()


def courier_to(sink: Sink, outbox: Outbox) -> Courier:
    enrolment = Enrolment(sink.endpoint, "test", [], KEY_ID, KEY_SECRET, [batch_form.MODE], "b" * 32)
    return Courier(enrolment, AgentIdentity("a" * 32, [enrolment]), outbox, host_name="host", address="10.0.0.7")


async def deliver(courier: Courier, outbox: Outbox, last: int) -> None:
    task = asyncio.create_task(courier.run())
    async with asyncio.timeout(30):
        while outbox.position(courier.destination) < last and not task.done():
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def lost() -> int:
    return int(telemetry.values("tailrace_agent_own_records_total").get(("lost",), 0))


async def test_of_many_only_the_refused_are_given_up(picky: Picky, tmp_path: Path) -> None:
    outbox, before = Outbox(tmp_path), lost()
    courier = courier_to(picky, outbox)
    for number in range(1, 101):
        outbox.put(STATUS, "", number, [{"n": str(number)}])
    picky.bad = (7, 40, 41)
    await deliver(courier, outbox, 100)
    assert [int(event["n"]) for event in picky.events] == [number for number in range(1, 101) if number not in picky.bad]
    assert lost() - before == 3
    assert picky.repeats == 0


async def test_a_restart_before_the_answer_is_a_repeat_and_no_fork(picky: Picky, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    courier = courier_to(picky, outbox)
    for number in range(1, 11):
        outbox.put(STATUS, "", number, [{"n": str(number)}])
    noted = (tmp_path / "sent.json").read_bytes()
    await deliver(courier, outbox, 10)
    outbox.close()
    (tmp_path / "sent.json").write_bytes(noted)
    again = Outbox(tmp_path)
    await deliver(courier_to(picky, again), again, 10)
    assert (len(picky.events), picky.repeats, picky.forks) == (10, 10, 0)

"""Names are looked up beside everything else: a name service that is silent holds back nobody but who wants the name."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from tailrace.batch import EventBatch
from tailrace.flushers import names
from tailrace.flushers.names import look_up
from tailrace.flushers.sls import FlusherSls
from tailrace.pipeline.contract import Outcome
from tests.unit.wire.test_outward import flusher, identity


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were asked for; none is answered before the test is over."""
    asked, over = list[str](), threading.Event()

    def ask(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        over.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(names.socket, "getaddrinfo", ask)
    yield asked
    over.set()


async def test_while_the_name_service_is_silent_threads_for_the_disk_are_free_and_each_name_is_asked_for_once(silent: list[str]) -> None:
    waiting = [asyncio.create_task(look_up(f"{number % 20}.example.org", 80)) for number in range(100)]
    async with asyncio.timeout(10):
        while len(silent) < 20:
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(lambda: "written") == "written"
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert sorted(silent) == sorted(f"{number}.example.org" for number in range(20))


async def test_an_address_is_no_name_that_is_asked_for(silent: list[str]) -> None:
    assert await look_up("10.0.0.7", 80) == [(socket.AF_INET, "10.0.0.7", 80)]
    assert await look_up("::1", 80) == [(socket.AF_INET6, "::1", 80)]
    assert silent == []


async def test_a_thread_that_cannot_be_had_fails_this_question_and_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(names.threading.Thread, "start", refused)
        with pytest.raises(OSError, match="cannot look up `localhost`: can't start new thread"):
            await look_up("localhost", 80)
    assert await look_up("localhost", 80)


async def test_a_link_local_address_keeps_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 2))])
    assert await look_up("host.local", 80) == [(socket.AF_INET6, "fe80::1%2", 80)]


def _nobody(*_: object, **__: object) -> list[object]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("endpoint", ["http://a..b", f"http://{'a' * 64}.example.org", "http://nobody.invalid"])
async def test_what_is_no_host_is_a_failed_attempt_of_its_target(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if endpoint.endswith("invalid"):
        monkeypatch.setattr(names.socket, "getaddrinfo", _nobody)
    made = FlusherSls(flusher(9).config.model_copy(update={"endpoint": endpoint}))
    await made.open()
    delivery = await made.send(made.encode(EventBatch.split_lines(b"a\n"), identity()))
    assert (delivery.outcome, delivery.code) == (Outcome.RETRY, "Network")
    await made.close()

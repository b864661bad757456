"""How connections go out: whence, how patiently, and by whose clock."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import psutil
import pytest

from tailrace.agent.control.calls import call
from tailrace.agent.settings.settings import AgentSettings
from tailrace.batch import EventBatch
from tailrace.errors import UnreachableError
from tailrace.flushers.connection import HttpConnections
from tailrace.flushers.sls import FlusherSls
from tailrace.pipeline.contract import Identity, Outcome
from tailrace.wire import outward
from tailrace.wire.outward import Outward
from tailrace.wire.proxy import bracketed

SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    outward.use(Outward())


@contextmanager
def listening(address: str = "127.0.0.1", answer: bytes = b"") -> Iterator[tuple[int, list[str]]]:
    """A server that gives one answer to whoever connects, or none at all: its port, and who came."""
    came: list[str] = []
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as server:

        def serve() -> None:
            held = []
            try:
                while True:
                    connection, peer = server.accept()
                    came.append(peer[0])
                    held.append(connection)
                    if answer:
                        connection.recv(65_536)
                        connection.sendall(answer)
                        connection.close()
            except OSError:  # the test is over
                for connection in held:
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answered(**headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "content-length: 2", *(f"{name}: {value}" for name, value in headers.items()), "", "{}"]
    return "\r\n".join(lines).encode()


def an_interface() -> tuple[str, str]:
    """The name and address of one that is not the loopback, where there is one: then the system would choose another address."""
    found = {name: one.address for name, addresses in psutil.net_if_addrs().items() for one in addresses if one.family == socket.AF_INET}
    return next(((name, address) for name, address in found.items() if not address.startswith("127.")), ("lo", "127.0.0.1"))


async def test_connections_for_data_come_from_the_interface_that_the_settings_name() -> None:
    name, address = an_interface()
    outward.use(AgentSettings(bind_interface=name).outward)
    with listening(answer=answered()) as (port, came):
        connections = HttpConnections("127.0.0.1", port)
        assert (await connections.post("/", {"host": "x"}, [b""])).status == 200
        await connections.close()
    assert came == [address]


def test_calls_for_keys_do_too_and_a_missing_interface_is_said() -> None:
    name, address = an_interface()
    outward.use(Outward(interface=name))
    with listening(answer=answered()) as (port, came):
        assert call(f"http://127.0.0.1:{port}", "GET", "/") == {}
        assert came == [address]
        outward.use(Outward(interface="nosuch0"))
        with pytest.raises(UnreachableError, match="the network interface `nosuch0` has no address"):
            call(f"http://127.0.0.1:{port}", "GET", "/")


async def test_an_interface_with_both_kinds_of_addresses_reaches_servers_of_either() -> None:
    outward.use(Outward(interface="lo"))
    for address in ("127.0.0.1", "::1"):
        with listening(address, answered()) as (port, came):
            connections = HttpConnections(address, port)
            assert (await connections.post("/", {"host": "x"}, [b""])).status == 200
            await connections.close()
            assert await asyncio.to_thread(call, f"http://{bracketed(address)}:{port}", "GET", "/") == {}
        assert came == [address, address]


async def test_a_missing_interface_is_a_failed_attempt_of_a_target() -> None:
    outward.use(Outward(interface="nosuch0"))
    made = flusher(9)
    await made.open()
    delivery = await made.send(made.encode(EventBatch.split_lines(b"a\n"), identity()))
    assert (delivery.outcome, delivery.code) == (Outcome.RETRY, "Network")
    assert "nosuch0" in delivery.message


def test_calls_for_keys_are_as_patient_as_the_settings_say() -> None:
    outward.use(AgentSettings(oas_request_timeout=0.5).outward)
    with listening() as (port, came):
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="timed out"):
            call(f"http://127.0.0.1:{port}", "GET", "/")
        assert came
        assert 0.5 <= time.monotonic() - began < 9


def test_and_as_patient_while_they_connect() -> None:
    outward.use(AgentSettings(oas_connect_timeout=0.5).outward)
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):  # more than it takes before somebody accepts
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="timed out"):
            call(f"http://127.0.0.1:{full.getsockname()[1]}", "GET", "/")
        assert 0.5 <= time.monotonic() - began < 4.5


def flusher(port: int) -> FlusherSls:
    config = {"Endpoint": f"http://127.0.0.1:{port}", "Project": "demo", "Logstore": "app", "AccessKeyId": "i", "AccessKeySecret": "s"}
    return FlusherSls(FlusherSls.Config.model_validate(config))


def identity() -> Identity:
    return Identity(b"e" * 16, "00000000000000AA", 1, 0, 10, b"f" * 16)


@pytest.mark.parametrize(("adjusts", "ahead", "moved"), [(True, 3600, 3600), (True, -3600, -3600), (True, 2, 0), (False, 3600, 0)])
def test_times_of_events_follow_the_servers_clock_where_that_is_wanted(adjusts: bool, ahead: int, moved: int) -> None:
    outward.use(AgentSettings(enable_log_time_auto_adjust=adjusts).outward)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)

    async def send(made: FlusherSls) -> None:
        await made.open()
        assert (await made.send(made.encode(EventBatch.split_lines(b"a\n", time_ns=SECOND), identity()))).outcome is Outcome.ACKNOWLEDGED
        await made.close()

    with listening(answer=answered(date=date)) as (port, _):
        made = flusher(port)
        asyncio.run(send(made))
    [payload] = made.encode(EventBatch.split_lines(b"b\n", time_ns=100_000 * SECOND), identity())
    decoded = EventBatch.decode(payload.body, compression=payload.compression, raw_size=payload.raw_size)
    assert [round((time - 100_000 * SECOND) / SECOND) for time in decoded.times] == [pytest.approx(moved, abs=2)]


@pytest.mark.parametrize("endpoint", ["http://a..b", f"https://{'a' * 64}.example.org"])
def test_what_is_no_host_name_is_not_reached_rather_than_a_mistake_of_ours(endpoint: str) -> None:
    with pytest.raises(UnreachableError, match="cannot reach the server"):
        call(endpoint, "GET", "/")

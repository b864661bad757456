"""Metrics for Prometheus over HTTP: only where the administrator says so."""

import asyncio
import json
import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tailrace import telemetry
from tailrace.agent.settings.startup import load
from tailrace.agent.status.exporter import exporting
from tailrace.errors import ConfigErrors


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_prometheus_reads_the_metrics_and_nothing_else_is_there():
    telemetry.counter("tailrace_agent_test_exporter_total", "For this test.", "what").labels("a").inc(3)
    port = free_port()
    async with exporting(f"127.0.0.1:{port}"), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/metrics") as answer:
            families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
        async with session.get("/") as other, session.post("/metrics", data=b"x") as posted:
            assert (other.status, posted.status) == (404, 405)
    assert [(one.labels, one.value) for one in families["tailrace_agent_test_exporter"].samples] == [({"what": "a"}, 3.0)]
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://127.0.0.1:{port}/metrics")


async def test_a_probe_is_told_what_stands_still():
    port, still = free_port(), ["", "its event loop has not turned for 61 s"]
    async with exporting(f"127.0.0.1:{port}", lambda: still[0]), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        still.reverse()
        async with session.get("/healthz?verbose") as answer:
            assert (answer.status, await answer.text()) == (503, "its event loop has not turned for 61 s\n")


async def test_without_the_setting_nothing_listens():
    before = len(asyncio.all_tasks())
    async with exporting(""):
        assert len(asyncio.all_tasks()) == before


async def test_an_address_that_is_taken_is_said_and_ends_nothing(capsys):
    telemetry.setup("test")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with exporting(address):
            pass
    assert "cannot serve metrics" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["9483", "http://127.0.0.1:9483", "127.0.0.1:", ":9483", "127.0.0.1:70000", "a..b:9483"])
def test_what_is_no_address_is_refused(tmp_path, address):
    (tmp_path / "agent.yaml").write_text(json.dumps({"metrics_listen": address}))
    with pytest.raises(ConfigErrors, match="is no address"):
        load(tmp_path)

"""The way out leads through an HTTP proxy that wants a password: data, keys, and what is said when it does not let us through."""

import asyncio
import subprocess
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tailrace.agent.control.calls import call
from tailrace.agent.identity.boot import Boot
from tailrace.agent.identity.keeper import KeyKeeper
from tailrace.batch import EventBatch
from tailrace.errors import ApiError
from tailrace.flushers.sls import FlusherSls, SlsConfig
from tailrace.pipeline.contract import Credentials, Delivery, Identity, Outcome
from tailrace.server.auth.authority import open_authority
from tailrace.wire import proxy as proxies
from tailrace.wire.proxy import Proxies
from tests.faults.installation import free_port
from tests.integration.agent.http_proxy import HttpProxy
from tests.integration.agent.running import Agent
from tests.integration.agent.sink import KEY_ID, KEY_SECRET, Sink
from tests.integration.agent.tls_server import joined, serving
from tests.unit.flushers.test_sls_flusher import Enrolled

PASSWORD = "p:w@rd"
QUOTED = "p%3Aw%40rd"


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "_in_force", None)


def at(proxy: HttpProxy, password: str = QUOTED) -> str:
    return f"http://user:{password}@127.0.0.1:{proxy.port}"


async def send(endpoint: str, context: object, **options: str) -> Delivery:
    flusher = FlusherSls(SlsConfig.model_validate({"Endpoint": endpoint, "Project": "demo", "Logstore": "app", **options}))
    flusher.start(context)  # type: ignore[arg-type]
    await flusher.open()
    payloads = flusher.encode(EventBatch.split_lines(b"private line\n"), Identity(b"e" * 16, "0" * 16, 1, 0, 13, b"f" * 16))
    delivery = await flusher.send(payloads)
    await flusher.close()
    return delivery


OWN_KEY = {"AccessKeyId": KEY_ID, "AccessKeySecret": KEY_SECRET}


async def test_a_proxy_forwards_what_is_not_secret_and_the_signature_stays_good(sink: Sink) -> None:
    with HttpProxy(urlsplit(sink.endpoint).port or 0, PASSWORD) as proxy:
        delivery = await send("http://logs.example.org:9480", Enrolled(), Proxy=at(proxy), **OWN_KEY)
    assert delivery.outcome is Outcome.ACKNOWLEDGED, (delivery, sink.problems)
    assert proxy.asked == ["POST http://demo.logs.example.org:9480/logstores/app/shards/lb HTTP/1.1"]
    assert sink.contents() == ["private line"]


async def test_data_and_keys_go_through_a_tunnel_and_the_certificate_is_the_servers(tmp_path: Path) -> None:
    authority = open_authority(tmp_path / "ca", timedelta(days=1))
    with serving(authority, tmp_path, names=("logs.example.org",)) as (address, got):
        port = urlsplit(address).port or 0
        with HttpProxy(port, PASSWORD) as proxy:
            proxies.use(Proxies(https=at(proxy)))
            known = joined(authority, f"https://logs.example.org:{port}")
            assert (await send(known.enrolments[0].endpoint, known)).outcome is Outcome.ACKNOWLEDGED
            (tmp_path / "secret").mkdir()
            boot = Boot("b" * 32, "", "m", "h")
            await asyncio.to_thread(
                KeyKeeper(
                    known, tmp_path, boot, renamed=lambda: None, widened=lambda: None, moved=lambda: None, rolled_back=lambda: None
                ).round
            )
    assert got == ["/logstores/app/shards/lb", "/api/v1/agents/keys"]
    assert [line.rpartition(" ")[0] for line in proxy.asked] == [f"CONNECT logs.example.org:{port}"] * 2


async def test_calls_beside_the_data_are_forwarded_too_where_there_is_nothing_secret_in_them(sink: Sink) -> None:
    sink.stored_ends = {"0" * 16: 17}
    with HttpProxy(urlsplit(sink.endpoint).port or 0, PASSWORD, tunnels=False) as proxy:
        proxies.use(Proxies(http=at(proxy)))
        key = Credentials(KEY_ID, KEY_SECRET)
        address = "http://logs.example.org:9480"
        answer = await asyncio.to_thread(call, address, "GET", "/api/v1/agents/streams", key=key, query=[("epoch", "aa")])
        proxies.use(Proxies(http=at(proxy, "guessed")))
        with pytest.raises(ApiError, match="407"):
            await asyncio.to_thread(call, address, "GET", "/api/v1/agents/streams")
    assert answer["streams"] == sink.stored_ends
    assert proxy.asked[0] == "GET http://logs.example.org:9480/api/v1/agents/streams?epoch=aa HTTP/1.1"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_wrong_password_is_told_and_never_shown(sink: Sink, scheme: str) -> None:
    with HttpProxy(urlsplit(sink.endpoint).port or 0, PASSWORD) as proxy:
        delivery = await send(f"{scheme}://logs.example.org", Enrolled(), Proxy=at(proxy, "guessed"), **OWN_KEY)
    assert delivery.outcome is Outcome.RETRY
    assert "407" in f"{delivery.code} {delivery.message}"
    assert "guessed" not in repr(delivery)
    assert sink.contents() == []


async def test_a_proxy_that_is_away_is_named(sink: Sink) -> None:
    port = free_port()
    delivery = await send("https://logs.example.org", Enrolled(), Proxy=f"http://127.0.0.1:{port}", **OWN_KEY)
    assert (delivery.outcome, delivery.code) == (Outcome.RETRY, "Network")
    assert f"cannot reach the proxy `127.0.0.1:{port}`" in delivery.message


async def test_an_address_of_ipv6_is_reached_and_its_signature_is_good() -> None:
    sink = Sink(host="::1").start()
    try:
        delivery = await send(sink.endpoint, Enrolled(), **OWN_KEY)
    finally:
        sink.stop()
    assert delivery.outcome is Outcome.ACKNOWLEDGED, sink.problems
    assert sink.contents() == ["private line"]


def test_an_agent_takes_the_proxy_of_its_environment_and_shows_no_password(tmp_path: Path, sink: Sink) -> None:
    with HttpProxy(urlsplit(sink.endpoint).port or 0, PASSWORD) as proxy:
        environment = {"HTTP_PROXY": at(proxy), "NO_PROXY": "example.com"}
        agent = Agent(tmp_path, "http://logs.example.org", environment=environment)
        (agent.logs / "app.log").write_text("one\ntwo\n")
        agent.pipeline(flushers=[agent.with_key()])
        agent.run_to_the_end()
        shown = subprocess.run(
            [*agent.command, "agent", "settings", "--home", agent.home, "--output", "json"],
            capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", **environment},
        ).stdout  # fmt: skip
    assert sorted(sink.contents()) == ["one", "two"]
    assert proxy.asked[0].startswith("POST http://test.logs.example.org/")
    assert '"key": "http_proxy", "value": "***"' in shown
    assert not [word for word in (PASSWORD, QUOTED) if word in shown + agent.log()]

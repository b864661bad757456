"""What the agent makes of a server's certificate, and where it goes when an address does not answer: over real TLS sockets."""

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tailrace.agent.identity.boot import Boot
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.agent.identity.keeper import KeyKeeper
from tailrace.batch import EventBatch
from tailrace.flushers.sls import FlusherSls, SlsConfig
from tailrace.pipeline.contract import Identity, Outcome
from tailrace.server.auth.authority import Authority, open_authority
from tailrace.telemetry import recent_alarms
from tests.integration.agent.tls_server import SERVER, joined, serving

BOOT = Boot("b" * 32, (), "m", "h")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(tmp_path / "ca", timedelta(days=1))


async def send(known: AgentIdentity, times: int = 1) -> list[tuple[Outcome, str, str]]:
    flusher = FlusherSls(SlsConfig.model_validate({"Endpoint": known.enrolments[0].endpoint, "Project": "demo", "Logstore": "app"}))
    flusher.start(known)
    await flusher.open()
    payloads = flusher.encode(EventBatch.split_lines(b"private line\n"), Identity(b"e" * 16, "0" * 16, 1, 0, 13, b"f" * 16))
    answers = [await flusher.send(payloads) for _ in range(times)]
    await flusher.close()
    return [(one.outcome, one.code, one.message) for one in answers]


def keeper_of(known: AgentIdentity, home: Path) -> KeyKeeper:
    (home / "secret").mkdir()
    return KeyKeeper(known, home, BOOT, renamed=lambda: None, widened=lambda: None, moved=lambda: None, rolled_back=lambda: None)


BROKEN: dict[str, tuple[dict, str, str]] = {
    "another name": ({"names": ("logs.example.org",)}, "is for other names", "`domains` or `addresses`"),
    "expired": ({"life": timedelta(minutes=-5)}, "has expired", "check this machine's clock"),
}


@pytest.mark.parametrize("what", [*BROKEN, "another authority"])
async def test_no_key_and_no_data_go_to_a_server_that_cannot_be_trusted(authority: Authority, tmp_path: Path, what: str) -> None:
    options, reason, remedy = BROKEN.get(what, ({}, "is not the server that enrolled this agent", "check the address"))
    other = authority if what in BROKEN else open_authority(tmp_path / "other", timedelta(days=1))
    with serving(other, tmp_path, **options) as (address, got):
        known = joined(authority, address)
        ((outcome, code, message),) = await send(known)
        assert (outcome, code) == (Outcome.RETRY, "Certificate")
        assert reason in message
        assert remedy in message
        keeper = keeper_of(known, tmp_path)
        await asyncio.to_thread(keeper.round)
        (row,) = keeper.rows()
        assert reason in row["trouble"]
        alarm = next(one for one in reversed(recent_alarms()) if one.message == "cannot get keys from the server")
        assert remedy in str(alarm.values["hint"])
        assert got == []


async def test_a_certificate_that_expired_holds_back_and_one_that_was_renewed_lets_go(authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path, life=timedelta(minutes=-5)) as (address, got):
        known = joined(authority, address)
        flusher = FlusherSls(SlsConfig.model_validate({"Endpoint": address, "Project": "demo", "Logstore": "app"}))
        flusher.start(known)
        await flusher.open()
        payloads = flusher.encode(EventBatch.split_lines(b"line\n"), Identity(b"e" * 16, "0" * 16, 1, 0, 5, b"f" * 16))
        assert (await flusher.send(payloads)).code == "Certificate"
        assert got == []
    with serving(authority, tmp_path, port=urlsplit(address).port or 0) as (_, got):
        assert (await flusher.send(payloads)).outcome is Outcome.ACKNOWLEDGED
        assert got == ["/logstores/app/shards/lb"]
    await flusher.close()


async def test_the_next_address_is_tried_when_one_does_not_answer(authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path) as (address, got):
        known = joined(authority, "https://127.0.0.1:1", address)
        first, second, third = await send(known, 3)
        assert first[:2] == (Outcome.RETRY, "Network")
        assert (second[0], third[0]) == (Outcome.ACKNOWLEDGED, Outcome.ACKNOWLEDGED)
        assert got == ["/logstores/app/shards/lb"] * 2


async def test_the_next_address_is_asked_for_keys_too(authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path) as (address, got):
        keeper = keeper_of(joined(authority, "https://127.0.0.1:1", address), tmp_path)
        await asyncio.to_thread(keeper.round)
        assert got == ["/api/v1/agents/keys"]
        assert "is not that of a Tailrace server" in keeper.rows()[0]["trouble"]


async def test_an_agent_that_is_shut_out_sends_nothing_and_says_why(authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path) as (address, got):
        known = joined(authority, address)
        known.states = {SERVER: "identity_conflict"}
        assert await send(known) == [(Outcome.RETRY, "NoKey", "there is no access key: identity_conflict")]
        assert got == []


async def test_a_key_that_has_expired_is_not_used(authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path) as (address, got):
        known = joined(authority, address)
        known.enrolments = [Enrolment(address, "demo", ["*"], "K", "s", ["batch_group"], SERVER, (), 1.0)]
        assert await send(known) == [(Outcome.RETRY, "NoKey", "there is no access key: the one that it had has expired")]
        assert got == []

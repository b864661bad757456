"""`tailrace agent doctor` on the way to the server: broken set-ups, made for real, each named with its remedy."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tailrace.server.auth.authority import Authority, open_authority
from tests.conftest import RunningServer
from tests.integration.agent.http_proxy import HttpProxy
from tests.integration.agent.patient import Patient
from tests.integration.agent.tls_server import joined, serving


def test_a_healthy_agent_has_no_warning_but_that_it_does_not_run(patient: Patient, authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path) as (address, got):
        found = patient.sends_to(address).known_as(joined(authority, address)).findings()
    assert [one.check for one in found if one.level == "warning"] == ["agent"]
    assert {one.check for one in found if one.level == "ok"} >= {"home", "disk", "settings", "pipelines", "files", "keys", "connection"}
    assert got == ["/healthz", "/api/v1/agents/self"]


BROKEN_TLS: dict[str, tuple[dict[str, Any], str, str]] = {
    "another name": ({"names": ("logs.example.org",)}, "is for other names", "`domains` or `addresses`"),
    "expired": ({"life": timedelta(minutes=-5)}, "has expired", "check this machine's clock"),
    "another authority": ({}, "is not the server that enrolled this agent", "check the address"),
}


@pytest.mark.parametrize("what", BROKEN_TLS)
def test_a_certificate_that_does_not_fit(patient: Patient, authority: Authority, tmp_path: Path, what: str) -> None:
    options, reason, remedy = BROKEN_TLS[what]
    other = open_authority(tmp_path / "other", timedelta(days=1)) if what == "another authority" else authority
    with serving(other, tmp_path, **options) as (address, _):
        ((text, mend),) = patient.sends_to(address).known_as(joined(authority, address)).warnings("connection")
    assert reason in text
    assert remedy in mend


def test_a_name_that_does_not_exist(patient: Patient) -> None:
    ((text, remedy),) = patient.sends_to("https://no-such-host.invalid:9481").warnings("connection")
    assert text.startswith("the name `no-such-host.invalid` cannot be resolved")
    assert "`Endpoint` of the pipeline" in remedy


def test_a_closed_port(patient: Patient) -> None:
    ((text, remedy),) = patient.warnings("connection")
    assert text == "nothing listens at `http://127.0.0.1:1` (project `demo`)"
    assert "is the server running" in remedy


def test_a_server_that_is_silent(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.agent.doctor.visit.STEP_SECS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ((text, _),) = patient.sends_to(f"http://127.0.0.1:{silent.getsockname()[1]}").warnings("connection")
    assert "gives no answer of HTTP: timed out" in text


def test_the_plain_port_named_as_the_tls_one(patient: Patient, server: RunningServer) -> None:
    ((text, remedy),) = patient.sends_to(f"https://127.0.0.1:{server.port}").warnings("connection")
    assert "no TLS with" in text
    assert "TLS port" in remedy


@pytest.mark.parametrize(("ahead", "way"), [(7300, "2 hours behind"), (-7300, "2 hours ahead of")])
def test_a_clock_that_is_wrong(patient: Patient, authority: Authority, tmp_path: Path, ahead: float, way: str) -> None:
    with serving(authority, tmp_path, ahead_secs=ahead) as (address, _):
        ((text, remedy),) = patient.sends_to(address).known_as(joined(authority, address)).warnings("clock")
    assert f"this machine's clock is {way} that of `{address}`" in text
    assert "timedatectl set-ntp true" in remedy


def test_a_clock_that_makes_the_certificate_expire_is_named(patient: Patient, authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path, life=timedelta(minutes=-5), ahead_secs=-40 * 86_400) as (address, _):
        ((text, _),) = patient.sends_to(address).known_as(joined(authority, address)).warnings("clock")
    assert text.startswith("this machine's clock is 40 days ahead of")


def test_the_way_leads_through_a_proxy_as_the_agents_does(patient: Patient, server: RunningServer) -> None:
    address = f"http://logs.example.org:{server.port}"
    with HttpProxy(server.port, "secret", tunnels=False) as proxy:
        patient.environment["http_proxy"] = f"http://user:secret@127.0.0.1:{proxy.port}"
        patient.sends_to(address, AccessKeyId="id", AccessKeySecret="s")
        assert f"through the proxy `127.0.0.1:{proxy.port}`" in patient.said("connection", "ok")
        patient.environment["http_proxy"] = f"http://user:wrong@127.0.0.1:{proxy.port}"
        ((text, remedy),) = patient.warnings("connection")
    assert set(proxy.asked) == {f"GET http://demo.logs.example.org:{server.port}/healthz HTTP/1.1"}
    assert f"the proxy `127.0.0.1:{proxy.port}` does not lead to `{address}`: it answers 407" in text
    assert "with user and password" in remedy
    assert "wrong" not in text


def test_a_proxy_that_makes_no_tunnel_does_not_lead_to_a_port_with_tls(patient: Patient, authority: Authority, tmp_path: Path) -> None:
    with serving(authority, tmp_path, names=("logs.example.org",)) as (address, _):
        port = address.rpartition(":")[2]
        patient.sends_to(f"https://logs.example.org:{port}").known_as(joined(authority, f"https://logs.example.org:{port}"))
        with HttpProxy(int(port), tunnels=False) as proxy:
            (patient.home / "agent.yaml").write_text(f"https_proxy: http://127.0.0.1:{proxy.port}\n")
            ((text, remedy),) = patient.warnings("connection")
            proxy.tunnels = True
            assert f"through the proxy `127.0.0.1:{proxy.port}`" in patient.said("connection", "ok")
    assert "does not lead to" in text
    assert "403" in text
    assert "`no_proxy` names what is reached without it" in remedy

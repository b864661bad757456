"""The service's words to systemd, heard on a socket of the kind that systemd listens on."""

import os
import socket
from pathlib import Path

import pytest

from tailrace.agent.platform.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@tailrace-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0"))
        listening.settimeout(5)
        yield listening, name


def test_it_says_ready_and_stopping_and_feeds_the_watchdog(systemd):
    listening, name = systemd
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    notifier = Notifier(environment)
    assert environment == {"HOME": "/"}
    notifier.ready("collecting")
    notifier.alive()
    notifier.alive()
    notifier.stopping()
    notifier.close()
    assert [listening.recv(1000) for _ in range(3)] == [b"READY=1\nSTATUS=collecting", b"WATCHDOG=1", b"STOPPING=1\nSTATUS=stopping"]


def test_a_watchdog_that_is_meant_for_another_process_is_left_to_it(systemd):
    listening, name = systemd
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
    notifier.alive()
    notifier.status("well")
    notifier.close()
    assert listening.recv(1000) == b"STATUS=well"


def test_without_systemd_nothing_is_said(systemd):
    listening, _ = systemd
    listening.settimeout(0.05)
    notifier = Notifier({})
    notifier.ready("collecting")
    notifier.alive()
    with pytest.raises(TimeoutError):
        listening.recv(1000)

"""Certificates expire, and are of the wrong authority: no data goes out meanwhile, and all of it afterwards, once."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tailrace.agent.control.socket import ask
from tailrace.errors import TailraceError
from tests.faults.installation import Installation
from tests.faults.test_exactly_once import INDEX, PARSE
from tests.faults.tls_proxy import TlsProxy
from tests.faults.writer import line

TOTALS = "* | select count(1) as c, count(distinct n) as d, min(n) as low, max(n) as high from log"


class Encrypted:
    """A server, and an agent that reaches it only through TLS."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "logs" / "app.log"
        self.log.parent.mkdir()
        self.installation = Installation(folder / "home", str(self.log), [PARSE], proxy=partial(TlsProxy, directory=folder))
        self.proxy: TlsProxy = self.installation.proxy
        self.written = 0
        self.installation.start("server")
        self.installation.make_logstore(INDEX)

    def write(self, count: int) -> None:
        with self.log.open("ab") as out:
            out.write(b"".join(line(number) for number in range(self.written, self.written + count)))
        self.written += count

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"{self.proxy.seen}\n{self.installation.tail()}"
            time.sleep(0.1)

    def found(self) -> dict[str, str]:
        return self.installation.ask(TOTALS)[0]

    def says(self, *texts: str) -> bool:
        """Whether the agent has an alarm with all of these in it."""
        try:
            rows = ask(self.installation.home / "run", {"ask": "alarms"})
        except (TailraceError, OSError):
            return False  # it is still starting
        return any(row["state"] == "active" and all(text in str(row) for text in texts) for row in rows)


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Encrypted]:
    encrypted = Encrypted(tmp_path)
    yield encrypted
    encrypted.installation.stop()
    encrypted.proxy.stop()


WRONG = {
    "wrong authority": ("its certificate is of another authority", "enrol the agent again"),
    "expired": ("has expired", "check this machine's clock"),
}


@pytest.mark.timeout(200)
def test_no_data_goes_to_a_server_that_cannot_be_trusted_and_all_of_it_when_it_can(encrypted: Encrypted) -> None:
    """From the first start on, when it is to be asked where streams end, and in the midst of work."""
    proxy = encrypted.proxy
    for which in ("wrong authority", "good", "expired", "good", "wrong authority", "expired", "good"):
        proxy.show(which)
        before = proxy.seen.total()
        encrypted.write(500)
        if which == "good":
            encrypted.until(lambda: encrypted.found()["c"] == str(encrypted.written))
            continue
        kind = "SEND_DATA_FAIL_ALARM" if before else "CHECKPOINT_ALARM"
        if not before:
            encrypted.installation.start("agent")
        encrypted.until(lambda which=which, kind=kind: encrypted.says(kind, *WRONG[which]))
        assert proxy.seen.total() == before, "not one request went through"
    assert encrypted.found() == {"c": "3500", "d": "3500", "low": "0", "high": "3499"}

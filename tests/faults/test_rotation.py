"""Rotation in every style at full speed, while the agent is killed, stopped, and held back by a server that is away."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.installation import Installation
from tests.faults.test_exactly_once import INDEX, PARSE, must_be_there_once, wait_for
from tests.faults.writer import Rotator

STYLES = {
    "rename": ["rename"],
    "copytruncate": ["copytruncate"],
    "gzip": ["gzip"],
    "mixture": ["rename", "copytruncate", "gzip"],
}


@pytest.mark.timeout(200)
@pytest.mark.parametrize("style", ["copytruncate", "gzip"])
def test_rotation_torture_short_form(tmp_path: Path, style: str) -> None:
    verify_torture(tmp_path, STYLES[style], pattern="app.log*", events=15_000, seed=1)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(25))
def test_rotation_torture(tmp_path: Path, style: str, pattern: str, seed: int) -> None:
    verify_torture(tmp_path, STYLES[style], pattern=pattern, events=60_000, seed=seed)


def verify_torture(folder: Path, styles: list[str], *, pattern: str, events: int, seed: int) -> None:
    r = random.Random(seed)
    logs = folder / "logs"
    logs.mkdir()
    installation = Installation(folder / "home", str(logs / pattern), [PARSE])
    try:
        installation.start("server")
        installation.make_logstore(INDEX)
        installation.start("agent")
        writer = Rotator(logs / "app.log", events, styles, seed, 0.02)
        wait_for(installation, writer.FIRST)  # compressed files of a path where nothing was ever seen are left alone
        writer.start()
        while writer.is_alive():
            time.sleep(r.uniform(0.3, 1.5))
            victim = r.choice(["agent", "agent", "server"])
            installation.kill(victim)
            time.sleep(r.uniform(0.0, 1.0))
            installation.start(victim)
        wait_for(installation, events)
        must_be_there_once(installation, events)
    finally:
        installation.stop()

"""One first run for the tests that only look at it; a fresh one for those that stop or break it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.first_run import Up


@pytest.fixture(scope="session")
def app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "app.log"
    path.write_text("".join(f"history line {number}\n" for number in range(100)))
    return path


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, app_log: Path) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("installation") / "home", "--collect", str(app_log))
    up.start("--port", "0")
    yield up
    assert up.stop() == 0, up.shown

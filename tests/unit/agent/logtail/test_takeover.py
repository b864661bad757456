"""What taking over a Logtail does to a home."""

from pathlib import Path

import pytest

from tailrace.agent.logtail.remains import read_remains
from tailrace.agent.logtail.takeover import Takeover, plan
from tailrace.agent.platform import current
from tailrace.errors import BusyError
from tests.integration.agent.logtail import Logtail


@pytest.fixture
def logtail(tmp_path: Path) -> Path:
    """It has read a part of one file."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "a.log"
    log.write_text("one\ntwo\n")
    made = Logtail(tmp_path / "ilogtail")
    made.config("app", log.parent)
    made.has_read(log, 4)
    made.stop(cpu_usage_limit=0.6)
    return made.directory


def test_a_look_makes_no_home(tmp_path: Path, logtail: Path) -> None:
    home, remains = tmp_path / "home", read_remains(logtail)
    with Takeover(home, remains, write=False) as takeover:
        made = plan(remains, takeover.endpoint_of)
        rows = [*takeover.pipelines(made), *takeover.positions(made), *takeover.ids(), *takeover.settings()]
    assert [row.outcome for row in rows if row.what == "file"] == ["taken: goes on at 4 of 8 bytes (app)"]
    assert not home.exists()


def test_a_look_into_the_home_of_an_agent_that_runs_is_refused(tmp_path: Path, logtail: Path) -> None:
    (tmp_path / "home" / "agent").mkdir(parents=True)
    lock = current().own(tmp_path / "home" / "agent" / "lock")
    with pytest.raises(BusyError):
        Takeover(tmp_path / "home", read_remains(logtail), write=False)
    lock.release()

"""One-time runs on a disk that takes nothing: they wait for it, and nothing else does."""

import errno
from pathlib import Path

import pytest

from tailrace import telemetry
from tailrace.agent.jobs.jobs import Job, Jobs
from tailrace.errors import StateError
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.model import PipelineConfig


def pipeline(name: str, type_name: str = "input_static_file_onetime") -> PipelineConfig:
    inputs = [{"Type": type_name, "FilePaths": ["/var/log/a.log"]}]
    return from_document({"configName": name, "inputs": inputs, "flushers": [{"Type": "flusher_stdout"}]}, "p.yaml")


class FullDisk:
    """Takes no file as long as it is `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        replace = Path.replace

        def refuse(path: Path, target: Path) -> Path:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", refuse)


def test_a_run_that_cannot_be_made_durable_waits_and_begins_once(tmp_path, monkeypatch):
    disk, jobs = FullDisk(monkeypatch), Jobs(tmp_path)
    once, follows = pipeline("once"), pipeline("follows", "input_file")
    assert jobs.at_work([once, follows]) == [follows]
    assert (jobs.postponed, jobs.running) == ([once], [])
    assert telemetry.recent_alarms()[-1].kind == "LOAD_LOCAL_EVENT_ALARM"
    assert jobs.take_postponed() == []
    assert jobs.postponed == [once]
    disk.full = False
    (begun,) = jobs.take_postponed()
    assert (begun.name, jobs.postponed, [job.id for job in jobs.running]) == ("once", [], ["once"])
    assert [job.id for job in Jobs(tmp_path).running] == ["once"], "durable before it is at work"


def test_a_run_whose_end_cannot_be_noted_is_looked_at_again_by_the_next_start(tmp_path, monkeypatch):
    jobs = Jobs(tmp_path)
    jobs.add(Job("import-1", "import-1", "app", config="{}"))
    FullDisk(monkeypatch)
    with pytest.raises(StateError, match="no space left on device"):
        jobs.finish(jobs.all["import-1"], "done")
    assert [job.id for job in Jobs(tmp_path).running] == ["import-1"]


def test_an_import_that_cannot_be_noted_is_refused(tmp_path, monkeypatch):
    jobs = Jobs(tmp_path)
    FullDisk(monkeypatch)
    with pytest.raises(StateError):
        jobs.add(Job("import-1", "import-1", "app", config="{}"))
    assert jobs.all == {}

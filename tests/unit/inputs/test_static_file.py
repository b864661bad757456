"""A run over files that stand there, with a lane that remembers instead of sending."""

import gzip
import os
import time

import pytest

from tailrace.batch import fingerprint
from tailrace.inputs.file.generation import stream_key
from tailrace.inputs.static_file import plugin
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.plugin import InputStaticFileOnetime
from tailrace.pipeline.platform import FileIdentity
from tailrace.wire.identity import StoredEnd
from tests.unit.inputs.file.following import RememberingLane, wait_for


class Lane(RememberingLane):
    """Its platform cannot open some files for now."""

    def __init__(self, refused: dict[str, int]):
        super().__init__()
        open_file = self.platform.open_file

        def refusing(path, *, beneath="/"):
            if number := refused.get(os.path.basename(path)):
                raise OSError(number, os.strerror(number), path)
            return open_file(path, beneath=beneath)

        self.platform.open_file = refusing


@pytest.fixture
def run(tmp_path):
    begun = []

    def start(lane, **options):
        begun.append(InputStaticFileOnetime(StaticFileConfig.model_validate({"FilePaths": [f"{tmp_path}/*.log"], **options})))
        begun[-1].start(lane)
        return begun[-1]

    yield start
    for one in begun:
        one.stop(time.monotonic() + 5)


def contents(lane):
    return [event["content"] for event in lane.events]


@pytest.mark.parametrize("error", plugin.MAY_PASS)
def test_a_file_that_cannot_be_opened_now_is_read_later(run, tmp_path, monkeypatch, error):
    monkeypatch.setattr(plugin, "RETRY_SECS", 0.05)
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_text(f"{name}\n")
    refused = {"a.log": error}
    lane = Lane(refused)
    one = run(lane)
    wait_for(lambda: contents(lane) == ["b"])
    assert not one.drained
    refused.clear()
    wait_for(lambda: one.drained)
    assert contents(lane) == ["b", "a"]
    assert [kind for kind, _ in lane.alarms] == ["OPEN_LOGFILE_FAIL_ALARM"]
    assert one.progress().missed == 0


def test_it_is_given_up_in_the_end_and_counted(run, tmp_path, monkeypatch):
    monkeypatch.setattr(plugin, "RETRY_SECS", 0.05)
    monkeypatch.setattr(plugin, "PATIENCE_SECS", 0.2)
    (tmp_path / "a.log").write_text("a\n")
    lane = Lane({"a.log": plugin.errno.EACCES})
    one = run(lane)
    wait_for(lambda: one.drained)
    assert one.progress().missed == lane.counts["files_not_read_to_their_end"] == 1


def test_what_stands_before_a_record_that_is_too_long_comes_first(run, tmp_path):
    (tmp_path / "a.log").write_text("first\n" + "x" * 1_200_000 + "\nlast\n")
    lane = RememberingLane()
    one = run(lane)
    wait_for(lambda: one.drained)
    assert (contents(lane)[0], contents(lane)[-1]) == ("first", "last")
    assert "".join(contents(lane)[1:-1]).count("x") >= 1_000_000
    assert lane.ranges[-1][1].end == (tmp_path / "a.log").stat().st_size


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(("had", "read"), [(b"one\ntwo\n", ["three"]), (b"one\nTWO\n", ["one", "two", "three"])])
def test_it_goes_on_at_the_stored_end_where_the_file_is_what_the_server_has(run, tmp_path, had, read, pack):
    path, lane = tmp_path / "a.log", RememberingLane()
    path.write_bytes(pack(b"one\ntwo\nthree\n"))
    status = path.stat()
    key = stream_key(FileIdentity(status.st_dev, status.st_ino, lane.platform.born_at(str(path))))
    lane.stored[key] = StoredEnd(8, 4, fingerprint(had[4:]))
    one = run(lane)
    wait_for(lambda: one.drained)
    assert contents(lane) == read
    assert one.progress().missed == 0

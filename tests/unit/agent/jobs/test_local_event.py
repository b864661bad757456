"""`local_event.json`: what of it is taken out, and what stays."""

import json

import pytest

from tailrace.agent.jobs.local_event import LocalEvents
from tailrace.errors import ConfigErrors
from tailrace.pipeline.loading import load_text


def entry(name):
    return {"config": "##1.0##test$app", "dir": "/srv/history", "name": name}


@pytest.fixture
def events(tmp_path):
    found = LocalEvents(tmp_path)
    found.path.write_text(json.dumps([entry("a.log"), entry("b.log")]))
    return found


def test_what_was_taken_on_is_taken_out(events):
    events.requests()
    events.settle([])
    assert events.path.read_text() == ""


def test_what_was_refused_stays_and_is_tried_again_at_the_next_start_only(events, tmp_path):
    events.settle(events.requests()[1:])
    assert events.requests() == []
    assert json.loads(events.path.read_text()) == [entry("b.log")]
    (again,) = LocalEvents(tmp_path).requests()
    assert (again.paths, again.pipeline) == (["/srv/history/b.log"], "app")


def test_what_is_written_while_files_are_taken_on_is_not_lost(events):
    events.requests()
    events.path.write_text(json.dumps([entry("c.log")]))
    events.settle([])
    assert [one.paths for one in events.requests()] == [["/srv/history/c.log"]]


def test_a_pipeline_cannot_both_follow_files_and_read_files_once():
    inputs = [{"Type": kind, "FilePaths": ["/srv/*.log"]} for kind in ("input_file", "input_static_file_onetime")]
    with pytest.raises(ConfigErrors, match="holds inputs that follow files and inputs that read files once"):
        load_text(json.dumps({"inputs": inputs, "flushers": [{"Type": "flusher_stdout"}]}), "app.json")

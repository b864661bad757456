"""Whose history a path is."""

import json

import pytest

from tailrace.agent.jobs.importing import Request, job_of, names_any
from tailrace.errors import UsageError
from tailrace.pipeline.loading import load_text


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/var/log/a/x.log", True),
        ("/var/log/a/x.log.2.gz", True),
        ("/var/log/a/x-20261101.log", True),
        ("/var/log/a/sub/x.log", False),
        ("/var/log/a/x.txt", False),
        ("/var/log/a/debug.log", False),
    ],
)
def test_a_pipeline_names_what_its_input_would_follow_and_what_rotation_made_of_it(path: str, named: bool) -> None:
    source = {"Type": "input_file", "FilePaths": ["/var/log/a/*.log"], "ExcludeFiles": ["debug*", "*.gz"]}
    pipeline = load_text(json.dumps({"inputs": [source], "flushers": [{"Type": "flusher_stdout"}]}), "app.json")
    assert names_any(pipeline, [path]) is named


@pytest.mark.parametrize("is_ours", [True, False])
def test_only_the_machines_own_people_hear_what_other_pipelines_there_are(is_ours: bool) -> None:
    document = {
        "configName": "payroll@hr",
        "inputs": [{"Type": "input_file", "FilePaths": ["/srv/*.log"]}],
        "flushers": [{"Type": "flusher_stdout"}],
    }
    pipelines = [load_text(json.dumps(document), "hr.json")]
    with pytest.raises(UsageError) as raised:
        job_of(Request(["/srv/a.log"], "shop@web", is_ours=is_ours), pipelines)
    told = f"{raised.value.message} {raised.value.hint}"
    assert ("shop@web" in told, pipelines[0].name in told) == (True, is_ours)


def test_without_a_pipeline_nobody_knows_where_the_events_go() -> None:
    with pytest.raises(UsageError, match="no pipeline here collects files"):
        job_of(Request(["/srv/a.log"]), [])

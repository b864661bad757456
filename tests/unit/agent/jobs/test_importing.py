"""Whose history a path is."""

import json

import pytest

from tailrace.agent.jobs.importing import names_any
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

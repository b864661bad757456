"""Why a file is collected, or is not."""

import gzip
import json

import pytest

from tailrace.agent.doctor import examine_file
from tailrace.pipeline.loading import load_text
from tailrace.pipeline.platform import Reach


def pipeline(name, *paths, **options):
    source = {"Type": "input_file", "FilePaths": list(paths), **options}
    return load_text(json.dumps({"configName": name, "inputs": [source], "flushers": [{"Type": "flusher_stdout"}]}), f"{name}.json")


@pytest.fixture
def log(tmp_path):
    (tmp_path / "app" / "deep").mkdir(parents=True)
    path = tmp_path / "app" / "deep" / "a.log"
    path.write_text("one\n")
    return path


def said(log, *pipelines, reach=None, seen=(), level=None):
    findings = examine_file(str(log), pipelines, reach or Reach(), seen)
    return [finding.text for finding in findings if level in (None, finding.level)]


ROW = {"last_error": "", "stream": "S", "read": 4, "size": 4, "committed": 4}


def test_a_file_that_is_read_shows_how_far(log):
    found = said(log, pipeline("app", f"{log.parent}/*.log"), seen=[ROW])
    assert found == [
        "it can be read and has 4 bytes",
        "it belongs to the pipeline `app`",
        "the agent has read 4 of 4 bytes, 4 are acknowledged",
    ]
    assert said(log, pipeline("app", f"{log.parent}/*.log"), seen=[ROW], level="warning") == []


@pytest.mark.parametrize(
    ("paths", "options", "why"),
    [
        (["{root}/app/*.log"], {}, "1 directories too deep for `{root}/app/*.log`: it has no `**`"),
        (["{root}/**/*.log"], {"MaxDirSearchDepth": 1}, "2 directories too deep for `{root}/**/*.log`: `MaxDirSearchDepth` is 1"),
        (["{root}/app/deep/*.txt"], {}, "its name does not fit"),
        (["/srv/*.log"], {}, "it does not lie below `/srv`"),
        (["{root}/app/deep/*.log"], {"ExcludeFiles": ["b.*", "a.*"]}, "`ExcludeFiles` takes it out: `a.*`"),
        (["{root}/app/deep/*.log"], {"ExcludeFilePaths": ["{root}/app/**/a.log"]}, "`ExcludeFilePaths` takes it out"),
        (["{root}/app/*/*.log"], {"ExcludeDirs": ["{root}/app/deep"]}, "`ExcludeDirs` takes its directory out"),
    ],
)
def test_a_pipeline_that_does_not_collect_it_says_why(log, tmp_path, paths, options, why):
    put_in = json.loads(json.dumps([paths, options]).replace("{root}", str(tmp_path)))
    found = said(log, pipeline("app", *put_in[0], **put_in[1]))
    assert any(why.replace("{root}", str(tmp_path)) in text for text in found), found
    assert "no pipeline names it" in found


def test_the_pipeline_that_names_it_best_has_it(log, tmp_path):
    found = said(log, pipeline("a", f"{tmp_path}/**/*.log", MaxDirSearchDepth=5), pipeline("b", str(log)))
    assert "it belongs to the pipeline `b`" in found
    assert "pipeline `a`: does not read it, it names it less well than `b`" in found


def test_each_pipeline_that_shares_a_file_is_named(log, tmp_path):
    wide = {"MaxDirSearchDepth": 5}
    sharing = pipeline("a", f"{tmp_path}/**/*.log", AllowingIncludedByMultiConfigs=True, **wide)
    found = said(log, sharing, pipeline("c", f"{tmp_path}/**/*.log", **wide), pipeline("b", str(log)))
    assert "pipeline `a`: reads it, too (`AllowingIncludedByMultiConfigs`)" in found
    assert "pipeline `c`: does not read it, it names it less well than `b`" in found


def test_what_stands_there_unchanged_waits(log):
    assert "stood there before its pipeline arrived" in said(log, pipeline("app", str(log)), level="info")[0]
    assert said(log, pipeline("app", str(log)), level="warning") == []
    assert said(log, pipeline("app", str(log)), seen=None, level="warning") == ["no agent runs on this home"]


def test_the_file_itself_may_be_the_reason(log, tmp_path):
    app = pipeline("app", f"{log.parent}/*")
    log.write_bytes(gzip.compress(b"one\n"))
    assert "it is compressed" in said(log, app, seen=[ROW], level="warning")[0]
    log.write_bytes(b"")
    assert "it is empty" in said(log, app, seen=[ROW], level="info")[0]
    assert said(log, app, seen=[ROW], level="warning") == []
    assert "policy forbids" in said(log, app, reach=Reach(roots=("/srv",)), seen=[ROW], level="warning")[0]
    assert "no such file" in said(log.with_name("none"), app, seen=[ROW], level="warning")[0]
    assert said(log.parent, app, level="warning")[0] == "it is no regular file"


def test_without_any_pipeline_it_says_so_and_where_they_may_lie(log):
    (finding,) = [one for one in examine_file(str(log), [], Reach(), None) if one.level == "warning"]
    assert finding.text == "there is no pipeline that could name it"
    assert "--pipelines" in finding.remedy

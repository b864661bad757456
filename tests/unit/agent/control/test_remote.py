"""Configs that servers gave: what is to run, through changes that fail, restarts and damage."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace import telemetry
from tailrace.agent.control.remote import RemoteConfigs
from tailrace.pipeline.loading import from_document
from tailrace.wire.control import DELETED, ConfigDetail, ConfigStatus

SERVER, NAME = "s1", "shop@app"


def detail(depth: int) -> bytes:
    source = {"Type": "input_file", "FilePaths": ["/var/log/*.log"], "MaxDirSearchDepth": depth}
    return from_document({"inputs": [source], "flushers": [{"Type": "flusher_stdout"}]}, NAME).canonical().encode()


def update(version: int, name: str = NAME) -> ConfigDetail:
    return ConfigDetail(name, version, detail(version % 1000))


def depths(configs: RemoteConfigs) -> list[int]:
    """What is to run, told by the one option that differs."""
    return [json.loads(one.canonical())["inputs"][0]["MaxDirSearchDepth"] for one in configs.pipelines()]


def tried(configs: RemoteConfigs) -> list[str]:
    return [one.name for one in configs.trying()]


def outcome(configs: RemoteConfigs, failure: str) -> bool:
    (one,) = configs.trying()
    return configs.outcome(one, failure)


def runs(_pipeline: str) -> str:
    """What is at work runs."""
    return ""


@pytest.fixture
def configs(tmp_path: Path) -> RemoteConfigs:
    return RemoteConfigs(tmp_path)


def test_a_new_config_is_tried_and_then_runs(configs: RemoteConfigs, tmp_path: Path) -> None:
    assert configs.take(SERVER, [update(1)])
    assert (depths(configs), tried(configs)) == ([1], [NAME])
    assert configs.infos(SERVER, runs)[0].status == ConfigStatus.APPLYING
    assert not outcome(configs, "")
    for each in (configs, RemoteConfigs(tmp_path)):
        (info,) = each.infos(SERVER, runs)
        assert (info.version, info.status, depths(each), tried(each)) == (1, ConfigStatus.APPLIED, [1], [])


def test_a_version_that_cannot_run_makes_way_for_the_one_before(configs: RemoteConfigs, tmp_path: Path) -> None:
    configs.take(SERVER, [update(1)])
    outcome(configs, "")
    configs.take(SERVER, [update(2)])
    assert depths(configs) == [2]
    assert outcome(configs, "no such directory")
    for each in (configs, RemoteConfigs(tmp_path)):
        (info,) = each.infos(SERVER, runs)
        assert (info.version, info.status, info.message) == (2, ConfigStatus.FAILED, "no such directory")
        assert (info.extra, depths(each)) == ({"running": b"1"}, [1])
    [alarm] = [one for one in telemetry.recent_alarms() if one.kind == "CONFIG_UPDATE_ALARM" and one.state == "active"]
    assert (alarm.values["pipeline"], alarm.values["reason"]) == (NAME, "no such directory")
    configs.take(SERVER, [update(3)])
    outcome(configs, "")
    assert "CONFIG_UPDATE_ALARM" not in [one.kind for one in telemetry.recent_alarms() if one.state == "active"]


def test_it_is_applied_only_while_it_really_runs(configs: RemoteConfigs, tmp_path: Path) -> None:
    configs.take(SERVER, [update(1)])
    outcome(configs, "")
    for known, status in ((None, ConfigStatus.APPLYING), ("the disk is full", ConfigStatus.FAILED), ("", ConfigStatus.APPLIED)):
        (info,) = RemoteConfigs(tmp_path).infos(SERVER, lambda _, known=known: known)
        assert (info.version, info.status, info.message) == (1, status, known or "")


def test_what_failed_is_tried_again_ever_later_until_it_runs(tmp_path: Path) -> None:
    now = 0.0
    configs = RemoteConfigs(tmp_path, lambda: now)
    configs.take(SERVER, [update(1)])
    outcome(configs, "")
    configs.take(SERVER, [update(2)])
    outcome(configs, "broken")
    configs.retry(runs)
    tried_at: list[float] = []
    while len(tried_at) < 9:
        now += 10.0
        if configs.retry(runs):
            tried_at.append(now)
            assert (depths(configs), configs.infos(SERVER, runs)[0].status) == ([2], ConfigStatus.FAILED)
            outcome(configs, "broken")
            assert depths(configs) == [1]
    assert [after - before for before, after in itertools.pairwise(tried_at)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    now += 3600
    assert configs.retry(runs)
    outcome(configs, "")
    now += 10_000
    assert (configs.infos(SERVER, runs)[0].status, configs.retry(runs)) == (ConfigStatus.APPLIED, False)


def test_what_does_not_run_any_more_is_tried_again_too(tmp_path: Path) -> None:
    now = 0.0
    configs = RemoteConfigs(tmp_path, lambda: now)
    configs.take(SERVER, [update(1)])
    outcome(configs, "")
    assert not configs.retry(lambda _: "it crashed")
    now = 31.0
    assert configs.retry(lambda _: "it crashed")


def test_a_failure_that_an_older_release_kept_is_sent_again(configs: RemoteConfigs, tmp_path: Path) -> None:
    configs.take(SERVER, [update(1)])
    outcome(configs, "")
    configs.take(SERVER, [update(2)])
    outcome(configs, "broken")
    (path,) = (tmp_path / "agent" / "configs").iterdir()
    kept = {key: value for key, value in json.loads(path.read_text()).items() if key != "refused"}
    path.write_text(json.dumps({**kept, "format": 1}))
    again = RemoteConfigs(tmp_path)
    assert (again.infos(SERVER, runs)[0].version, depths(again)) == (1, [1])
    assert again.take(SERVER, [update(2)])


def test_a_version_that_is_no_pipeline_is_never_tried(configs: RemoteConfigs) -> None:
    assert not configs.take(SERVER, [ConfigDetail(NAME, 7, b'{"inputs": []}')])
    (info,) = configs.infos(SERVER, runs)
    assert (info.version, info.status, configs.pipelines()) == (7, ConfigStatus.FAILED, [])
    assert "flusher" in info.message


def test_going_back_to_what_runs_anyway_changes_nothing(configs: RemoteConfigs) -> None:
    configs.take(SERVER, [update(1)])
    outcome(configs, "")
    configs.take(SERVER, [update(2)])
    outcome(configs, "broken")
    assert not configs.take(SERVER, [update(1001)])
    assert configs.infos(SERVER, runs)[0].version == 1001


def test_what_is_deleted_is_gone_after_a_restart_too(configs: RemoteConfigs, tmp_path: Path) -> None:
    configs.take(SERVER, [update(1)])
    assert configs.take(SERVER, [ConfigDetail(NAME, DELETED)])
    assert not configs.take(SERVER, [ConfigDetail(NAME, DELETED)])
    assert (configs.pipelines(), RemoteConfigs(tmp_path).pipelines()) == ([], [])


def test_servers_do_not_reach_each_others_configs(configs: RemoteConfigs) -> None:
    configs.take(SERVER, [update(1)])
    configs.take("s2", [ConfigDetail(NAME, DELETED)])
    assert (len(configs.pipelines()), configs.infos("s2", runs)) == (1, [])
    assert configs.forget_servers(["s2"])
    assert configs.pipelines() == []


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"format": 9}', b"\xff\xfe"], ids=["empty", "no keys", "list", "newer", "binary"])
def test_a_damaged_copy_is_asked_for_again(configs: RemoteConfigs, tmp_path: Path, damage: bytes) -> None:
    configs.take(SERVER, [update(1)])
    (path,) = (tmp_path / "agent" / "configs").iterdir()
    path.write_bytes(damage)
    assert RemoteConfigs(tmp_path).infos(SERVER, runs) == []


def test_a_name_is_never_a_path(configs: RemoteConfigs, tmp_path: Path) -> None:
    configs.take(SERVER, [update(1, "../../../etc/cron.d/evil")])
    (path,) = (tmp_path / "agent" / "configs").iterdir()
    assert path.name.removesuffix(".json").isalnum()
    assert path.stat().st_mode & 0o777 == 0o600


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=8))
def test_what_runs_is_always_the_last_version_that_could(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]) -> None:
    configs, last = RemoteConfigs(tmp_path_factory.mktemp("home")), 0
    for version, works in steps:
        configs.take(SERVER, [update(version)])
        if configs.trying():
            outcome(configs, "" if works else "broken")
            last = version if works else last
        assert depths(configs) == ([last] if last else [])

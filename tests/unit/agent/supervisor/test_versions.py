"""Which worker runs: the current version, changed in one step, and never one that does not pass its own test."""

from pathlib import Path

import pytest

from tailrace.agent.supervisor.versions import OWN_WORKER, Versions
from tailrace.errors import StateError


def install(root: Path, version: str, *, passes: bool = True) -> Path:
    worker = root / "versions" / version / "bin" / "tailrace-worker"
    worker.parent.mkdir(parents=True)
    worker.write_text("#!/bin/sh\n" + ("exit 0\n" if passes else "echo it does not work here >&2; exit 1\n"))
    worker.chmod(0o755)
    return worker


def test_without_a_layout_the_supervisors_own_worker_runs(tmp_path: Path):
    assert Versions(tmp_path).command() == OWN_WORKER
    assert (Versions(tmp_path).current, Versions(tmp_path).last_good, Versions(tmp_path).fall_back()) == ("", "", "")


def test_the_current_version_is_what_the_link_names(tmp_path: Path):
    one, two = install(tmp_path, "1.0"), install(tmp_path, "2.0")
    versions = Versions(tmp_path)
    versions.switch("1.0")
    assert versions.command() == (str(one),)
    versions.switch("2.0")
    assert versions.command() == (str(two),)
    assert (tmp_path / "current").readlink() == Path("versions/2.0")


def test_a_version_that_does_not_pass_its_own_test_never_becomes_current(tmp_path: Path):
    install(tmp_path, "1.0")
    install(tmp_path, "2.0", passes=False)
    versions = Versions(tmp_path)
    versions.switch("1.0")
    with pytest.raises(StateError, match="it does not work here"):
        versions.switch("2.0")
    with pytest.raises(StateError, match="is missing"):
        versions.switch("3.0")
    assert versions.current == "1.0"


def test_one_that_keeps_dying_is_left_for_the_last_good_one(tmp_path: Path):
    install(tmp_path, "1.0")
    install(tmp_path, "2.0")
    versions = Versions(tmp_path)
    versions.switch("1.0")
    versions.became_good()
    assert versions.fall_back() == ""
    versions.switch("2.0")
    assert versions.fall_back() == "1.0"
    assert (versions.current, versions.last_good) == ("1.0", "1.0")

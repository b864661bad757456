"""Small files that are replaced as a whole: private, and durable with their names."""

import os
import stat
from pathlib import Path

import pytest

from tailrace.agent.supervisor import quarantine
from tailrace.agent.supervisor.quarantine import Quarantine
from tailrace.journal import write_private


def test_private_files_are_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "admin.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    other = tmp_path / "other"
    other.write_text("untouched")
    (tmp_path / "agent.json.tmp").symlink_to(other)
    write_private(path, "whole")
    assert (path.read_text(), other.read_text()) == ("whole", "untouched")


WRITERS = {
    "a file": lambda home: write_private(home / "agent" / "x.json", "{}"),
    "what is set aside": lambda home: quarantine.save(Quarantine(), home),
}


@pytest.mark.parametrize("what", WRITERS)
def test_bytes_are_synced_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """In the order in which a power cut would miss them."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    WRITERS[what](tmp_path)
    assert steps[-3:] == ["file", "rename", "directory"]

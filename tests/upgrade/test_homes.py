"""A home of every release opens with this one: its logs are found, and new ones join them."""

import json
import socket
import tarfile
from pathlib import Path

import pytest

from tailrace import __version__
from tests.e2e.first_run import Up

HOMES = sorted((Path(__file__).parent / "homes").glob("*.tar.gz"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unpacked(archive: Path, directory: Path) -> Path:
    """The stored home, moved to a port that is free here."""
    with tarfile.open(archive) as stored:
        stored.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has no filters
        stored.extractall(directory)
    path = directory / "home" / "home.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "port": free_port()}))
    return directory / "home"


def test_this_release_has_a_stored_home():
    assert f"{__version__}.tar.gz" in [home.name for home in HOMES]


@pytest.mark.parametrize("archive", [pytest.param(home, id=home.name.removesuffix(".tar.gz")) for home in HOMES])
def test_a_stored_home_keeps_its_logs_and_takes_new_ones(archive: Path, tmp_path: Path):
    release = archive.name.removesuffix(".tar.gz")
    log = tmp_path / "new.log"
    log.write_text("written after the upgrade\n")
    up = Up(unpacked(archive, tmp_path), "--collect", str(log)).start()
    try:
        up.wait_until_found("upgrade", 1, 30)
        old = up.contents("release", since="3650d")
        assert sorted(old) == sorted(f"line {number} of release {release}" for number in range(50))
    finally:
        assert up.stop() == 0

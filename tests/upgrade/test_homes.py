"""A home of every release, left by a crash, opens with this one: each log is there once, and its streams go on."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tailrace import __version__
from tests.e2e.first_run import Up
from tests.upgrade.moved import unpacked

HOMES = sorted((Path(__file__).parent / "homes").glob("*.tar.gz"))


def streams(home: Path) -> dict[str, int]:
    """Of files, by id: up to where they are acknowledged. Nothing may be prepared."""
    with closing(sqlite3.connect(home / "agent" / "checkpoint.db")) as checkpoint:
        assert checkpoint.execute("SELECT count(*) FROM ranges").fetchone() == (0,)
        rows = checkpoint.execute("SELECT id, committed FROM streams WHERE key NOT LIKE 'scanned:%'")
        return {id_: json.loads(committed)["offset"] for id_, committed in rows}


def prepared(home: Path) -> tuple[str, int]:
    """The one stream with prepared ranges, and how many."""
    with closing(sqlite3.connect(home / "agent" / "checkpoint.db")) as checkpoint:
        (found,) = checkpoint.execute("SELECT stream, count(*) FROM ranges GROUP BY stream").fetchall()
        return found


def test_this_release_has_a_stored_home():
    assert f"{__version__}.tar.gz" in [home.name for home in HOMES]


@pytest.mark.parametrize("archive", [pytest.param(home, id=home.name.removesuffix(".tar.gz")) for home in HOMES])
def test_a_crashed_home_has_every_log_once_and_its_stream_goes_on(archive: Path, tmp_path: Path):
    release = archive.name.removesuffix(".tar.gz")
    home = unpacked(archive, tmp_path)
    stream, ranges = prepared(home)
    assert ranges >= 2
    log = tmp_path / "app.log"
    with log.open("a") as file:
        file.write("written after the upgrade\n")
    up = Up(home).start()
    try:
        up.wait_until_found("upgrade", 1, 30)
        up.wait_until_found("release", 70, 30, since="3650d")
        old = up.contents("release", since="3650d")
        assert sorted(old) == sorted(f"line {number} of release {release}" for number in range(70))
        assert up.contents("upgrade") == ["written after the upgrade"]
    finally:
        assert up.stop() == 0
    assert streams(home) == {stream: log.stat().st_size}

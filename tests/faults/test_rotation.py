"""Rotation in every style at full speed, while the agent is killed, stopped, and held back by a server that is away."""

import contextlib
import itertools
import json
import random
import sqlite3
import time
from pathlib import Path

import pytest

from tests.faults.installation import Installation
from tests.faults.test_exactly_once import INDEX, PARSE
from tests.faults.writer import Rotator, line

STYLES = {
    "rename": ["rename"],
    "dated": ["dated"],
    "copytruncate": ["copytruncate"],
    "gzip": ["gzip"],
    "delete": ["delete"],
    "mixture": ["rename", "copytruncate", "gzip", "delete", "dated"],
}
STOPPED_SECS = (0.0, 0.1, 0.5, 1.0, 3.0)
"""So long what was killed is away."""
BY_PACK = """* | select "__tag__:__pack_id__" as pack, min(n) as low, max(n) as high, count(1) as c, count(distinct n) as d
from log group by pack limit 100000"""


@pytest.mark.timeout(200)
@pytest.mark.parametrize("style", ["copytruncate", "mixture"])
def test_rotation_torture_short_form(tmp_path: Path, style: str) -> None:
    verify_torture(tmp_path, STYLES[style], pattern="app.log*", events=15_000, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(20))
def test_rotation_torture(tmp_path: Path, style: str, pattern: str, seed: int) -> None:
    verify_torture(tmp_path, STYLES[style], pattern=pattern, events=60_000, seed=seed)


def verify_torture(folder: Path, styles: list[str], *, pattern: str, events: int, seed: int) -> None:
    """0 lost, 0 twice, 0 torn, in order. Only what was deleted may be missing, and the agent has counted it to the byte."""
    r = random.Random(seed)
    logs = folder / "logs"
    logs.mkdir()
    installation = Installation(folder / "home", str(logs / pattern), [PARSE])
    try:
        installation.start("server")
        installation.make_logstore(INDEX)
        installation.start("agent")
        writer = Rotator(logs / "app.log", events, styles, seed, 0.02)
        wait_for_all_but(installation, writer.FIRST, set())  # compressed files of a path where nothing was ever seen are left alone
        writer.start()
        lives = 1
        while writer.is_alive():
            time.sleep(r.uniform(0.3, 1.5))
            victim = r.choice(["agent", "agent", "server"])
            with writer.watched if victim == "agent" else contextlib.nullcontext():
                installation.kill(victim)
                time.sleep(r.choice(STOPPED_SECS))
                installation.start(victim)
                if victim == "agent":
                    lives += 1
                    installation.wait_until_at_work(lives)
                if victim == "agent" and "delete" in styles:
                    time.sleep(Rotator.DELETE_AFTER_SECS)  # it has seen what is there
        missing = wait_for_all_but(installation, events, writer.deleted)
        time.sleep(2)  # a repeat that comes late must be seen
        packs = installation.ask(BY_PACK)
        assert sum(int(pack["c"]) for pack in packs) == sum(int(pack["d"]) for pack in packs) == events - len(missing)
        must_be_in_order(packs)
        must_be_whole(installation)
        installation.kill("agent")
        assert unread_bytes_deleted(installation) == sum(len(line(number)) for number in missing)
    finally:
        installation.stop()


def wait_for_all_but(installation: Installation, events: int, deleted: set[int], seconds: float = 400) -> set[int]:
    """The lines that did not arrive: none but those that were deleted."""
    deadline = time.monotonic() + seconds
    while True:
        missing = set(range(events))
        for pack in installation.ask(BY_PACK):
            missing.difference_update(range(int(pack["low"]), int(pack["high"]) + 1))
        if missing <= deleted:
            return missing
        assert time.monotonic() < deadline, (
            f"{len(missing - deleted)} lines are missing: {sorted(missing - deleted)[:5]}\n{installation.tail()}"
        )
        time.sleep(1)


def must_be_in_order(packs: list[dict[str, str]]) -> None:
    """A pack holds neighbouring lines, and the packs of a stream, by their sequence, one after the other."""
    assert [pack for pack in packs if int(pack["high"]) - int(pack["low"]) + 1 != int(pack["c"])] == []
    streams: dict[str, list[tuple[int, int, int]]] = {}
    for pack in packs:
        stream, _, sequence = pack["pack"].partition("-")
        streams.setdefault(stream, []).append((int(sequence, 16), int(pack["low"]), int(pack["high"])))
    for ranges in streams.values():
        wrong = [(one, two) for one, two in itertools.pairwise(sorted(ranges)) if one[2] >= two[1]]
        assert wrong == []


def must_be_whole(installation: Installation) -> None:
    for row in installation.ask("* | select n, payload, sum from log where n % 97 = 0 limit 2000"):
        whole = line(int(row["n"])).decode().strip()
        assert whole.endswith(f"payload={row['payload']} sum={row['sum']}"), f"torn: {row}"


def unread_bytes_deleted(installation: Installation) -> int:
    """The durable count of an agent that is down."""
    with contextlib.closing(sqlite3.connect(installation.home / "agent" / "checkpoint.db")) as database:
        notes = database.execute("SELECT CASE next WHEN '' THEN committed ELSE next END FROM streams WHERE key LIKE 'lost:%'").fetchall()
    return sum(json.loads(text)["unread_bytes_deleted"] for (text,) in notes)

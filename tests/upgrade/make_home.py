"""Stores a small home of the present release: `python -m tests.upgrade.make_home`, once per release, writes `homes/<version>.tar.gz`.

It is left as a crash leaves it, and its log file lies beside it: the first lines are in the engine, the next ones in the server's journal
only, where the agent was not told of it, the last ones were never sent. Its keys were made for it and open nothing else; its logs are kept
for ever, so that they are there whenever the test runs.
"""

import json
import os
import shutil
import signal
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from aliyun.log import LogClient

from tailrace import __version__
from tailrace.agent.checkpoint.database import Database
from tailrace.journal import Journal
from tailrace.server.store import records
from tests.e2e.first_run import Up

HOMES = Path(__file__).parent / "homes"
STORED, JOURNALLED, PREPARED = range(50), range(50, 60), range(60, 70)
NOT_STORED = {"logs", "run"}
FOR_EVER_DAYS = 3650


def lines(numbers: range) -> str:
    return "".join(f"line {number} of release {__version__}\n" for number in numbers)


def keep_for_ever(up: Up) -> None:
    key = up.secret("cli.json")
    os.environ["http_proxy"] = key["endpoint"]
    client = LogClient(key["endpoint"], key["key_id"], key["key_secret"])
    client.update_logstore(key["project"], key["logstore"], ttl=FOR_EVER_DAYS)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0)


def grown(path: Path, size: int) -> Callable[[], bool]:
    return lambda: path.stat().st_size > size


def family(home: Path, name: str) -> list[psutil.Process]:
    """A process of the home, and what it has started. Looked up beforehand: the kill has to come within a millisecond."""
    process = psutil.Process(json.loads((home / "run" / f"{name}.json").read_text())["pid"])
    return [process, *process.children(recursive=True)]


def kill(processes: list[psutil.Process]) -> None:
    for one in processes:
        os.kill(one.pid, signal.SIGKILL)
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes))


def crash(up: Up, home: Path, log: Path) -> None:
    """Server first, as soon as a request is in its journal; then the agent, which has read on."""
    server, agent = family(home, "server"), family(home, "agent")
    (segment,) = (home / "server" / "journal").glob("*.seg")
    changes = home / "agent" / "checkpoint.db-wal"
    time.sleep(2)  # until nothing is under way
    os.kill(up.pid, signal.SIGSTOP)  # it would start them again
    size = segment.stat().st_size
    with log.open("a") as file:
        file.write(lines(JOURNALLED))
    until(grown(segment, size))
    kill(server)
    size = changes.stat().st_size
    with log.open("a") as file:
        file.write(lines(PREPARED))
    until(grown(changes, size))
    time.sleep(1)
    kill(agent)
    os.kill(up.pid, signal.SIGKILL)
    up.ended()


def check(home: Path, log: Path) -> None:
    """That the crash came in time: what is journalled is neither sealed nor acknowledged, what was read is prepared."""
    checkpoint = Database(home / "agent" / "checkpoint.db")
    ((_, ranges),) = checkpoint.load().ranges.items()
    checkpoint.close()
    stored, journalled = len(lines(STORED)), len(lines(JOURNALLED))
    assert (ranges[0].start, ranges[-1].end) == (stored, log.stat().st_size), ranges
    assert stored + journalled in [one.start for one in ranges], ranges
    journal = Journal(home / "server" / "journal")
    found = [(record.id, records.decode(record)) for record in journal.read()]
    journal.close()
    requests = [(id_, record) for id_, record in found if isinstance(record, records.RequestRecord)]
    sealed = max(record.last for _, record in found if isinstance(record, records.SealRecord))
    assert [[one.end for one in record.packages] for id_, record in requests if id_ > sealed] == [[stored + journalled]], found


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        log, home = Path(scratch) / "app.log", Path(scratch) / "home"
        log.write_text(lines(STORED))
        up = Up(home, "--collect", str(log)).start("--port", "0")
        try:
            up.wait_until_found("line", len(STORED), 60)
            keep_for_ever(up)
            crash(up, home, log)
        finally:
            if up.running:
                os.kill(up.pid, signal.SIGCONT)
                up.stop()
        for name in NOT_STORED:
            shutil.rmtree(home / name)
        shutil.copytree(home, Path(scratch) / "copy")  # whoever looks changes it
        check(Path(scratch) / "copy", log)
        HOMES.mkdir(exist_ok=True)
        with tarfile.open(HOMES / f"{__version__}.tar.gz", "w:gz") as archive:
            archive.add(home, "home")
            archive.add(log, "app.log")


if __name__ == "__main__":
    main()

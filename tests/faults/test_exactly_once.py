"""Whatever is killed, whenever: afterwards each event is there exactly once, and whole."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.installation import Installation
from tests.faults.writer import KEYS, LINE, RotatingWriter, line

PARSE = {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": LINE, "Keys": KEYS}
TEXT = {"type": "text", "token": [" "], "caseSensitive": False, "doc_value": True}
INDEX = {"line": {"token": [" "], "caseSensitive": False}, "keys": {"n": {"type": "long", "doc_value": True}, "sum": TEXT, "payload": TEXT}}


@pytest.mark.timeout(300)
def test_kill_nine_of_worker_and_server_short_form(tmp_path: Path) -> None:
    verify_each_event_once(tmp_path, events=60_000, per_file=20_000, kills=6, pause=0.1, seed=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_kill_nine_fifty_times_during_a_million_events(tmp_path: Path, seed: int) -> None:
    verify_each_event_once(tmp_path, events=1_000_000, per_file=100_000, kills=50, pause=0.12, seed=seed)


@pytest.mark.timeout(120)
def test_an_agent_that_lost_its_checkpoint_goes_on_where_the_server_stands(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    only_even = {"Type": "processor_filter_regex_native", "Include": {"n": r"\d*[02468]"}}
    installation = Installation(tmp_path / "home", str(logs / "app.log"), [PARSE, only_even])
    try:
        installation.start("server")
        installation.make_logstore(INDEX)
        installation.start("agent")
        (logs / "app.log").write_bytes(b"".join(line(number) for number in range(2000)))
        wait_for(installation, 1000)
        installation.kill("agent")
        for file in (tmp_path / "home" / "agent").glob("checkpoint*"):
            file.unlink()
        with (logs / "app.log").open("ab") as out:
            out.write(b"".join(line(number) for number in range(2000, 3000)))
        installation.start("agent")
        wait_for(installation, 1500)
        time.sleep(2)  # a repeat that comes late must be seen
        assert installation.query("* | select count(1) as c, count(distinct n) as d from log") == [{"c": "1500", "d": "1500"}]
    finally:
        installation.stop()


def verify_each_event_once(folder: Path, *, events: int, per_file: int, kills: int, pause: float, seed: int) -> None:
    r = random.Random(seed)
    logs = folder / "logs"
    logs.mkdir()
    installation = Installation(folder / "home", str(logs / "app.log*"), [PARSE])
    try:
        installation.start("server")
        installation.make_logstore(INDEX)
        installation.start("agent")
        installation.wait_until_at_work(1)  # one that no server has ever known ends when it finds none
        writer = RotatingWriter(logs / "app.log", events, per_file, pause)
        writer.start()
        for _ in range(kills):
            time.sleep(r.uniform(0.1, 2.5))
            victims = r.choice([["agent"], ["server"], ["agent", "server"]])
            for name in victims:
                installation.kill(name)
            time.sleep(r.uniform(0.0, 0.5))
            for name in reversed(victims):
                installation.start(name)
        writer.join()
        wait_for(installation, events)
        must_be_there_once(installation, events)
    finally:
        installation.stop()


def wait_for(installation: Installation, events: int, seconds: float = 120) -> None:
    deadline, count = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        count = int(installation.query("* | select count(1) as c from log")[0]["c"])
        if count >= events:
            return
        time.sleep(1)
    raise AssertionError(f"{count} of {events} events arrived within {seconds} s:\n{installation.tail()}")


def must_be_there_once(installation: Installation, events: int) -> None:
    time.sleep(2)  # a repeat that comes late must be seen
    totals = installation.query("* | select count(1) as c, count(distinct n) as d, min(n) as low, max(n) as high from log")[0]
    repeated = installation.query("* | select n, count(1) as c from log group by n having count(1) > 1 order by n limit 5")
    assert totals == {"c": str(events), "d": str(events), "low": "0", "high": str(events - 1)}, repeated
    for row in installation.query("* | select n, payload, sum from log where n % 997 = 0 limit 2000"):
        whole = line(int(row["n"])).decode().strip()
        assert whole.endswith(f"payload={row['payload']} sum={row['sum']}"), f"torn: {row}"

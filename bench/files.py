"""Many files: 10 000 that grow, and 100 000 that only stand there, through the real agent and server.

    python bench/files.py [--only growing,idle] [--files 10000] [--directories 500] [--rate 2000] [--seconds 60] [--idle 100000]

growing: lines go into the files in turn, `--rate` a second in all; twice a second one has a mark of its own, and a thread asks for it until it is
found (write to searchable; half a poll and the query are in it). At the end the events in the store are counted.
idle: the files stand there when the agent starts. Then: when the agent follows changes (start to the first fresh line searchable), what it uses
while nothing happens (CPU as a share of a core over `--seconds`, at least one walk over all directories in it), how many files it holds open,
and the same start again after a restart.

Prints a table and a JSON line.
"""

import argparse
import json
import os
import re
import signal
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from latency import GIVE_UP_SECS, POLL_SECS, PROJECT, SETTLE_SECS, TICKS_PER_PROBE, TICKS_PER_SEC, Tailrace

from tailrace.cli.up.first_run import INDEX

STORE = "files"
FILLER = b"level=info " + b"request served in a time that nobody would complain about " * 2
MIB = 1_048_576


class Many(Tailrace):
    """Agent and server, one pipeline over a tree of directories."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [STORE], pure=False)
        self.marks = count()

    def _prepare(self, pipelines: Path) -> None:
        with self._client(STORE) as admin:
            admin.create("/", {"projectName": PROJECT, "description": ""}, exists="ProjectAlreadyExist")
            admin.create("/logstores", {"logstoreName": STORE, "ttl": 1, "shardCount": 1}, exists="LogStoreAlreadyExist")
            admin.create(f"/logstores/{STORE}/index", INDEX, exists="IndexAlreadyExist")
        pipelines.mkdir()
        paths = [f"{self.folder}/logs/**/*.log"]
        pipeline = {
            "inputs": [{"Type": "input_file", "FilePaths": paths, "MaxDirSearchDepth": 2}],
            "flushers": [{"Type": "flusher_sls", "Endpoint": self.endpoint, "Project": PROJECT, "Logstore": STORE}],
        }
        (pipelines / f"{STORE}.json").write_text(json.dumps(pipeline))
        (self.folder / "home" / "agent.yaml").write_text("max_files: 1000000\nmax_files_per_config: 1000000\n")

    @property
    def agent(self) -> Path:
        return Path(f"/proc/{self.processes[-1].pid}")

    def cpu(self) -> float:
        """Seconds of CPU that the agent has used."""
        fields = (self.agent / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, key: str) -> int:
        found = re.search(rf"{key}:\s+(\d+) kB", (self.agent / "status").read_text())
        return int(found[1]) * 1024 if found else 0

    def open_files(self) -> int:
        return len(list((self.agent / "fd").iterdir()))

    def restart_agent(self) -> float:
        """When the new one was started (monotonic)."""
        agent = self.processes.pop()
        agent.send_signal(signal.SIGTERM)
        agent.wait(30)
        began = time.monotonic()
        with (self.folder / "processes.log").open("ab") as log:
            home, pipelines = str(self.folder / "home"), str(self.folder / "pipelines")
            self._start(log, "agent", "run", "--home", home, "--pipelines", pipelines, "--enrol-local", self.endpoint)
        return began

    def probe(self, path: Path) -> float | None:
        """Seconds from writing a marked line to finding it; None when it was not found."""
        mark, began = f"mark{next(self.marks)}x{os.getpid()}", time.monotonic()
        append(path, f"probe {mark}\n".encode())
        while time.monotonic() - began < GIVE_UP_SECS:
            if self.found(STORE, mark):
                return time.monotonic() - began
            time.sleep(POLL_SECS)
        return None


def append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, data)
    os.close(descriptor)


def make_files(folder: Path, files: int, directories: int, content: bytes) -> list[Path]:
    made: list[Path] = []
    for number in range(files):
        directory = folder / "logs" / f"{number % directories:04d}"
        if number < directories:
            directory.mkdir(parents=True)
        path = directory / f"app-{number:06d}.log"
        path.write_bytes(content)
        made.append(path)
    return made


def growing(many: Many, files: list[Path], rate: int, seconds: int) -> dict[str, object]:
    written = 0
    latencies: list[float | None] = []
    turn = count()
    used, begin = many.cpu(), time.monotonic()
    with ThreadPoolExecutor(16) as lookers:
        for tick in range(seconds * TICKS_PER_SEC):
            time.sleep(max(0.0, begin + tick / TICKS_PER_SEC - time.monotonic()))
            for _ in range(rate // TICKS_PER_SEC):
                append(files[next(turn) % len(files)], b"n=%d %s\n" % (written, FILLER))
                written += 1
            if not tick % TICKS_PER_PROBE:
                written += 1
                lookers.submit(lambda path: latencies.append(many.probe(path)), files[next(turn) % len(files)])
        used, lasted = many.cpu() - used, time.monotonic() - begin
    time.sleep(SETTLE_SECS)
    stored = many.count(STORE)
    if stored != written:
        raise SystemExit(f"written {written}, found {stored}")
    seen = [one for one in latencies if one is not None]
    cuts = statistics.quantiles(seen, n=100)
    return {
        "case": "growing", "files": len(files), "events_per_sec": rate, "probes": len(latencies), "missed": len(latencies) - len(seen),
        "p50": cuts[49], "p99": cuts[98], "cpu_percent": 100 * used / lasted, "rss_mib": many.memory("VmHWM") / MIB,
        "open_files": many.open_files(),
    }  # fmt: skip


def idle(many: Many, files: list[Path], seconds: int, started_at: float) -> dict[str, object]:
    first = wait_for_first(many, files[0], started_at)
    time.sleep(SETTLE_SECS)
    used, begin = many.cpu(), time.monotonic()
    time.sleep(seconds)
    share = 100 * (many.cpu() - used) / (time.monotonic() - begin)
    memory, peak, held = many.memory("VmRSS"), many.memory("VmHWM"), many.open_files()
    again = wait_for_first(many, files[1], many.restart_agent())
    return {
        "case": "idle", "files": len(files), "first_start_secs": first, "restart_secs": again, "cpu_percent": share, "rss_mib": memory / MIB,
        "peak_mib": peak / MIB, "peak_after_restart_mib": many.memory("VmHWM") / MIB, "open_files": held,
    }  # fmt: skip


def wait_for_first(many: Many, path: Path, started_at: float) -> float:
    """Seconds from the agent's start until a line that was written then can be found."""
    append(path, b"waiting\n")
    while many.probe(path) is None:
        pass
    return time.monotonic() - started_at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="growing,idle")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--directories", type=int, default=500)
    parser.add_argument("--rate", type=int, default=2000, help="lines a second into all growing files together")
    parser.add_argument("--seconds", type=int, default=70)
    parser.add_argument("--idle", type=int, default=100_000)
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for case in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="tailrace-files-") as folder:
            made = make_files(Path(folder), options.files if case == "growing" else options.idle, options.directories, b"old\n")
            with Many(Path(folder)) as many:
                began = time.monotonic()
                if case == "growing":
                    wait_for_first(many, made[0].with_name("first.log"), began)
                    rows.append(growing(many, made, options.rate, options.seconds))
                else:
                    rows.append(idle(many, made, options.seconds, began))
    for row in rows:
        print("   ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()))
    print(json.dumps({"bench": "files", "rows": rows}))


if __name__ == "__main__":
    main()

"""Many files, large ones, and slow neighbours, through the real agent and server.

    python bench/files.py [--only growing,idle,backlog,isolation] [--files 10000] [--directories 500] [--rate 1000] [--seconds 24] [--idle 100000]

growing: lines go into 10 000 files in 500 directories in turn, `--rate` a second in all; each of them has grown once before.
idle: 100 000 files stand there when the agent starts. Then: when the agent follows changes (start to the first fresh line searchable), what it uses
while nothing happens (CPU as a share of a core over `--seconds`, at least one walk over all directories in it), how many files it holds open,
and the same start again after a restart.
backlog: one file of `--backlog` MiB is read while fresh lines go into another one of the same pipeline and logstore.
isolation: the lines of one pipeline, in turn: alone, beside a second pipeline with a harmless pattern, beside one with the pattern `(a+)+$` on the same number of the
same lines, which it does not match, and beside the harmless one again. Evil to calm is what the pattern does; again to calm is what the same thing differs
from itself. A tenth of a second of lines is found at once, so that 99 % of a short run are all but its slowest moment or two: give it `--seconds 120`.

Times from write to searchable are those of every line (`stamped.py`), and every line must be found exactly once. Prints a table and a JSON line.
"""

import argparse
import json
import os
import re
import signal
import tempfile
import time
from functools import partial
from itertools import count
from pathlib import Path

from latency import GIVE_UP_SECS, PROJECT, SETTLE_SECS, Tailrace
from stamped import TICKS_PER_SEC, Stamped, append

from tailrace.cli.up.first_run import INDEX

STORE = "files"
EVIL_STORE = "evil"
CALM, EVIL = "(a+)!", "(a+)+$"
NEIGHBOUR_LINES = (b"a" * 60 + b"!\n") * 200
PHASES = 3
WALK_SECS = 62
"""At least one walk over all directories is in it."""
FIRST_POLL_SECS = 0.2
"""Each query takes from the CPU that the agent starts with."""
OPENED_PER_TICK = 200
FIRST_AGAIN = 10
"""After so many polls the first line is written again."""
MIB = 1_048_576


class Many(Tailrace):
    """Agent and server, with one pipeline over a tree of directories and the pathological one over a file of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [STORE, EVIL_STORE], pure=False)
        self.pipelines = {  # name → files, logstore, pattern
            STORE: (f"{folder}/logs/**/*.log", STORE, ""),
            "calm": (f"{folder}/calm.txt", EVIL_STORE, CALM),
            "evil": (f"{folder}/evil.txt", EVIL_STORE, EVIL),
        }
        self.marks = count()

    def _prepare(self, pipelines: Path) -> None:
        pipelines.mkdir()
        for name in self.names:
            with self._client(name) as admin:
                admin.create("/", {"projectName": PROJECT, "description": ""}, exists="ProjectAlreadyExist")
                admin.create("/logstores", {"logstoreName": name, "ttl": 1, "shardCount": 1}, exists="LogStoreAlreadyExist")
                admin.create(f"/logstores/{name}/index", INDEX, exists="IndexAlreadyExist")
        for name, (paths, logstore, pattern) in self.pipelines.items():
            parse = {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": pattern, "Keys": ["a"]}
            pipeline = {
                "inputs": [{"Type": "input_file", "FilePaths": [paths], "MaxDirSearchDepth": 2}],
                "processors": [parse] if pattern else [],
                "flushers": [{"Type": "flusher_sls", "Endpoint": self.endpoint, "Project": PROJECT, "Logstore": logstore}],
            }
            (pipelines / f"{name}.json").write_text(json.dumps(pipeline))
        (self.folder / "home" / "agent.yaml").write_text("max_files: 1000000\nmax_files_per_config: 1000000\n")

    def rows(self, logstore: str, query: str, since: int = 0) -> list[dict[str, str]]:
        now = int(time.time())
        with self._client(logstore) as client:
            return client.get_logs(query, since or now - 3600, now + 3600)["data"]

    @property
    def agent(self) -> list[Path]:
        """Its supervisor and its worker."""
        supervisor = self.processes[-1].pid
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return [Path(f"/proc/{pid}") for pid in (supervisor, *children)]

    def cpu(self) -> float:
        """Seconds of CPU that the agent has used."""
        fields = [(process / "stat").read_text().rpartition(")")[2].split() for process in self.agent]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def memory(self, key: str) -> int:
        found = [re.search(rf"{key}:\s+(\d+) kB", (process / "status").read_text()) for process in self.agent]
        return sum(int(one[1]) * 1024 for one in found if one)

    def open_files(self) -> int:
        return sum(len(list((process / "fd").iterdir())) for process in self.agent)

    def restart_agent(self) -> float:
        """When the new one was started (monotonic)."""
        agent = self.processes.pop()
        agent.send_signal(signal.SIGTERM)
        agent.wait(30)
        began = time.monotonic()
        with (self.folder / "processes.log").open("ab") as log:
            home, pipelines = str(self.folder / "home"), str(self.folder / "pipelines")
            self._start(
                log,
                "agent",
                "run",
                "--no-supervisor",
                "--no-limits",
                "--home",
                home,
                "--pipelines",
                pipelines,
                "--enrol-local",
                self.endpoint,
            )
        return began

    def open_all(self, files: list[Path]) -> None:
        """Let every file grow once, so that all are followed."""
        for number, path in enumerate(files):
            append(path, b"opened %d\n" % number)
            if not number % OPENED_PER_TICK:
                time.sleep(1 / TICKS_PER_SEC)
        began = time.monotonic()
        while int(self.rows(STORE, "content: opened | select count(1) as lines from log")[0]["lines"]) != len(files):
            if time.monotonic() - began > 2 * GIVE_UP_SECS:
                raise SystemExit("not all files were opened")
            time.sleep(1)
        time.sleep(SETTLE_SECS)

    def wait_for_first(self, path: Path, started_at: float) -> float:
        """Seconds from the agent's start until a line that was written then, or later when the file counts as one that stood there, can be found."""
        mark = f"mark{next(self.marks)}x{os.getpid()}"
        for turn in count():
            if not turn % FIRST_AGAIN:
                append(path, f"first {mark}\n".encode())
            time.sleep(FIRST_POLL_SECS)
            if self.found(STORE, mark):
                break
            if time.monotonic() - started_at > 2 * GIVE_UP_SECS:
                raise SystemExit(f"the first line of {path} was not found")
        return time.monotonic() - started_at


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


def growing(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    files = make_files(folder, options.files, options.directories, b"")
    with Many(folder) as many:
        many.wait_for_first(files[0].with_name("first.log"), time.monotonic())
        many.open_all(files)
        used, began = many.cpu(), time.monotonic()
        times = Stamped(many, STORE, files, options.rate).run(options.seconds)
        used, lasted = many.cpu() - used, time.monotonic() - began
        return {
            "case": "growing", "files": len(files), **times, "cpu_percent": 100 * used / lasted, "rss_mib": many.memory("VmHWM") / MIB,
            "open_files": many.open_files(),
        }  # fmt: skip


def idle(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    files = make_files(folder, options.idle, options.directories, b"old\n")
    with Many(folder) as many:
        first = many.wait_for_first(files[0], time.monotonic())
        time.sleep(SETTLE_SECS)
        used, begin = many.cpu(), time.monotonic()
        time.sleep(max(options.seconds, WALK_SECS))
        share = 100 * (many.cpu() - used) / (time.monotonic() - begin)
        memory, peak, held = many.memory("VmRSS"), many.memory("VmHWM"), many.open_files()
        again = many.wait_for_first(files[1], many.restart_agent())
        return {
            "case": "idle", "files": len(files), "first_start_secs": first, "restart_secs": again, "cpu_percent": share,
            "rss_mib": memory / MIB, "peak_mib": peak / MIB, "peak_after_restart_mib": many.memory("VmHWM") / MIB, "open_files": held,
        }  # fmt: skip


def backlog(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    fresh, huge = folder / "logs" / "fresh.log", folder / "logs" / "huge.log"
    fresh.parent.mkdir()
    line = b"%s %s\n" % (b"backlog", b"x" * 500)
    with Many(folder) as many:
        many.wait_for_first(fresh, time.monotonic())
        with huge.with_name("huge.tmp").open("wb") as file:
            for _ in range(options.backlog):
                file.write(line * (MIB // len(line)))
        huge.with_name("huge.tmp").rename(huge)
        lines, began = options.backlog * (MIB // len(line)), time.monotonic()
        times = Stamped(many, STORE, [fresh], 50).run(options.seconds)
        found = "content: backlog | select count(1) as lines from log"
        while int(many.rows(STORE, found)[0]["lines"]) != lines:
            if time.monotonic() - began > 10 * GIVE_UP_SECS:
                raise SystemExit(f"of the backlog's {lines} lines {many.rows(STORE, found)} were found")
            time.sleep(1)
        return {"case": "backlog", "backlog_mib": options.backlog, **times, "backlog_secs": time.monotonic() - began}


def isolation(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    fresh, calm, evil = folder / "logs" / "fresh.log", folder / "calm.txt", folder / "evil.txt"
    fresh.parent.mkdir()
    calm.touch()
    evil.touch()
    beside_calm, beside_evil = (partial(append, path, NEIGHBOUR_LINES) for path in (calm, evil))
    neighbours = {"alone": lambda: None, "calm": beside_calm, "evil": beside_evil, "again": beside_calm}
    with Many(folder) as many:
        many.wait_for_first(fresh, time.monotonic())
        times = {name: Stamped(many, STORE, [fresh], 500) for name in neighbours}
        for name, beside in [*neighbours.items()] * PHASES:  # in turn, because the machine's speed drifts
            times[name].run(options.seconds / PHASES / len(neighbours), beside=beside)
        row: dict[str, object] = {"case": "isolation", "neighbour_events_per_sec": TICKS_PER_SEC * NEIGHBOUR_LINES.count(b"\n")}
        for share in (0.5, 0.99):
            found = {name: one.quantile(share) for name, one in times.items()}
            row |= {f"{name}_p{share * 100:.0f}": seconds for name, seconds in found.items()}
            row |= {f"{name}_to_calm_p{share * 100:.0f}": found[name] / found["calm"] for name in ("evil", "again")}
        return row


CASES = {"growing": growing, "idle": idle, "backlog": backlog, "isolation": isolation}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--directories", type=int, default=500)
    parser.add_argument("--rate", type=int, default=1000, help="lines a second into all growing files together")
    parser.add_argument("--seconds", type=int, default=24)
    parser.add_argument("--idle", type=int, default=100_000)
    parser.add_argument("--backlog", type=int, default=300, help="MiB of the huge file")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for case in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="tailrace-files-") as folder:
            rows.append(CASES[case](Path(folder), options))
            print("   ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in rows[-1].items()))
    print(json.dumps({"bench": "files", "rows": rows}))


if __name__ == "__main__":
    main()

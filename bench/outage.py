"""An outage with ten times more data than the spool, through the real agent at its default limits (0.4 core, 384 MB).

    python bench/outage.py [--mb-per-sec 3] [--mb 2000] [--spool-mb 200] [--lines simple|nginx] [--set KEY=VALUE] [--pure]

Lines are appended to four files: simple ones of 512 bytes, or nginx's of 256, which a regex takes apart into ten fields. Another file gets ten short
lines a second for another target. `--pure` is the engine in Python. One target is out until so many MB were written, then it is back while the
writing goes on, until nothing waits. Shown are the worker's memory through the outage, how fast it caught up, the time from write to arrival at the
other target, and which of its limits held it back. SystemExit when a line is lost, repeated, torn or out of its stream's order. Prints a table and a
JSON line; `--mb-per-sec` up to where catch-up falls below three times the input is what the limits bear.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from agent import ENGINES, cpu_of, free_port, resident_of, running
from formats import NGINX, NGINX_KEYS

HERE = Path(__file__).parent
FILES = 4
TICK_SECS = 0.05
STEADY_SECS = 0.1
SAMPLE_SECS = 2.0
WARM_SECS = 15.0
DRAINED_MB = 1.0
"""Less than a second's worth waits: it has caught up."""
GIVE_UP_SECS = 1800.0


@dataclass(frozen=True)
class Lines:
    """What is written: lines of `size` bytes, each with its number and with so much `noise` that lz4 makes about a quarter of it, as of logs."""

    size: int
    noise: int
    form: bytes
    """Of the number, the noise and what fills the line up."""
    column: str
    """The field that begins with the number."""
    processors: tuple[dict[str, object], ...] = ()

    def block(self, numbers: range) -> bytes:
        filled = FILLING[: self.size - len(self.form % (0, b"", b"")) - self.noise]
        return b"".join(self.form % (number, NOISE[at(number) : at(number) + self.noise], filled) for number in numbers)


NOISE = random.Random(1).randbytes(500_000).hex().encode()
FILLING = b"level=info served in time, " * 20
PARSE = {"Type": "processor_parse_regex_native", "Regex": NGINX, "Keys": NGINX_KEYS, "KeepingSourceWhenParseFail": False}
NGINX_FORM = b'203.0.113.7 - %012d [23/Nov/2026:10:00:00 +0000] "GET /api/v1/items?id=%s HTTP/1.1" 200 5120 "https://www.example.com/" "Mozilla/5.0 %s"\n'
LINES = {"simple": Lines(512, 120, b"%012d %s %s\n", "content"), "nginx": Lines(256, 56, NGINX_FORM, "user", (PARSE,))}


@dataclass
class Writer(threading.Thread):
    """Appends numbered lines at a rate, and stamped ones."""

    folder: Path
    rate: int
    kind: Lines
    lines: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    @property
    def size(self) -> int:
        return self.lines * self.kind.size

    def run(self) -> None:
        files = [(self.folder / f"out-{number}.log").open("ab", buffering=0) for number in range(FILES)]
        steady = (self.folder / "steady.log").open("ab", buffering=0)
        begin, next_steady, each = time.monotonic(), 0.0, 0
        while not self.over.wait(TICK_SECS):
            now = time.monotonic()
            due = int((now - begin) * self.rate) // self.kind.size // FILES
            if due > each:
                block = self.kind.block(range(each, due))
                for file in files:
                    file.write(block)
                each = due
                self.lines = each * FILES
            if now >= next_steady:
                next_steady = now + STEADY_SECS
                steady.write(b"%.3f fresh line of another target\n" % time.time())


def at(number: int) -> int:
    """Where a line's noise begins: not where a neighbour's does."""
    return number * 97 % 900_000


def ask(port: int, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return json.load(answer)


def limited_by(port: int) -> list[str]:
    """Which of its limits hold the agent back now, by its metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    name = 'tailrace_agent_limited_state{limit="'
    return [line.removeprefix(name).partition('"')[0] for line in lines if line.startswith(name) and line.endswith(" 1.0")]


def prepare(folder: Path, ports: dict[str, int], metrics: int, spool_mb: int, processors: tuple[dict[str, object], ...]) -> None:
    """Home, pipelines, and an enrolment as a server would have given it."""
    secret = folder / "home" / "secret"
    secret.mkdir(parents=True, mode=0o700)
    (folder / "home").chmod(0o700)
    size = 20 * 1_048_576
    settings = {"buffer_file_num": max(1, spool_mb * 1_000_000 // size), "buffer_file_size": size, "metrics_listen": f"127.0.0.1:{metrics}"}
    (folder / "home" / "agent.yaml").write_text(json.dumps(settings))
    known = {"logstores": ["*"], "key_id": "bench", "key_secret": "bench", "features": ["batch_group"]}
    enrolments = [
        {"endpoint": f"http://127.0.0.1:{port}", "project": "bench", "server": name[0] * 32, **known} for name, port in ports.items()
    ]
    (secret / "agent.json").write_text(json.dumps({"format": 2, "agent_id": "a" * 32, "enrolments": enrolments}))
    (secret / "agent.json").chmod(0o600)
    (folder / "pipelines").mkdir()
    (folder / "logs").mkdir()
    for name, port in ports.items():
        source = {"Type": "input_file", "FilePaths": [f"{folder}/logs/{name}*.log"], "TailingAllMatchedFiles": True}
        flusher = {"Type": "flusher_sls", "Endpoint": f"http://127.0.0.1:{port}", "Project": "bench", "Logstore": name}
        config = {"inputs": [source], "processors": processors if name == "out" else (), "flushers": [flusher]}
        (folder / "pipelines" / f"{name}.json").write_text(json.dumps(config))


@dataclass
class Run:
    options: argparse.Namespace
    folder: Path
    ports: dict[str, int]
    metrics: int
    agent: subprocess.Popen[bytes]
    writer: Writer
    rss: dict[str, list[float]] = field(default_factory=lambda: {"out": [], "back": []})
    limits: dict[str, set[str]] = field(default_factory=lambda: {"out": set(), "back": set()})

    def through(self) -> dict[str, object]:
        steady = self.ports["steady"]
        time.sleep(WARM_SECS)
        ask(steady, "/out")
        out_at = time.time()
        while self.writer.size < self.options.mb * 1_000_000:
            self._sample("out")
        back_at, waiting = time.time(), self._waiting()
        acknowledged = self.writer.size - waiting
        cpu = cpu_of(self.agent.pid)
        ask(steady, "/back")
        while self.writer.size - self._waiting() <= acknowledged:
            time.sleep(0.1)
        noticed_at = time.time()
        while (self._waiting()) > DRAINED_MB * 1_000_000 + self.options.mb_per_sec * 1_000_000:
            self._sample("back")
            if time.time() > back_at + GIVE_UP_SECS:
                raise SystemExit(f"{self._waiting() / 1e6:.0f} MB still wait {GIVE_UP_SECS:.0f} s after the outage")
        drained_at = time.time()
        sent = self.writer.size - self._waiting() - acknowledged
        cores = (cpu_of(self.agent.pid) - cpu) / (drained_at - noticed_at)
        time.sleep(5)
        self.writer.over.set()
        self.writer.join()
        while self._waiting():
            self._sample("back")
        return self._result(out_at, back_at, noticed_at, drained_at, {"backlog_mb": waiting / 1e6, "sent": sent, "cores": cores})

    def _result(self, out_at: float, back_at: float, noticed_at: float, drained_at: float, found: dict[str, float]) -> dict[str, object]:
        stats = ask(self.ports["steady"], "/stats")
        wrong = {name: stats[name] for name in ("repeats", "torn", "gaps") if stats[name]}
        if wrong or stats["lines"] != self.writer.lines:
            raise SystemExit(f"{self.writer.lines} lines were written, {stats['lines']} arrived; wrong: {wrong}")
        latencies = stats["latencies"]
        assert isinstance(latencies, list)
        rate = found.pop("sent") / (drained_at - noticed_at) / 1e6
        quarter = max(1, len(self.rss["out"]) // 4)
        cores = found.pop("cores")
        return {
            "outage_secs": back_at - out_at,
            "rss_first_quarter_mib": statistics.mean(self.rss["out"][quarter : 2 * quarter] or self.rss["out"]),
            "rss_last_quarter_mib": statistics.mean(self.rss["out"][-quarter:]),
            "rss_peak_mib": max(self.rss["out"] + self.rss["back"]),
            **found,
            "cores_while_catching_up": cores,
            "noticed_after_secs": noticed_at - back_at,
            "catch_up_secs": drained_at - noticed_at,
            "catch_up_mb_per_sec": rate,
            "catch_up_ratio": rate / self.options.mb_per_sec,
            "ranges_that_overtook": stats["overtaken"],
            "p99_out_secs": quantile(latencies, out_at, back_at),
            "p99_back_secs": quantile(latencies, back_at, drained_at),
            "limited_while_out": sorted(self.limits["out"]),
            "limited_while_catching_up": sorted(self.limits["back"]),
            "lines": self.writer.lines,
        }

    def _waiting(self) -> int:
        return self.writer.size - int(str(ask(self.ports["steady"], "/")["lines"])) * self.writer.kind.size

    def _sample(self, phase: str) -> None:
        time.sleep(SAMPLE_SECS)
        if self.agent.poll() is not None:
            raise SystemExit(f"the agent ended: {(self.folder / 'agent.log').read_text()[-2000:]}")
        self.rss[phase].append(resident_of(self.agent.pid) / 2**20)
        self.limits[phase].update(limited_by(self.metrics))
        spool = sum(path.stat().st_size for path in (self.folder / "home" / "agent" / "spool").glob("*/*.seg"))
        print(
            f"\r{phase:5} written {self.writer.size / 1e6:6.0f} MB  waiting {self._waiting() / 1e6:6.0f} MB  spool {spool / 1e6:4.0f} MB"
            f"  rss {self.rss[phase][-1]:4.0f} MiB  limited by {','.join(sorted(self.limits[phase])) or '-':16}",
            end="", file=sys.stderr, flush=True,
        )  # fmt: skip


def quantile(latencies: list[list[float]], begin: float, end: float, share: float = 0.99) -> float:
    """Of the lines written in between."""
    found = sorted(took for written, took in latencies if begin <= written <= end)
    return found[min(len(found) - 1, int(len(found) * share))] if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb-per-sec", type=float, default=3.0)
    parser.add_argument("--mb", type=int, default=2000, help="written while the target is out")
    parser.add_argument("--spool-mb", type=int, default=200)
    parser.add_argument("--lines", dest="kind", choices=LINES, default="simple")
    parser.add_argument("--pure", action="store_true")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for the agent")
    options = parser.parse_args()
    ports, metrics = {"out": free_port(), "steady": free_port()}, free_port()
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as directory:
        folder = Path(directory)
        kind = LINES[options.kind]
        prepare(folder, ports, metrics, options.spool_mb, kind.processors)
        sets = [word for value in options.set for word in ("--set", value)]
        command = [sys.executable, "-m", "tailrace.cli.main", "agent", "run", "--no-supervisor", "--home", str(folder / "home")]
        with (
            running(sys.executable, HERE / "outage_sink.py", str(ports["out"]), str(ports["steady"]), kind.column, port=ports["steady"]),
            (folder / "agent.log").open("wb") as log,
        ):
            agent = subprocess.Popen(
                [*command, "--pipelines", str(folder / "pipelines"), *sets],
                stdout=log,
                stderr=log,
                env=os.environ | ENGINES["pure" if options.pure else "kernel"],
            )
            writer = Writer(folder / "logs", int(options.mb_per_sec * 1_000_000), kind)
            try:
                time.sleep(5)
                writer.start()
                found = Run(options, folder, ports, metrics, agent, writer).through()
            finally:
                writer.over.set()
                agent.send_signal(signal.SIGTERM)
                agent.wait()
    print(file=sys.stderr)
    for name, value in found.items():
        print(f"{name:28}{value:12.2f}" if isinstance(value, float) else f"{name:28}{value!s:>12}")
    print(json.dumps({"bench": "outage", **vars(options), **found}))


if __name__ == "__main__":
    main()

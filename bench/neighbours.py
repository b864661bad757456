"""What one project's heavy queries do to others: light queries of another project, and writing.

    python bench/neighbours.py [--mb 200] [--seconds 30] [--heavy 2] [--ingest 5]

A server of its own, on a home that is thrown away, gets `--mb` MB of nginx log in a logstore with full text and an index on each field, in
two projects' names. Light queries (a rare word, a count of one status, the newest 100) are timed in quiet; then while `--heavy` clients of
the *other* project group the whole logstore by its most varied field without a pause; while `--ingest` MB of log file are written per second;
and beside both. Printed: how long the light ones take, how many times longer heavy ones make them, without writing and with it, and how long
until a write is acknowledged (p99) and an event can be found (p50, p99) beside both.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest import Load, data_file, prepare
from served import Server, running_server

from tailrace.batch import EventBatch

HEAVY = "* | select uri, remote_addr, count(*) as hits, approx_distinct(user_agent) as agents group by uri, remote_addr order by hits desc"
LIGHT = {
    "a word": "select",
    "a status": "status: 404 | select count(*) as hits",
    "newest 100": "*",
}
POLL_SECS = 0.2
SETTLE_SECS = 3.0


@dataclass
class Repeated(AbstractContextManager["Repeated"]):
    """`work` over and over in `threads` threads until the end; `secs` is how long each took."""

    work: Callable[[], float]
    threads: int
    secs: list[float] = field(default_factory=list[float])

    def __enter__(self) -> "Repeated":
        self._over = threading.Event()
        self._running = [threading.Thread(target=self._run) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._running:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.secs.append(self.work())


class Neighbours:
    """Two projects on one server: `bench` is light and writes, `heavy` has the same logs and asks for much."""

    def __init__(self, server: Server, load: Load, ingest: float) -> None:
        self.server, self._load, self._ingest = server, load, ingest
        self._marks = self._sent = 0

    def fill(self) -> None:
        self.server.make_logstore("access", self._load.keys, "all")
        self.server.send("access", iter(self._load.bodies))
        other = Server(self.server.home, self.server.process, "heavy")
        other.request(other.connect(), "POST", "/", json.dumps({"projectName": "heavy", "description": ""}).encode())
        other.make_logstore("access", self._load.keys, "all")
        other.send("access", iter(self._load.bodies))
        self._other = other
        while self.server.backlog():
            time.sleep(0.1)
        self.server.wait_until_quiet()

    def heavy(self) -> float:
        began = time.monotonic()
        self._other.ask(self._other.connect(), "access", HEAVY, 0, 1 << 32)
        return time.monotonic() - began

    def light(self, rounds: int) -> dict[str, list[float]]:
        connection = self.server.connect()
        found: dict[str, list[float]] = {name: [] for name in LIGHT}
        for _ in range(rounds):
            for name, query in LIGHT.items():
                began = time.perf_counter()
                self.server.ask(connection, "access", query, 0, 1 << 32)
                found[name].append((time.perf_counter() - began) * 1000)
        return found

    def write(self) -> float:
        """A share of the load; seconds until it is acknowledged. As often as the rate says."""
        self._sent += 1
        body, size = self._load.bodies[self._sent % len(self._load.bodies)]
        began = time.monotonic()
        self.server.send("access", iter([(body, size)]))
        took = time.monotonic() - began
        time.sleep(max(0.0, 1.0 / self._ingest - took))
        return took

    def probe(self) -> float:
        """One event with a mark of its own; seconds until it can be found, with half a poll."""
        self._marks += 1
        mark = f"mark{self._marks}x{os.getpid()}"
        began = time.monotonic()
        marked = EventBatch.from_events([(time.time_ns(), [(b"uri", mark.encode())])]).encode(compression="lz4", digest="none")
        self.server.send("access", iter([(marked.body, marked.raw_size)]))
        connection = self.server.connect()
        while not self.server.ask(connection, "access", mark, int(time.time()) - 600, 1 << 32)["data"]:
            time.sleep(POLL_SECS)
        return time.monotonic() - began


def measure(options: argparse.Namespace, load: Load) -> dict[str, Any]:
    with running_server() as server:
        both = Neighbours(server, load, options.ingest)
        both.fill()
        both.light(3)
        found = {"quiet": both.light(20)}
        with Repeated(both.heavy, options.heavy) as heavy:
            found["heavy"] = during(both, options.seconds)
        server.wait_until_quiet()
        with Repeated(both.write, 1), Repeated(both.probe, 1):
            found["writing"] = during(both, options.seconds)
        with Repeated(both.heavy, options.heavy), Repeated(both.write, 1) as writing, Repeated(both.probe, 1) as probing:
            found["both"] = during(both, options.seconds)
    return {
        "rows": [{"query": name, **{f"{when}_ms": statistics.median(times[name]) for when, times in found.items()}} for name in LIGHT],
        "heavy_secs": statistics.median(heavy.secs or [0.0]),
        "found_p50_secs": statistics.median(probing.secs),
        "found_p99_secs": sorted(probing.secs)[int(len(probing.secs) * 0.99)],
        "probes": len(probing.secs),
        "acknowledged_p99_secs": sorted(writing.secs)[int(len(writing.secs) * 0.99)],
        "load": os.getloadavg()[0],
    }


def during(both: Neighbours, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of the light queries, beside what goes on."""
    found: dict[str, list[float]] = {name: [] for name in LIGHT}
    time.sleep(SETTLE_SECS)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, times in both.light(1).items():
            found[name] += times
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--heavy", type=int, default=2)
    parser.add_argument("--ingest", type=float, default=5.0)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "tailrace-bench")
    options = parser.parse_args()
    result = measure(options, prepare("nginx", data_file("nginx", options.mb, options.data)))
    for row in result["rows"]:
        heavy, both = row["heavy_ms"] / row["quiet_ms"], row["both_ms"] / row["writing_ms"]
        print(
            f"{row['query']:12} {row['quiet_ms']:8.1f} ms in quiet, {row['heavy_ms']:8.1f} ms beside heavy ones: {heavy:.1f} times;",
            end=" ",
        )
        print(f"{row['writing_ms']:8.1f} ms beside writing, {row['both_ms']:8.1f} ms beside both: {both:.1f} times")
    print(f"heavy query {result['heavy_secs']:.1f} s; writes acknowledged after {result['acknowledged_p99_secs']:.2f} s (p99),", end=" ")
    print(f"{result['probes']} found after {result['found_p50_secs']:.2f} s (p50), {result['found_p99_secs']:.2f} s (p99);", end=" ")
    print(f"load {result['load']:.1f}")
    print(json.dumps({"bench": "neighbours", **result}))


if __name__ == "__main__":
    main()

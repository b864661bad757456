"""Latency of typical queries over generated logs, asked of a running server over HTTP, result caches off.

    python bench/query.py [--full | --nginx 1000000 --app 600000] [--keep DIR] [--rounds 5] [--seed N] [--ingest 10] [--rival COMMAND]

`--full` is 10 M logs, 5 GB (6.5 M of nginx, 3.5 M of app; `query_data.py` says what is in them): half an hour to make on two cores, kept in DIR for other runs. Each
answer is compared with what arithmetic says before it is timed. Constants move with `--seed`, which is new for every run; the data has its own.

Each query runs over all 24 hours and over their last 1 %, at first in quiet, then while `--ingest` MB of nginx log file are written per
second into the very logstore (0: not at all). Also printed: how long the server takes to start with all of it, what it takes on disk, and
its memory idle and under eight queries at a time, with its engine's.

A rival (`rival.py`) is asked `{"name", "files", "kind", "search", "sql", "start", "end", "table"}` and answers `{"answer": …}`; it gets the
same logs as Parquet; `duckdb_rival.py` is one: `--rival "python bench/duckdb_rival.py"`. Prints tables, and one JSON line at the end.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ingest import Load, data_file, prepare
from query_data import BEGIN, DAY, Made, data, rooms
from rival import Asked
from served import Server, running_server

FULL = {"nginx": 6_500_000, "app": 3_500_000}
SPANS = {"all": (BEGIN, BEGIN + DAY), "last 1 %": (BEGIN + DAY - DAY // 100, BEGIN + DAY)}
AT_ONCE, AT_ONCE_SECS = 8, 20.0
SETTLE_SECS = 5.0
TOP_10 = ", count(*) as hits group by {} order by hits desc limit 10"


@dataclass(frozen=True)
class Case:
    """One query; `answer` says what has to come out for events `first` … `last` (numbers, the last not included)."""

    name: str
    logstore: str
    search: str
    answer: Callable[[range], Any]
    sql: str = ""
    kind: str = "rows"
    field: str = ""
    """The indexed field that it is about; how many values that has is asked once."""
    floor_ms: float | None = None
    """What the median over everything may take at most, engine warm."""


LAST_FLOOR_MS = 50.0
"""The same for the last 1 %."""


def cases(seed: int, sizes: dict[str, int], constants: int) -> list[Case]:
    """The queries of the storage comparison over the data of `seed`, with this run's constants."""
    chance = random.Random(constants)
    wanted = sizes["nginx"] - 1 - chance.randrange(sizes["nginx"] // 200)
    request_id = hashlib.md5(f"request-{seed}-{wanted}".encode()).hexdigest()
    host = (wanted + seed) % 50
    statuses = [200, 200, 200, 304, 404, 500, 502, 200, 200, 301]
    status_at = [statuses[(n * 7 + seed) % 10] for n in range(10)]

    def every(step: int, remainder: int) -> Callable[[range], int]:
        return lambda span: len(range(span.start + (remainder - span.start) % step, span.stop, step))

    def of_status(span: range) -> int:
        return sum(every(10, n)(span) for n in range(10) if status_at[n] == 502)

    def both(span: range) -> int:
        return every(15, 9)(span)

    def ten(_: range) -> int:
        return 10

    count = "select count(*) as answer"
    return [
        Case("rare token anywhere, newest 100", "app", "rarity", lambda span: min(100, every(50000, seed % 50000)(span)), floor_ms=100),
        Case("rare hex id anywhere", "nginx", request_id, lambda span: int(wanted in span), floor_ms=100),
        Case("common token, newest 100", "app", "timeout", lambda span: min(100, every(3, 0)(span))),
        Case("two tokens, count", "app", "timeout error", both, count),
        Case("token and field, count", "app", "timeout level:ERROR", both, count, field="level"),
        Case("indexed field = value, count", "nginx", "status = 502", of_status, count, field="status", floor_ms=100),
        Case("field without index, count", "nginx", "scheme:https and upstream:10.9.0.7", every(30, 7), count),
        Case("histogram", "nginx", "", len, kind="histogram", floor_ms=200),
        Case("histogram of a common token", "app", "timeout", every(3, 0), kind="histogram"),
        Case("top 10 of hosts", "nginx", "*", ten, f"select host{TOP_10.format('host')}", field="host", floor_ms=100),
        Case("top 10 of uris", "nginx", "*", ten, f"select uri{TOP_10.format('uri')}", field="uri", floor_ms=1200),
        Case("regex on a column, count", "nginx", f"host:host-{host}", every(50, wanted % 50),
             f"select count(*) as answer where regexp_like(host, '^host-{host}$')", field="host"),
        Case("p99 per minute", "nginx", "*", len,
             "select date_trunc('minute', __time__) as minute, approx_percentile(request_time, 0.99) as p99 group by minute limit 2000", field="request_time"),
        Case("newest 100", "nginx", "*", lambda span: min(100, len(span)), floor_ms=50),
    ]  # fmt: skip


@dataclass
class Row:
    query: str
    span: str
    least_ms: float
    median_ms: float
    p99_ms: float
    rows_read: int
    hits: int
    """Events counted, or rows that came out."""
    field: str = ""
    distinct: int | None = None
    """Values of `field`."""
    floor_ms: float | None = None
    ingesting_median_ms: float | None = None
    ingesting_p99_ms: float | None = None
    rival_ms: float | None = None


class Bench:
    """One server with both logstores."""

    def __init__(self, server: Server, made: Made) -> None:
        self.server, self.made = server, made
        self.sizes = {"nginx": made.nginx, "app": made.app}
        self._own = threading.local()

    def run(self, case: Case, span: tuple[int, int]) -> tuple[Any, int]:
        """What came out, in the form of `case.answer`, and rows read."""
        if not hasattr(self._own, "connection"):
            self._own.connection = self.server.connect()
        if case.kind == "histogram":
            found = self.server.histogram(self._own.connection, case.logstore, case.search, *span)
            return sum(interval["count"] for interval in found), 0
        statement = f"{case.search or '*'} | {case.sql}" if case.sql else case.search
        answer = self.server.ask(self._own.connection, case.logstore, statement, *span)
        rows, read = answer["data"], answer["meta"]["processedRows"]
        return (int(rows[0]["answer"]) if rows and "answer" in rows[0] else len(rows)), read

    def expected(self, case: Case, span: tuple[int, int]) -> Any:
        """The events whose number lies in the span, put to the case's own arithmetic."""
        total = self.sizes[case.logstore]
        numbers = [-(-(at - BEGIN) * total // DAY) for at in span]
        there = range(max(0, numbers[0]), min(total, numbers[1]))
        if case.name == "p99 per minute":
            return len({(BEGIN + n * DAY // total) // 60 for n in there})
        return case.answer(there)

    def check(self, case: Case, span: tuple[int, int], where: str) -> Any:
        """SystemExit when the answer is wrong."""
        (answer, _), expected = self.run(case, span), self.expected(case, span)
        if answer != expected:
            raise SystemExit(f"`{case.name}` over {where}: {answer} came out, {expected} is right")
        return expected

    def distinct(self, case: Case, known: dict[str, int]) -> int | None:
        """Values of the case's field over everything."""
        if not case.field:
            return None
        if (name := f"{case.logstore} {case.field}") not in known:
            asked = f"* | select count(distinct {case.field}) as answer"
            known[name] = int(self.server.ask(self.server.connect(), case.logstore, asked, *SPANS["all"])["data"][0]["answer"])
        return known[name]

    def time(self, case: Case, span: tuple[int, int], rounds: int) -> tuple[list[float], int]:
        """Milliseconds of each round, and rows read."""
        times, read = [], 0
        for _ in range(rounds):
            began = time.perf_counter()
            _, read = self.run(case, span)
            times.append((time.perf_counter() - began) * 1000)
        return times, read

    def memory_at_once(self, asked: Sequence[Case]) -> float:
        """MB at most while eight clients ask for some seconds."""
        until = time.monotonic() + AT_ONCE_SECS

        def client(number: int) -> None:
            chance = random.Random(number)
            while time.monotonic() < until:
                self.run(chance.choice(asked), SPANS["all"])

        peak = 0.0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            clients = [pool.submit(client, number) for number in range(AT_ONCE)]
            while not all(one.done() for one in clients):
                peak = max(peak, self.server.rss())
                time.sleep(0.1)
            for one in clients:
                one.result()
        return peak


class Writing:
    """So many MB of log file per second, until it is stopped. `acknowledged_ms` of each request, `late_secs`: how far it fell behind."""

    def __init__(self, server: Server, load: Load, mb_per_sec: float) -> None:
        self._server, self._load, self._rate = server, load, mb_per_sec
        self._stop = threading.Event()
        self.acknowledged_ms: list[float] = []
        self.late_secs = 0.0
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(2)]

    def __enter__(self) -> "Writing":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        bodies = self._load.bodies
        secs = self._load.size / 1e6 / len(bodies) / self._rate * len(self._threads)
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            self._server.send("nginx", iter([bodies[number % len(bodies)]]))
            self.acknowledged_ms.append((time.monotonic() - began) * 1000)
            number += len(self._threads)
            due += secs
            self.late_secs = max(self.late_secs, time.monotonic() - due)


@dataclass(frozen=True)
class Rival:
    """Another program over the same logs."""

    asked: Asked
    directory: Path

    def time(self, case: Case, span: tuple[int, int], expected: Any) -> float:
        """Milliseconds; SystemExit when the answer is wrong."""
        files = {name: str(self.directory / f"{name}.parquet") for name in FULL}
        question = {
            "name": case.name, "kind": case.kind, "search": case.search, "sql": case.sql, "start": span[0], "end": span[1],
            "files": files, "table": case.logstore,
        }  # fmt: skip
        began = time.perf_counter()
        answer = self.asked.ask(question)["answer"]
        took = (time.perf_counter() - began) * 1000
        if answer != expected:
            raise SystemExit(f"`{case.name}`: the rival says {answer}, {expected} is right")
        return took


def disk(server: Server, made: Made) -> dict[str, Any]:
    """What each logstore takes of its raw size, and what its text indexes do, as parts of one."""
    answer = json.loads(server.request(server.connect(), "GET", "/api/v1/projects/bench/storage"))
    found = {row["logstore"]: row for row in answer}
    shares: dict[str, Any] = {}
    for name, row in found.items():
        kind = "app" if name == "app" else "nginx"
        raw, text = made.raw_per_event[kind] * row["events"], made.text_per_event[kind] * row["events"]
        shares[name] = {
            "events": row["events"], "raw_mb": raw / 1e6, "share": row["bytes"] / raw, "index_share": row["index_bytes"] / raw,
            "text_mb": text / 1e6, "share_of_text": row["bytes"] / text,
        }  # fmt: skip
    return shares


def measure(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    made = data(directory, options.nginx, options.app, options.seed)
    asked = cases(made.seed, {"nginx": made.nginx, "app": made.app}, options.seed)
    rival = Rival(Asked(options.rival), directory) if options.rival else None
    taken = asyncio.run(rooms(directory / "home"))
    with running_server(directory / "home") as server:
        while not server.is_ready():
            time.sleep(0.01)
        result: dict[str, Any] = {**asdict(made), "raw_mb": made.raw_mb, "ready_secs": time.monotonic() - server.began}
        result["disk"], result["rooms"] = disk(server, made), taken
        server.wait_until_quiet()
        result["idle_mb"] = server.rss()
        bench = Bench(server, made)
        known: dict[str, int] = {}
        rows = {(case.name, span): first(bench, case, span, options.rounds, known) for case in asked for span in SPANS}
        result["at_once_mb"] = bench.memory_at_once(asked)
        if options.ingest:
            result |= while_writing(bench, asked, rows, options)
        if rival is not None:
            for case in asked:
                for span, bounds in SPANS.items():
                    times = [rival.time(case, bounds, bench.expected(case, bounds)) for _ in range(min(3, options.rounds))]
                    rows[case.name, span].rival_ms = statistics.median(times)
            rival.asked.close()
    return {**result, "load": os.getloadavg()[0], "rows": [asdict(row) for row in rows.values()]}


def first(bench: Bench, case: Case, span: str, rounds: int, known: dict[str, int]) -> Row:
    """In quiet; the first answer, which warms up, is checked."""
    distinct = bench.distinct(case, known)
    hits = bench.check(case, SPANS[span], span)
    times, read = bench.time(case, SPANS[span], rounds)
    floor = case.floor_ms if span == "all" or case.floor_ms is None else min(case.floor_ms, LAST_FLOOR_MS)
    return Row(case.name, span, min(times), statistics.median(times), percentile(times), read, hits, case.field, distinct, floor)


def while_writing(bench: Bench, asked: Sequence[Case], rows: dict[tuple[str, str], Row], options: argparse.Namespace) -> dict[str, Any]:
    """All of it again. What is written lies after the spans, so that answers stay what they are."""
    with tempfile.TemporaryDirectory() as folder:
        load = prepare("nginx", data_file("nginx", max(20, int(options.ingest) * 5), Path(folder)))
    with Writing(bench.server, load, options.ingest) as writing:
        time.sleep(SETTLE_SECS)
        for case in asked:
            for span, bounds in SPANS.items():
                bench.check(case, bounds, span)
                found, _ = bench.time(case, bounds, options.rounds)
                row = rows[case.name, span]
                row.ingesting_median_ms, row.ingesting_p99_ms = statistics.median(found), percentile(found)
    return {
        "ingest_mb_per_sec": options.ingest,
        "acknowledged_p99_ms": percentile(writing.acknowledged_ms),
        "late_secs": writing.late_secs,
    }


def percentile(times: Sequence[float], share: float = 0.99) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def show(result: dict[str, Any]) -> None:
    print(
        f"{result['nginx']} nginx and {result['app']} app events, {result['raw_mb']:.0f} MB raw, seed {result['seed']}, load {result['load']:.1f}"
    )
    print(
        f"ready after {result['ready_secs']:.1f} s; {result['idle_mb']:.0f} MB idle, {result['at_once_mb']:.0f} MB under {AT_ONCE} queries"
    )
    for name, share in result["disk"].items():
        print(
            f"disk: {name:12} {share['events']:9} events, {share['share']:.1%} of {share['raw_mb']:.0f} MB of JSON lines"
            f" (text indexes {share['index_share']:.1%}), {share['share_of_text']:.1%} of {share['text_mb']:.0f} MB of text lines"
        )
    if "ingest_mb_per_sec" in result:
        print(
            f"at {result['ingest_mb_per_sec']:.0f} MB/s: acknowledged p99 {result['acknowledged_p99_ms']:.0f} ms,"
            f" at most {result['late_secs']:.1f} s late"
        )
    for name, sizes in result["rooms"].items():
        whole = sum(sizes.values())
        print(f"of {name}: " + ", ".join(f"{part} {size / whole:.1%}" for part, size in sizes.items() if size > whole / 200))
    columns = ("floor_ms", "least_ms", "median_ms", "p99_ms", "ingesting_median_ms", "ingesting_p99_ms", "rival_ms")
    print(
        f"{'query':32} {'span':9} {'field':13} {'distinct':>9} {'hits':>9} {'rows read':>9} "
        + " ".join(f"{name.removesuffix('_ms'):>16}" for name in columns)
    )
    for row in result["rows"]:
        missed = "  missed" if row["floor_ms"] is not None and row["median_ms"] > row["floor_ms"] else ""
        values = " ".join(f"{row[name]:16.1f}" if row[name] is not None else f"{'-':>16}" for name in columns)
        distinct = "-" if row["distinct"] is None else row["distinct"]
        print(f"{row['query']:32} {row['span']:9} {row['field']:13} {distinct:>9} {row['hits']:9} {row['rows_read']:9} {values}{missed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nginx", type=int, default=1_000_000)
    parser.add_argument("--app", type=int, default=600_000)
    parser.add_argument("--full", action="store_true", help="10 M logs, 5 GB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--ingest", type=float, default=10.0, help="MB of log file per second in the second half; 0: none")
    parser.add_argument("--rival", default="", help="a command that is asked the same, over Parquet")
    parser.add_argument("--keep", type=Path, help="a directory for the data, which another run finds again; by default a temporary one")
    options = parser.parse_args()
    if options.full:
        options.nginx, options.app = FULL["nginx"], FULL["app"]
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        result = measure(options, options.keep)
    else:
        with tempfile.TemporaryDirectory() as directory:
            result = measure(options, Path(directory))
    show(result)
    print(json.dumps({"bench": "query", **result}))


if __name__ == "__main__":
    main()

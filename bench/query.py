"""Latency of typical queries over generated logs, through the query layer and the storage engine, result caches off.

    python bench/query.py [--nginx 1000000] [--app 600000] [--rounds 5] [--seed N] [--rival COMMAND] [--keep DIR]

Two logstores, as `storage-engine` was measured: nginx (12 keys, 24 h, ids of 32 hex digits in every event) and app (7 keys, messages of 18
words). Everything is made by arithmetic on the event's number, so that the right answer of every query is known without asking; each
answer is compared before it is timed. Constants move with `--seed`, which is new for every run.

Each query runs over all 24 hours and over their last 1 %. A rival (`rival.py`) is asked `{"name", "files", "kind", "search", "sql", "start",
"end", "table"}` and answers `{"answer": …}`; it gets the same logs as Parquet. Prints a table in ms (least, median, and the engine's rows read), and one
JSON line at the end.
"""

import argparse
import asyncio
import hashlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rival import Asked

from tailrace.server.query.service import Page, Queries
from tailrace.server.query.window import NS, Window
from tailrace.server.store.engine import Engine
from tailrace.server.store.port import FieldIndex, LineIndex, TableSpec
from tailrace.server.store.schema import create_statement, table_name

DAY = 86_400
BEGIN = 1_760_000_000
TOKENS = (",", " ", "'", '"', ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/", ":", "\n", "\t", "\r")
BLOCK = 200_000

NGINX = TableSpec(1, 3650, line=LineIndex(TOKENS), fields=(
    FieldIndex("c1", "status", "long"), FieldIndex("c2", "request_time", "double"), FieldIndex("c3", "host", "text", TOKENS),
    FieldIndex("c4", "uri", "text", TOKENS), FieldIndex("c5", "method", "text", TOKENS),
))  # fmt: skip
APP = TableSpec(2, 3650, line=LineIndex(TOKENS), fields=(FieldIndex("c1", "level", "text", TOKENS),))

# Fields as expressions over `n`, the event's number; `?` is the run's seed. Ids are of random hex digits: the worst case for an index.
NGINX_FIELDS = {
    "host": "concat('host-', toString((n + ?) % 50))",
    "status": "toString([200, 200, 200, 304, 404, 500, 502, 200, 200, 301][1 + (n * 7 + ?) % 10])",
    "request_time": "toString(((n * 7919 + ?) % 1000) / 1000)",
    "uri": "concat('/api/v', toString(n % 9), '/items/', toString(cityHash64(n, ?) % 4600000), '?page=', toString(n % 17))",
    "method": "['GET', 'GET', 'GET', 'POST'][1 + n % 4]",
    "remote_addr": "concat('10.', toString(n % 200), '.', toString(intDiv(n, 200) % 250), '.', toString(n % 97))",
    "request_id": "lower(hex(MD5(concat('request-', toString(?), '-', toString(n)))))",
    "user_agent": "concat('Mozilla/5.0 (X11; Linux) Gecko/', toString(n % 40), ' Firefox/', toString(n % 60))",
    "referer": "concat('https://www.example.com/page/', toString(n % 3000))",
    "bytes_sent": "toString((n * 31) % 90000)",
    "scheme": "'https'",
    "upstream": "concat('10.9.0.', toString(n % 30), ':8080')",
}
WORD = "concat('w', toString(cityHash64(n, ?, k) % 20000))"
APP_FIELDS = {
    "level": "['INFO', 'INFO', 'INFO', 'WARN', 'ERROR'][1 + n % 5]",
    "logger": "concat('com.example.service.C', toString(n % 80))",
    "thread": "concat('pool-1-thread-', toString(n % 16))",
    "trace_id": "lower(hex(MD5(concat('trace-', toString(?), '-', toString(n)))))",
    "message": f"concat(arrayStringConcat(arrayMap(k -> {WORD}, range(18)), ' '), if(n % 50000 = ? % 50000, ' Rarity', ''),"
    " if(n % 3 = 0, ' timeout', ''))",
    "class": "concat('C', toString(n % 80))",
    "line": "toString(n % 900)",
}


@dataclass(frozen=True)
class Case:
    """One query; `answer` says what has to come out for events `first` … `last` (numbers, the last not included)."""

    name: str
    table: TableSpec
    search: str
    answer: Callable[[range], Any]
    sql: str = ""
    kind: str = "rows"


@dataclass
class Row:
    query: str
    span: str
    least_ms: float
    median_ms: float
    rows_read: int
    rival_ms: float | None = None


def cases(seed: int, sizes: dict[int, int]) -> list[Case]:
    """The queries of the storage comparison, with this run's constants."""
    chance = random.Random(seed)
    wanted = sizes[1] - 1 - chance.randrange(sizes[1] // 200)
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
        Case("rare token anywhere, newest 100", APP, "rarity", lambda span: min(100, every(50000, seed % 50000)(span))),
        Case("rare hex id anywhere", NGINX, request_id, lambda span: int(wanted in span)),
        Case("common token, newest 100", APP, "timeout", lambda span: min(100, every(3, 0)(span))),
        Case("two tokens, count", APP, "timeout error", both, count),
        Case("token and field, count", APP, "timeout level:ERROR", both, count),
        Case("indexed field = value, count", NGINX, "status = 502", of_status, count),
        Case("field without index, count", NGINX, "scheme:https and upstream:10.9.0.7", every(30, 7), count),
        Case("histogram", NGINX, "", len, kind="histogram"),
        Case("histogram of a common token", APP, "timeout", every(3, 0), kind="histogram"),
        Case("top 10 of 50 hosts", NGINX, "*", ten, "select host, count(*) as hits group by host order by hits desc limit 10"),
        Case("top 10 of 4.6 M uris", NGINX, "*", ten, "select uri, count(*) as hits group by uri order by hits desc limit 10"),
        Case("regex on a column, count", NGINX, f"host:host-{host}", every(50, wanted % 50),
             f"select count(*) as answer where regexp_like(host, '^host-{host}$')"),
        Case("p99 per minute", NGINX, "*", len,
             "select date_trunc('minute', __time__) as minute, approx_percentile(request_time, 0.99) as p99 group by minute limit 2000"),
        Case("newest 100", NGINX, "*", lambda span: min(100, len(span))),
    ]  # fmt: skip


class Bench:
    """One engine with both logstores."""

    def __init__(self, directory: Path, sizes: dict[int, int], seed: int) -> None:
        self.engine = Engine(directory / "engine")
        self.queries = Queries(self.engine)  # type: ignore[arg-type]  # `query` and `cancel` are all that it needs
        self.directory, self.sizes, self.seed = directory, sizes, seed

    async def fill(self) -> dict[str, float]:
        """Both tables, generated in the engine; raw MB and seconds."""
        await self.engine.open()
        began, raw = time.monotonic(), 0
        for table, fields in ((NGINX, NGINX_FIELDS), (APP, APP_FIELDS)):
            await self.engine.execute(create_statement(table))
            for first in range(0, self.sizes[table.logstore], BLOCK):
                await self.engine.execute(self._insert(table, fields, first))
            found = await self.engine.execute(
                f"SELECT sum(arraySum(v -> length(v), mapValues(fields)) + arraySum(k -> length(k), mapKeys(fields)) + 40)"
                f" FROM {table_name(table.logstore)}"
            )
            raw += int(str(found.rows[0][0]))
        return {"raw_mb": raw / 1e6, "fill_secs": time.monotonic() - began}

    def _insert(self, table: TableSpec, fields: dict[str, str], first: int) -> str:
        total = self.sizes[table.logstore]
        pairs = ", ".join(f"'{key}', {expression.replace('?', str(self.seed))}" for key, expression in fields.items())
        pairs = pairs.replace("'" + f"{self.seed}page=", "'?page=")  # the one question mark that is data
        return (
            f"INSERT INTO {table_name(table.logstore)} (time, recv, shard, seq, source, topic, fields)"
            f" SELECT fromUnixTimestamp64Milli({BEGIN * 1000} + toInt64(intDiv(n * {DAY * 1000}, {total})), 'UTC'), now64(3), n % 2, n,"
            f" concat('10.0.0.', toString(n % 20)), '', map({pairs})"
            f" FROM (SELECT number AS n FROM numbers({first}, {min(BLOCK, total - first)}))"
        )

    async def dump(self) -> dict[str, str]:
        """For a rival: the same logs as Parquet."""
        files = {}
        for table, fields in ((NGINX, NGINX_FIELDS), (APP, APP_FIELDS)):
            path = self.directory / f"{table_name(table.logstore)}.parquet"
            columns = ", ".join(f"fields['{key}'] AS {key}" for key in fields)
            await self.engine.execute(
                f"INSERT INTO FUNCTION file('{path}', 'Parquet') SELECT toUnixTimestamp64Milli(time) AS ms, source, {columns}"
                f" FROM {table_name(table.logstore)} ORDER BY time"
            )
            files[table_name(table.logstore)] = str(path)
        return files

    async def run(self, case: Case, window: Window) -> tuple[Any, int]:
        """What came out, in the form of `case.answer`, and rows read."""
        if case.kind == "histogram":
            found = await self.queries.histogram(case.table, case.search, window)
            return sum(interval.count for interval in found), 0
        statement = f"{case.search or '*'} | {case.sql}" if case.sql else case.search
        answer = await self.queries.ask(case.table, "bench", statement, window, Page(100, 0, reverse=True))
        if answer.rows and "answer" in answer.rows[0]:
            return int(answer.rows[0]["answer"]), answer.read_rows
        return len(answer.rows), answer.read_rows

    def expected(self, case: Case, window: Window) -> Any:
        """The events whose number lies in the window, put to the case's own arithmetic."""
        total = self.sizes[case.table.logstore]
        numbers = [-(-(at - BEGIN * NS) * total // (DAY * NS)) for at in (window.start, window.end)]
        span = range(max(0, numbers[0]), min(total, numbers[1]))
        if case.name == "p99 per minute":
            return len({(BEGIN + n * DAY // total) // 60 for n in span})
        return case.answer(span)


@dataclass(frozen=True)
class Rival:
    """Another program over the same logs."""

    asked: Asked
    files: dict[str, str]

    def time(self, case: Case, window: Window, expected: Any) -> float:
        """Milliseconds; SystemExit when the answer is wrong."""
        question = {
            "name": case.name,
            "kind": case.kind,
            "search": case.search,
            "sql": case.sql,
            "start": window.start // NS,
            "end": window.end // NS,
            "files": self.files,
            "table": table_name(case.table.logstore),
        }
        began = time.perf_counter()
        answer = self.asked.ask(question)["answer"]
        took = (time.perf_counter() - began) * 1000
        if answer != expected:
            raise SystemExit(f"`{case.name}`: the rival says {answer}, {expected} is right")
        return took


async def timed(work: Callable[[], Awaitable[tuple[Any, int]]], rounds: int) -> tuple[list[float], int]:
    times, read = [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        _, read = await work()
        times.append((time.perf_counter() - began) * 1000)
    return times, read


async def measure(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    sizes = {1: options.nginx, 2: options.app}
    bench = Bench(directory, sizes, options.seed)
    filled = await bench.fill()
    rival = Rival(Asked(options.rival), await bench.dump()) if options.rival else None
    rows: list[Row] = []
    spans = {"all": Window(BEGIN * NS, (BEGIN + DAY) * NS), "last 1 %": Window((BEGIN + DAY - DAY // 100) * NS, (BEGIN + DAY) * NS)}
    for case in cases(options.seed, sizes):
        for span, window in spans.items():
            answer, _ = await bench.run(case, window)
            expected = bench.expected(case, window)
            if answer != expected:
                raise SystemExit(f"`{case.name}` over {span}: {answer} came out, {expected} is right")
            times, read = await timed(lambda case=case, window=window: bench.run(case, window), options.rounds)
            row = Row(case.name, span, min(times), statistics.median(times), read)
            if rival is not None:
                row.rival_ms = statistics.median(rival.time(case, window, expected) for _ in range(options.rounds))
            rows.append(row)
    await bench.engine.close()
    if rival is not None:
        rival.asked.close()
    return {**filled, "seed": options.seed, "nginx": options.nginx, "app": options.app, "rows": [asdict(row) for row in rows]}


def show(result: dict[str, Any]) -> None:
    print(f"{result['nginx']} nginx and {result['app']} app events, {result['raw_mb']:.0f} MB raw, seed {result['seed']}")
    print(f"{'query':34} {'span':9} {'least ms':>9} {'median ms':>10} {'rows read':>11} {'rival ms':>9}")
    for row in result["rows"]:
        rival = f"{row['rival_ms']:9.1f}" if row["rival_ms"] is not None else f"{'-':>9}"
        print(f"{row['query']:34} {row['span']:9} {row['least_ms']:9.1f} {row['median_ms']:10.1f} {row['rows_read']:11} {rival}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency of typical queries.")
    parser.add_argument("--nginx", type=int, default=1_000_000)
    parser.add_argument("--app", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--rival", default="", help="a command that is asked the same, over Parquet")
    parser.add_argument("--keep", type=Path, help="a directory for engine and Parquet files; by default a temporary one")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        result = asyncio.run(measure(options, options.keep))
    else:
        with tempfile.TemporaryDirectory() as directory:
            result = asyncio.run(measure(options, Path(directory)))
    show(result)
    print(json.dumps({"bench": "query", **result}))


if __name__ == "__main__":
    main()

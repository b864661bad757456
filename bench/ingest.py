"""The server's ingestion: MB of log files per second of CPU, durable, searchable, merged.

    python bench/ingest.py [--mb 200] [--kinds nginx,app] [--indexes all,line] [--connections 4] [--rounds 1] [--rival 'COMMAND {file}']

A server of its own is started on a home that is thrown away. Each file is parsed beforehand as the agent would, cut into lz4 LogGroups of
1 MB of log lines, and sent over HTTP by signed requests; every one of them is acknowledged, so durable. CPU is that of the server and its
storage engine, from the first request until the engine's merges are quiet. MB are 10^6 bytes of the *file*. `all` is full text over all
values and an index on every field, `line` full text alone. Afterwards a query has to count the right number of events.

A rival (`rival.py`) is run over `{file}`: it loads the file durably and ends when its own background work is quiet. Prints a table, and one JSON
line at the end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import rival
from served import running_server

from tailrace.batch import EventBatch, Pattern

GROUP = 1_000_000
NGINX = Pattern(r'(\S+) - (\S+) \[([^\]]+)\] "(\S+) (\S+) ([^"]+)" (\d+) (\d+) "([^"]*)" "([^"]*)"')
NGINX_KEYS = [b"remote_addr", b"remote_user", b"time_local", b"method", b"uri", b"protocol", b"status", b"bytes", b"referer", b"user_agent"]
FILES = {"nginx": "nginx", "app": "json"}
"""Kind to the generator's file: `app` is an application's JSON log."""


@dataclass
class Row:
    kind: str
    indexes: str
    mb: float
    events: int
    acknowledged_secs: float
    cpu_server: float
    cpu_engine: float
    cpu_until_searchable: float
    mb_per_core_sec: float
    peak_rss_mb: float


@dataclass
class Load:
    """One file, ready to be sent."""

    bodies: list[tuple[bytes, int]]
    keys: list[str]
    events: int
    size: int


def data_file(kind: str, mb: int, folder: Path) -> Path:
    path = folder / f"{mb}mb" / f"{FILES[kind]}.log"
    if not path.exists():
        command = [sys.executable, Path(__file__).with_name("gen_data.py"), "--out", path.parent, "--mb", str(mb), FILES[kind]]
        subprocess.run(command, check=True)
    return path


def prepare(kind: str, path: Path) -> Load:
    data = path.read_bytes()
    load = Load([], [], 0, len(data))
    start, now = 0, time.time_ns()
    while start < len(data):
        end = data.rfind(b"\n", start, start + GROUP) + 1
        batch = EventBatch.split_lines(data[start:end], time_ns=now)
        failed = batch.parse_regex(b"content", NGINX, NGINX_KEYS) if kind == "nginx" else batch.parse_json(b"content")
        assert failed.count == 0, failed.sample
        batch.source = b"10.0.0.1"
        encoded = batch.encode(compression="lz4", digest="none", tags=[(b"__path__", b"/var/log/app.log"), (b"__hostname__", b"host-1")])
        load.bodies.append((encoded.body, encoded.raw_size))
        load.events += encoded.events
        load.keys = [key.decode() for key in batch.keys]
        start = end
    return load


def measure(kind: str, indexes: str, load: Load, connections: int) -> Row:
    with running_server() as server:
        name = f"{kind}-{indexes}"
        server.make_logstore(name, load.keys, indexes)
        server.wait_until_quiet()
        before, began = server.cpu(), time.monotonic()
        bodies = Shared(load.bodies)
        threads = [threading.Thread(target=server.send, args=(name, bodies)) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        acknowledged, peak = time.monotonic() - began, server.rss()
        while server.backlog():
            peak = max(peak, server.rss())
            time.sleep(0.1)
        searchable = sum(server.cpu()) - sum(before)
        server.wait_until_quiet()
        after = server.cpu()
        assert (found := server.count(name)) == load.events, (found, load.events)
    cpu = (after[0] - before[0], after[1] - before[1])
    return Row(
        kind, indexes, load.size / 1e6, load.events, round(acknowledged, 2), round(cpu[0], 2), round(cpu[1], 2),
        round(searchable, 2), round(load.size / 1e6 / sum(cpu), 1), round(peak),
    )  # fmt: skip


class Shared:
    """One iterator for several threads."""

    def __init__(self, items: list[tuple[bytes, int]]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> "Shared":
        return self

    def __next__(self) -> tuple[bytes, int]:
        with self._lock:
            return next(self._items)


def measure_rival(command: str, kind: str, path: Path, events: int) -> Row:
    megabytes = path.stat().st_size / 1e6
    used = rival.run(command, events, file=path)
    cpu = round(used.cpu, 2)
    return Row(kind, "rival", megabytes, events, round(used.wall, 2), 0.0, cpu, cpu, round(megabytes / used.cpu, 1), used.rss / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--kinds", default="nginx,app")
    parser.add_argument("--indexes", default="all,line")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "tailrace-bench")
    parser.add_argument("--rival")
    options = parser.parse_args()
    rows: list[Row] = []
    columns = list(Row.__dataclass_fields__)
    print("  ".join(f"{name:>14}"[:22] for name in columns))
    for kind in options.kinds.split(","):
        path = data_file(kind, options.mb, options.data)
        load = prepare(kind, path)
        runs = [partial(measure, kind, indexes, load, options.connections) for indexes in options.indexes.split(",")]
        if options.rival:
            runs.append(partial(measure_rival, options.rival, kind, path, load.events))
        for run in runs * options.rounds:
            rows.append(run())
            print("  ".join(f"{value!s:>{max(14, len(name))}}" for name, value in asdict(rows[-1]).items()), flush=True)
    print(json.dumps({"bench": "ingest", "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()

"""How long after a line is written it can be found: 5 000 events/s into 20 files, 20 pipelines, 20 logstores, through the real agent and server.

    python bench/latency.py [--seconds 60] [--rate 5000] [--logstores 20] [--pure]

Twice a second one line with a mark of its own goes into one of the files among the others; a thread asks its logstore for the mark until it is
found. The clock starts before the write and stops when the answer is there, so that it includes half a poll (50 ms) and the query itself. At the end
the number of events in every logstore is compared with what was written. Prints a table and a JSON line.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from tailrace.cli.client import Client
from tailrace.cli.connection import Connection
from tailrace.cli.up.first_run import INDEX

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]
POLL_SECS = 0.1
TICKS_PER_SEC = 10
TICKS_PER_PROBE = 5
GIVE_UP_SECS = 30.0
PROJECT = "latency"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bench:
    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.names = [f"store-{number}" for number in range(options.logstores)]
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self.env = {**os.environ, "TAILRACE_PURE": "1" if options.pure else "0"}
        self.latencies: list[float] = []
        self.missed = 0
        self.written = dict.fromkeys(self.names, 0)

    def run(self) -> dict[str, object]:
        home = self.folder / "home"
        with (self.folder / "processes.log").open("ab") as log:
            server = self._start(log, "server", "run", "--home", str(home), "--port", self.endpoint.rpartition(":")[2])
            try:
                self._wait_for_server()
                self.key = json.loads((home / "secret" / "admin.json").read_text())
                self._prepare()
                agent = self._start(
                    log, "agent", "run", "--home", str(home), "--pipelines", str(self.folder / "pipelines"), "--enrol-local", self.endpoint
                )
                time.sleep(5)
                self._write_and_look()
                time.sleep(5)
                found = {name: self._count(name) for name in self.names}
                agent.send_signal(signal.SIGTERM)
                agent.wait(30)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(30)
        if found != self.written:
            raise SystemExit(f"written {self.written}, found {found}")
        return self._summary()

    def _start(self, log: IO[bytes], *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*TAILRACE, *words], stdout=log, stderr=log, env=self.env)

    def _wait_for_server(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.endpoint}/readyz", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit((self.folder / "processes.log").read_text())

    def _prepare(self) -> None:
        pipelines = self.folder / "pipelines"
        pipelines.mkdir()
        for name in self.names:
            with self._client(name) as admin:
                admin.create("/", {"projectName": PROJECT, "description": ""}, exists="ProjectAlreadyExist")
                admin.create("/logstores", {"logstoreName": name, "ttl": 1, "shardCount": 1}, exists="LogStoreAlreadyExist")
                admin.create(f"/logstores/{name}/index", INDEX, exists="IndexAlreadyExist")
            (self.folder / f"{name}.log").touch()
            pipeline = {
                "inputs": [{"Type": "input_file", "FilePaths": [str(self.folder / f"{name}.log")], "TailingAllMatchedFiles": True}],
                "flushers": [{"Type": "flusher_sls", "Endpoint": self.endpoint, "Project": PROJECT, "Logstore": name}],
            }
            (pipelines / f"{name}.json").write_text(json.dumps(pipeline))

    def _client(self, name: str) -> Client:
        return Client(Connection(self.endpoint, self.key["key_id"], self.key["key_secret"], PROJECT, name))

    def _write_and_look(self) -> None:
        files = {name: (self.folder / f"{name}.log").open("ab", buffering=0) for name in self.names}
        filler = b"level=info " + b"request served in a time that nobody would complain about " * 4
        share = self.options.rate // TICKS_PER_SEC // len(self.names)
        with ThreadPoolExecutor(16) as lookers:
            begin = time.monotonic()
            for tick in range(self.options.seconds * TICKS_PER_SEC):
                time.sleep(max(0.0, begin + tick / TICKS_PER_SEC - time.monotonic()))
                for name, out in files.items():
                    out.write(b"".join(b"n=%d-%d %s\n" % (tick, number, filler) for number in range(share)))
                    self.written[name] += share
                if tick % TICKS_PER_PROBE == 0:
                    name, mark = self.names[tick // TICKS_PER_PROBE % len(self.names)], f"mark{tick}x{os.getpid()}"
                    written_at = time.monotonic()
                    files[name].write(f"probe {mark}\n".encode())
                    self.written[name] += 1
                    lookers.submit(self._look, name, mark, written_at)
        for out in files.values():
            out.close()

    def _look(self, name: str, mark: str, written_at: float) -> None:
        now = int(time.time())
        with self._client(name) as client:
            while time.monotonic() - written_at < GIVE_UP_SECS:
                if client.get_logs(mark, now - 3600, now + 3600, line=1)["data"]:
                    self.latencies.append(time.monotonic() - written_at)
                    return
                time.sleep(POLL_SECS)
        self.missed += 1

    def _count(self, name: str) -> int:
        now = int(time.time())
        with self._client(name) as client:
            return int(client.get_logs("* | select count(1) as c from log", now - 3600, now + 3600)["data"][0]["c"])

    def _summary(self) -> dict[str, object]:
        cuts = statistics.quantiles(self.latencies, n=100)
        return {
            "bench": "latency", "pure": self.options.pure, "events_per_sec": self.options.rate, "logstores": len(self.names),
            "probes": len(self.latencies), "missed": self.missed, "p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(self.latencies),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=5000, help="events per second over all logstores")
    parser.add_argument("--logstores", type=int, default=20)
    parser.add_argument("--pure", action="store_true", help="the pure-Python engine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailrace-latency-") as folder:
        summary = Bench(Path(folder), options).run()
    print(f"{summary['probes']} probes, {summary['missed']} not found; write to searchable, seconds:")
    print("   ".join(f"{name} {summary[name]:.2f}" for name in ("p50", "p90", "p99", "max")))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

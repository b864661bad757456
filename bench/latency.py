"""How long after a line is written it can be found: 5 000 events/s into 20 files, 20 pipelines, 20 logstores, through the real agent and server.

    python bench/latency.py [--seconds 60] [--rate 5000] [--logstores 20] [--pure] [--rival 'CMD {folder}']

Twice a second one line with a mark of its own goes into one of the files among the others; a thread asks its logstore for the mark until it is
found. The clock starts before the write and stops when the answer is there, so that it includes half a poll (50 ms) and the query itself. At the end
the number of events in every logstore is compared with what was written. Of our server also the averages of its own parts are printed: until a write is
durable, from there until it can be found, and how much of that is the block's insertion.

A rival (`rival.py`) gets the same load in a run of its own afterwards: it follows the files `store-N.log` of `{folder}`, is asked
`{"logstore": "store-N", "mark": TEXT}` for lines with a mark and answers `{"found": true | false}`; asked `{"logstore": "store-N"}` it answers
`{"events": N}`. Prints a table and a JSON line.
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
import threading
import time
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Protocol

from rival import Asked

from tailrace.cli.client import Client
from tailrace.cli.connection import Connection
from tailrace.cli.up.first_run import INDEX

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]
POLL_SECS = 0.1
TICKS_PER_SEC = 10
TICKS_PER_PROBE = 5
SETTLE_SECS = 5.0
GIVE_UP_SECS = 30.0
PROJECT = "latency"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Subject(Protocol):
    """What is measured: follows `store-N.log` files and answers. `found` and `count` are called from several threads."""

    def found(self, name: str, mark: str) -> bool: ...

    def count(self, name: str) -> int: ...


class Tailrace(AbstractContextManager["Tailrace"]):
    """Our agent and our server, as processes."""

    def __init__(self, folder: Path, names: list[str], *, pure: bool) -> None:
        self.folder, self.names = folder, names
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self.env = {**os.environ, "TAILRACE_PURE": "1" if pure else "0"}
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Tailrace":
        home = self.folder / "home"
        pipelines = self.folder / "pipelines"
        with (self.folder / "processes.log").open("ab") as log:
            self._start(log, "server", "run", "--home", str(home), "--port", self.endpoint.rpartition(":")[2])
            self._wait_for_server()
            self.key = json.loads((home / "secret" / "admin.json").read_text())
            self._prepare(pipelines)
            self._start(log, "agent", "run", "--home", str(home), "--pipelines", str(pipelines), "--enrol-local", self.endpoint)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def found(self, name: str, mark: str) -> bool:
        now = int(time.time())
        with self._client(name) as client:
            return bool(client.get_logs(mark, now - 3600, now + 3600, line=1)["data"])

    def count(self, name: str) -> int:
        now = int(time.time())
        with self._client(name) as client:
            return int(client.get_logs("* | select count(1) as c from log", now - 3600, now + 3600)["data"][0]["c"])

    def parts(self) -> dict[str, float]:
        """Average seconds of the server's parts of the way."""
        with urllib.request.urlopen(f"{self.endpoint}/metrics", timeout=10) as answer:
            lines = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
        values = {words[0]: float(words[1]) for words in lines if len(words) == 2}
        names = {"durable": "ingest", "searchable": "store_searchable", "insertion": "store_insert"}
        return {
            part: values[f"tailrace_{name}_seconds_sum"] / max(values[f"tailrace_{name}_seconds_count"], 1) for part, name in names.items()
        }

    def _start(self, log: IO[bytes], *words: str) -> None:
        self.processes.append(subprocess.Popen([*TAILRACE, *words], stdout=log, stderr=log, env=self.env))

    def _wait_for_server(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.endpoint}/readyz", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit((self.folder / "processes.log").read_text())

    def _prepare(self, pipelines: Path) -> None:
        pipelines.mkdir()
        for name in self.names:
            with self._client(name) as admin:
                admin.create("/", {"projectName": PROJECT, "description": ""}, exists="ProjectAlreadyExist")
                admin.create("/logstores", {"logstoreName": name, "ttl": 1, "shardCount": 1}, exists="LogStoreAlreadyExist")
                admin.create(f"/logstores/{name}/index", INDEX, exists="IndexAlreadyExist")
            pipeline = {
                "inputs": [{"Type": "input_file", "FilePaths": [str(self.folder / f"{name}.log")], "TailingAllMatchedFiles": True}],
                "flushers": [{"Type": "flusher_sls", "Endpoint": self.endpoint, "Project": PROJECT, "Logstore": name}],
            }
            (pipelines / f"{name}.json").write_text(json.dumps(pipeline))

    def _client(self, name: str) -> Client:
        return Client(Connection(self.endpoint, self.key["key_id"], self.key["key_secret"], PROJECT, name))


class Rival(AbstractContextManager["Rival"]):
    """Another program that follows the same files; one question at a time."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command, self.folder = command, folder
        self.lock = threading.Lock()

    def __enter__(self) -> "Rival":
        self.asked = Asked(self.command, folder=self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.close()

    def found(self, name: str, mark: str) -> bool:
        with self.lock:
            return bool(self.asked.ask({"logstore": name, "mark": mark})["found"])

    def count(self, name: str) -> int:
        with self.lock:
            return int(self.asked.ask({"logstore": name})["events"])


class Load:
    """The writer, and the lookers that search for its marks."""

    def __init__(self, folder: Path, names: list[str], options: argparse.Namespace) -> None:
        self.folder, self.names, self.options = folder, names, options
        self.latencies: list[float] = []
        self.missed = 0
        self.written = dict.fromkeys(names, 0)

    def run(self, subject: Subject) -> dict[str, float]:
        """Seconds, and how many were looked for; SystemExit when the subject has other numbers of events than were written."""
        time.sleep(SETTLE_SECS)
        self._write_and_look(subject)
        time.sleep(SETTLE_SECS)
        found = {name: subject.count(name) for name in self.names}
        if found != self.written:
            raise SystemExit(f"written {self.written}, found {found}")
        cuts = statistics.quantiles(self.latencies, n=100)
        seconds = {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(self.latencies)}
        return {**seconds, "probes": len(self.latencies)}

    def _write_and_look(self, subject: Subject) -> None:
        files = {name: (self.folder / f"{name}.log").open("ab", buffering=0) for name in self.names}
        filler = b"level=info " + b"request served in a time that nobody would complain about " * 4
        share = self.options.rate // TICKS_PER_SEC // len(self.names)
        with ThreadPoolExecutor(16) as lookers:
            begin, looks = time.monotonic(), list[Future[None]]()
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
                    looks.append(lookers.submit(self._look, subject, name, mark, written_at))
        for out in files.values():
            out.close()
        for look in looks:
            look.result()  # what went wrong there must not go unnoticed
        if self.missed:
            raise SystemExit(f"{self.missed} marks were not found within {GIVE_UP_SECS:.0f} s")

    def _look(self, subject: Subject, name: str, mark: str, written_at: float) -> None:
        while time.monotonic() - written_at < GIVE_UP_SECS:
            if subject.found(name, mark):
                self.latencies.append(time.monotonic() - written_at)
                return
            time.sleep(POLL_SECS)
        self.missed += 1


def measure(who: str, options: argparse.Namespace) -> dict[str, Any]:
    names = [f"store-{number}" for number in range(options.logstores)]
    with tempfile.TemporaryDirectory(prefix="tailrace-latency-") as text:
        folder = Path(text)
        for name in names:
            (folder / f"{name}.log").touch()
        subject = Rival(options.rival, folder) if who == "rival" else Tailrace(folder, names, pure=options.pure)
        with subject:
            seconds = Load(folder, names, options).run(subject)
            return {"who": who, **seconds, "parts": subject.parts() if isinstance(subject, Tailrace) else {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=5000, help="events per second over all logstores")
    parser.add_argument("--logstores", type=int, default=20)
    parser.add_argument("--pure", action="store_true", help="the pure-Python engine")
    parser.add_argument("--rival", help="a command with {folder}, run afterwards (rival.py)")
    options = parser.parse_args()
    print(f"{'':10}" + "".join(f"{name:>8}" for name in ("p50", "p90", "p99", "max", "probes")) + "   (seconds from write to searchable)")
    rows: list[dict[str, Any]] = []
    for who in ["tailrace", *(["rival"] if options.rival else [])]:
        row = measure(who, options)
        rows.append(row)
        times = "".join(f"{row[name]:8.2f}" for name in ("p50", "p90", "p99", "max"))
        print(f"{who:10}{times}{row['probes']:8}", flush=True)
        print("  ".join(f"{part} {secs:.2f}" for part, secs in row["parts"].items()), flush=True)
    shared = {"pure": options.pure, "events_per_sec": options.rate, "logstores": options.logstores}
    print(json.dumps({"bench": "latency", **shared, "rows": rows}))


if __name__ == "__main__":
    main()

"""The whole agent, from files to a sink that acknowledges, beside the C yardstick in the same minutes.

    python bench/agent.py [--mb 1000] [--pairs 5] [--only simple,nginx] [--pure] [--live] [--rival 'CMD {file} {port}'] [--verify-mb 100]

Each row: medians of interleaved pairs (yardstick, agent, yardstick, agent, …) of CPU seconds (user + system of the whole process, all
threads) per GB (10^9 bytes) of the file. The agent's start-up, measured by runs over a one-line file, is taken off and shown apart. Before
that, an untimed run into `decoding_sink.py` proves that the events that come out are those that went in, each once. Durable checkpoints are on,
limits are off, no time is parsed. `--live` appends 10 MB/s to a file and shows the share of a core and the peak memory.

Prints a table, and one JSON line at the end.
"""

import argparse
import contextlib
import json
import os
import random
import re
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from decoding_sink import multiset_hash
from formats import FORMATS, GENERATED, Format

HERE = Path(__file__).parent
BIN = HERE / "bin"


@dataclass
class Usage:
    """What one process used: CPU seconds, wall seconds, peak resident bytes."""

    cpu: float
    wall: float
    rss: int


@dataclass
class Row:
    format: str
    yardstick: float
    """CPU s/GB, as `agent` and `rival`."""
    agent: float
    ratio: float
    ceiling: float
    wall_mb_s: float
    startup_cpu: float
    rss_mib: float
    events: int
    rival: float | None = None


def build() -> None:
    BIN.mkdir(exist_ok=True)
    for name, libraries in (("limits", ["-llz4", "-lzstd", "-lcrypto"]), ("sink", [])):
        source, target = HERE / f"{name}.c", BIN / name
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["cc", "-O3", "-march=native", "-w", "-o", target, source, *libraries], check=True)


def data_file(fmt: Format, mb: int, folder: Path) -> Path:
    folder = folder / f"{mb}mb"
    if fmt.line is None:
        path = folder / f"{GENERATED[fmt.name]}.log"
        if not path.exists():
            subprocess.run([sys.executable, HERE / "gen_data.py", "--out", folder, "--mb", str(mb), GENERATED[fmt.name]], check=True)
        return path
    path = folder / f"{fmt.name}.log"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        r = random.Random(fmt.name)
        block = "".join(fmt.line(r) + "\n" for _ in range(40_000)).encode()
        with path.open("wb") as out:
            while out.tell() + len(block) <= mb * 1_000_000 or out.tell() == 0:
                out.write(block)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(*command: str | Path, port: int) -> Iterator[None]:
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def use(command: list[str], env: dict[str, str] | None = None) -> tuple[Usage, str]:
    """Run to the end; the operating system's own account of it, and what it printed."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        status, used, peak = wait(process)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    if process.returncode != 0:
        raise SystemExit(f"`{shlex.join(command)}` ended with {process.returncode}:\n{text[-3000:]}")
    return Usage(used.ru_utime + used.ru_stime, time.monotonic() - begin, peak), text


def wait(process: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage, int]:
    """Status, rusage and peak resident bytes. `ru_maxrss` would not do: across the exec it keeps the peak of this bench's own process."""
    peak = 0
    while True:
        with contextlib.suppress(OSError):
            match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peak = int(match[1]) * 1024 if match else peak
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            return status, used, peak
        time.sleep(0.05)


def agent_home(fmt: Format, log: Path, port: int, home: Path) -> list[str]:
    """Write the pipeline; the command that runs it to the end."""
    pipelines = home / "pipelines"
    pipelines.mkdir(parents=True)
    pipeline = {
        "inputs": [{"Type": "input_file", "FilePaths": [str(log)], "TailingAllMatchedFiles": True, **fmt.input_options}],
        "processors": list(fmt.processors),
        "flushers": [
            {
                "Type": "flusher_sls",
                "Endpoint": f"http://127.0.0.1:{port}",
                "Project": "bench",
                "Logstore": "bench",
                "Region": "local",
                "AccessKeyId": "bench",
                "AccessKeySecret": "bench",
            }
        ],
    }
    (pipelines / "bench.yaml").write_text(yaml.safe_dump(pipeline))
    return [sys.executable, "-m", "tailrace.cli.main", "agent", "run", "--home", str(home), "--pipelines", str(pipelines)]


def run_agent(fmt: Format, log: Path, port: int, env: dict[str, str]) -> Usage:
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        return use([*agent_home(fmt, log, port, Path(folder)), "--exit-when-drained"], env)[0]


def run_yardstick(fmt: Format, log: Path, port: int) -> float:
    _, text = use([str(BIN / "limits"), "pipe", str(log), str(port), "512", fmt.yardstick])
    match = re.search(r"([\d.]+) cpu-s/GB", text)
    assert match, text
    return float(match[1])


def verify(fmt: Format, mb: int, folder: Path, env: dict[str, str]) -> int:
    """Untimed: the multiset of events that came out is the one that an independent parse gives. Returns how many."""
    log, port = data_file(fmt, mb, folder), free_port()
    with running(sys.executable, HERE / "decoding_sink.py", str(port), port=port):
        run_agent(fmt, log, port, env)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as answer:
            stats = json.load(answer)
    events, total = multiset_hash(fmt.expected(log.read_bytes()))
    if (stats["events"], stats["hash"]) != (events, f"{total:032x}"):
        raise SystemExit(f"{fmt.name}: {stats['events']} events came out, {events} went in, or their contents differ")
    return events


def startup(fmt: Format, port: int, env: dict[str, str]) -> float:
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        log = Path(folder) / "one.log"
        log.write_bytes(b"2026-11-22 00:00:00 one line\n")
        return statistics.median(run_agent(fmt, log, port, env).cpu for _ in range(3))


def measure(fmt: Format, options: argparse.Namespace, env: dict[str, str]) -> Row:
    events = verify(fmt, options.verify_mb, options.data, env)
    log, port = data_file(fmt, options.mb, options.data), free_port()
    size = log.stat().st_size
    log.read_bytes()  # into the page cache
    with running(BIN / "sink", "http", str(port), port=port):
        start = startup(fmt, port, env)
        yardstick: list[float] = []
        agent: list[Usage] = []
        rival: list[float] = []
        for _ in range(options.pairs):
            yardstick.append(run_yardstick(fmt, log, port))
            agent.append(run_agent(fmt, log, port, env))
            if options.rival:
                command = shlex.split(options.rival.format(file=log, port=port))
                rival.append(use(command)[0].cpu / (size / 1e9))
    ours = statistics.median((usage.cpu - start) / (size / 1e9) for usage in agent)
    bar = statistics.median(yardstick)
    wall = statistics.median(usage.wall for usage in agent)
    peak = max(usage.rss for usage in agent)
    return Row(
        fmt.name,
        bar,
        ours,
        ours / bar,
        fmt.ceiling,
        size / 1e6 / wall,
        start,
        peak / 2**20,
        events,
        statistics.median(rival) if rival else None,
    )


def live(fmt: Format, options: argparse.Namespace, env: dict[str, str]) -> dict[str, float | str]:
    """10 MB/s in 10 ms slices for 20 s: share of one core, and peak memory."""
    source = data_file(fmt, options.verify_mb * 3, options.data).read_bytes()
    port, seconds, rate = free_port(), 20, 10_000_000
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder, running(BIN / "sink", "http", str(port), port=port):
        log = Path(folder) / "live.log"
        log.touch()
        process = subprocess.Popen(agent_home(fmt, log, port, Path(folder) / "home"), env={**os.environ, **env}, stderr=subprocess.DEVNULL)
        time.sleep(3)
        before = cpu_of(process.pid)
        writer = threading.Thread(target=append, args=(log, source, rate, seconds))
        writer.start()
        writer.join()
        share = (cpu_of(process.pid) - before) / seconds * 100
        process.send_signal(signal.SIGTERM)
        _, _, peak = wait(process)
        process.returncode = 0
    return {"format": fmt.name, "core_percent": share, "rss_mib": peak / 2**20}


def append(log: Path, source: bytes, rate: int, seconds: int) -> None:
    begin, sent = time.monotonic(), 0
    with log.open("ab", buffering=0) as out:
        while (elapsed := time.monotonic() - begin) < seconds:
            due = min(int(rate * elapsed), len(source))
            out.write(source[sent:due])
            sent = max(sent, due)
            time.sleep(0.01)


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--verify-mb", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="comma-separated formats")
    parser.add_argument("--pure", action="store_true", help="the pure-Python engine, without a floor")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--rival", help="a command with {file} and {port}, run beside")
    parser.add_argument("--data", type=Path, default=HERE / "data")
    options = parser.parse_args()
    build()
    env = {"TAILRACE_PURE": "1" if options.pure else "0"}
    chosen = [fmt for fmt in FORMATS if not options.only or fmt.name in options.only.split(",")]
    if options.live:
        rows = [live(fmt, options, env) for fmt in chosen]
        print(f"{'format':14}{'% of a core':>12}{'peak MiB':>10}")
        for row in rows:
            print(f"{row['format']:14}{row['core_percent']:12.1f}{row['rss_mib']:10.1f}", flush=True)
        print(json.dumps({"bench": "agent-live", "pure": options.pure, "rows": rows}))
        return
    print(
        f"{'format':14}{'yardstick':>10}{'agent':>8}{'ratio':>7}{'floor':>7}{'':3}{'MB/s':>7}{'start':>7}{'MiB':>7}{'events':>10}{'rival':>8}   (CPU s/GB)"
    )
    results: list[Row] = []
    for fmt in chosen:
        row = measure(fmt, options, env)
        results.append(row)
        verdict = "" if options.pure else ("ok" if row.ratio <= row.ceiling else "!!")
        print(
            f"{row.format:14}{row.yardstick:10.2f}{row.agent:8.2f}{row.ratio:7.2f}{row.ceiling:7.2f} {verdict:2}{row.wall_mb_s:7.0f}{row.startup_cpu:7.2f}"
            f"{row.rss_mib:7.0f}{row.events:10}{row.rival or 0:8.2f}",
            flush=True,
        )
    print(
        json.dumps(
            {"bench": "agent", "pure": options.pure, "mb": options.mb, "pairs": options.pairs, "rows": [asdict(row) for row in results]}
        )
    )


if __name__ == "__main__":
    main()

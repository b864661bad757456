"""The whole agent, from files to a sink that acknowledges, beside the C yardstick in the same minutes.

    python bench/agent.py [--mb 1000] [--pairs 5] [--only simple,nginx] [--verify-mb 100] [--pure [--pure-mb 50]] [--rival 'CMD {file} {port}']
    python bench/agent.py --live | --idle [--pure]

Each row: medians of interleaved pairs (yardstick, agent, yardstick, agent, …) of CPU seconds (user + system of the whole process, all
threads) per GB (10^9 bytes) of the file. The agent's start-up, measured by runs over a one-line file between them, is taken off and shown
apart. Before that, an untimed run into `decoding_sink.py` proves that the events that come out are those that went in, each once. Durable checkpoints are on,
limits are off, no time is parsed. `--pure` adds a row per format with the pure-Python engine, over a smaller file and without a floor. A rival (`rival.py`)
is run over `{file}` and sends to the sink at `{port}`, which acknowledges every POST.

`--live` appends 10 MB/s to a file and shows the share of a core and the peak memory, beside the share that the yardstick needs for as many bytes before and
after it: the clock of a machine may swing by half within minutes, the ratio does not. `--idle` shows how long it takes from the exec to the first read of
the file (the kernel's own word, by inotify), and memory and share of a core when nothing is written; that its one line arrived is checked.

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
import sysconfig
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import rival as rivals
import yaml
from decoding_sink import multiset_hash
from formats import FORMATS, GENERATED, Format
from inotify_simple import INotify, flags
from server_logs import MADE, SERVER_LOGS

import tailrace

HERE = Path(__file__).parent
BIN = HERE / "bin"
MODES = (*FORMATS, *SERVER_LOGS)
KINDS = {**GENERATED, **MADE}
ENGINES = {"kernel": {"TAILRACE_PURE": "0"}, "pure": {"TAILRACE_PURE": "1"}}
"""Engine to the environment that chooses it."""
IDLE_FLOORS = {"first_read_secs": 1.0, "rss_mib": 70.0, "core_percent": 1.0}
IDLE_SECS = 30
LIVE_RATE = 10_000_000
"""Bytes per second."""
LIVE_FLOORS = {"simple": 5.0, "java-records": 5.0, "nginx": 7.0, "json": 6.0}
"""Percent of a core at `LIVE_RATE`; the others have no floor."""


@dataclass
class Usage:
    """What one process used: CPU seconds, wall seconds, peak resident bytes."""

    cpu: float
    wall: float
    rss: int


@dataclass
class Row:
    format: str
    engine: str
    mb: int
    yardstick: float
    """CPU s/GB, as `agent` and `rival`."""
    agent: float
    ratio: float
    ceiling: float | None
    """What `ratio` may be; none for the pure engine."""
    wall_mb_s: float
    startup_cpu: float
    rss_mib: float
    rival: float | None = None


def build() -> None:
    """The C programs; and bytecode, as an installation leaves it, also where Python may not write any."""
    folders = [str(Path(tailrace.__file__).parent), sysconfig.get_path("purelib")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], stdout=subprocess.DEVNULL, check=False)
    BIN.mkdir(exist_ok=True)
    for name, libraries in (("limits", ["-llz4", "-lzstd", "-lcrypto"]), ("sink", [])):
        source, target = HERE / f"{name}.c", BIN / name
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["cc", "-O3", "-march=native", "-w", "-o", target, source, *libraries], check=True)


def data_file(fmt: Format, mb: int, folder: Path) -> Path:
    folder = folder / f"{mb}mb"
    if fmt.line is None:
        path = folder / f"{KINDS[fmt.name]}.log"
        if not path.exists():
            subprocess.run([sys.executable, HERE / "gen_data.py", "--out", folder, "--mb", str(mb), KINDS[fmt.name]], check=True)
        return path
    path = folder / f"{fmt.name}.log"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        r = random.Random(fmt.name)
        block = "".join(fmt.line(r) + "\n" for _ in range(40_000)).encode(fmt.codec)
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


def pipeline(fmt: Format, log: Path, port: int) -> str:
    """As YAML."""
    sls = {"Endpoint": f"http://127.0.0.1:{port}", "Region": "local", "AccessKeyId": "bench", "AccessKeySecret": "bench"}
    return yaml.safe_dump(
        {
            "inputs": [{"Type": "input_file", "FilePaths": [str(log)], "TailingAllMatchedFiles": True, **fmt.input_options}],
            "processors": list(fmt.processors),
            "flushers": [{"Type": "flusher_sls", "Project": "bench", "Logstore": "bench", **sls}],
        }
    )


def agent_home(fmt: Format, log: Path, port: int, home: Path) -> list[str]:
    """Write the pipeline; the command that runs it to the end."""
    pipelines = home / "pipelines"
    pipelines.mkdir(parents=True)
    (pipelines / "bench.yaml").write_text(pipeline(fmt, log, port))
    return [
        sys.executable,
        "-m",
        "tailrace.cli.main",
        "agent",
        "run",
        "--no-supervisor",
        "--no-limits",
        "--home",
        str(home),
        "--pipelines",
        str(pipelines),
    ]


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


def one_line(folder: Path) -> Path:
    log = folder / "one.log"
    log.write_bytes(b"2026-11-22 00:00:00 one line\n")
    return log


def measure(fmt: Format, engine: str, options: argparse.Namespace) -> Row:
    env, mb = ENGINES[engine], options.pure_mb if engine == "pure" else options.mb
    verify(fmt, min(mb, options.verify_mb), options.data, env)
    log, port = data_file(fmt, mb, options.data), free_port()
    size = log.stat().st_size
    events = sum(1 for _ in fmt.expected(log.read_bytes())) if options.rival else 0
    log.read_bytes()  # into the page cache
    with running(BIN / "sink", "http", str(port), port=port), tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        short = one_line(Path(folder))
        yardstick: list[float] = []
        starts: list[float] = []
        agent: list[Usage] = []
        rival: list[float] = []
        for _ in range(options.pairs):
            yardstick.append(run_yardstick(fmt, log, port))
            starts.append(run_agent(fmt, short, port, env).cpu)
            agent.append(run_agent(fmt, log, port, env))
            if options.rival:
                rival.append(rivals.run(options.rival, events, file=log, port=port).cpu / (size / 1e9))
    start = statistics.median(starts)
    ours = statistics.median((usage.cpu - start) / (size / 1e9) for usage in agent)
    bar = statistics.median(yardstick)
    wall = statistics.median(usage.wall for usage in agent)
    peak = max(usage.rss for usage in agent)
    ceiling = None if engine == "pure" else fmt.ceiling
    beside = statistics.median(rival) if rival else None
    return Row(fmt.name, engine, mb, bar, ours, ours / bar, ceiling, size / 1e6 / wall, start, peak / 2**20, beside)


def live(fmt: Format, engine: str, options: argparse.Namespace) -> dict[str, float | str]:
    """`LIVE_RATE` in 10 ms slices for 20 s: share of one core of the agent and of the yardstick, and peak memory."""
    data = data_file(fmt, options.verify_mb * 3, options.data)
    source, port, seconds = data.read_bytes(), free_port(), 20
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder, running(BIN / "sink", "http", str(port), port=port):
        log = Path(folder) / "live.log"
        log.touch()
        yardstick = [run_yardstick(fmt, data, port)]
        process = subprocess.Popen(
            agent_home(fmt, log, port, Path(folder) / "home"), env={**os.environ, **ENGINES[engine]}, stderr=subprocess.DEVNULL
        )
        time.sleep(3)
        before = cpu_of(process.pid)
        writer = threading.Thread(target=append, args=(log, source, LIVE_RATE, seconds))
        writer.start()
        writer.join()
        share = (cpu_of(process.pid) - before) / seconds * 100
        process.send_signal(signal.SIGTERM)
        _, _, peak = wait(process)
        process.returncode = 0
        yardstick.append(run_yardstick(fmt, data, port))
    bar = statistics.mean(yardstick) * LIVE_RATE / 1e9 * 100
    return {"format": fmt.name, "engine": engine, "core_percent": share, "yardstick_percent": bar, "rss_mib": peak / 2**20}


def idle(engine: str) -> dict[str, float | str]:
    """An agent that has read one line and then waits for more."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder,
        running(sys.executable, HERE / "decoding_sink.py", str(port), port=port),
        INotify() as reads,
    ):
        log = one_line(Path(folder))
        command = agent_home(FORMATS[0], log, port, Path(folder) / "home")
        reads.add_watch(log, flags.ACCESS)
        began = time.monotonic()
        process = subprocess.Popen(command, env={**os.environ, **ENGINES[engine]}, stderr=subprocess.DEVNULL)
        if not reads.read(timeout=20_000):
            raise SystemExit("the file was not read within 20 s")
        first_read = time.monotonic() - began
        time.sleep(5)
        before = cpu_of(process.pid)
        time.sleep(IDLE_SECS)
        share = (cpu_of(process.pid) - before) / IDLE_SECS * 100
        rss = resident_of(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as answer:
            arrived = json.load(answer)["events"]
    if arrived != 1:
        raise SystemExit(f"{arrived} events came out, 1 went in")
    return {"engine": engine, "first_read_secs": first_read, "rss_mib": rss / 2**20, "core_percent": share}


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


def resident_of(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1]) * 1024


def show_idle(engines: list[str]) -> None:
    print(f"{'':18}" + "".join(f"{engine:>10}" for engine in engines) + f"{'floor':>8}")
    rows = [idle(engine) for engine in engines]
    for name, floor in IDLE_FLOORS.items():
        verdict = "ok" if float(rows[0][name]) <= floor else "!!"
        print(f"{name:18}" + "".join(f"{row[name]:10.2f}" for row in rows) + f"{floor:8.1f} {verdict}")
    print(json.dumps({"bench": "agent-idle", "rows": rows}))


def show_live(formats: list[Format], engines: list[str], options: argparse.Namespace) -> None:
    print(f"{'format':17}{'engine':>8}{'yardstick':>11}{'agent':>7}{'floor':>7}{'':3}{'ratio':>6}{'peak MiB':>10}   (% of a core)")
    rows: list[dict[str, float | str]] = []
    for fmt in formats:
        for engine in engines:
            row = live(fmt, engine, options)
            rows.append(row)
            share, bar = float(row["core_percent"]), float(row["yardstick_percent"])
            floor = LIVE_FLOORS.get(fmt.name) if engine == "kernel" else None
            shown = "" if floor is None else f"{floor:.1f}"
            verdict = "" if floor is None else ("ok" if share <= floor else "!!")
            print(
                f"{fmt.name:17}{engine:>8}{bar:11.1f}{share:7.1f}{shown:>7} {verdict:2}{share / bar:6.2f}{float(row['rss_mib']):10.1f}",
                flush=True,
            )
    print(json.dumps({"bench": "agent-live", "rows": rows}))


def show(formats: list[Format], engines: list[str], options: argparse.Namespace) -> None:
    heads = "".join(f"{name:>{width}}" for name, width in (("MB", 6), ("yardstick", 10), ("agent", 8), ("ratio", 7), ("floor", 7)))
    print(f"{'format':17}{'engine':>8}{heads}{'':3}{'MB/s':>7}{'start':>7}{'MiB':>7}{'rival':>8}   (CPU s/GB)")
    rows: list[Row] = []
    for fmt in formats:
        for engine in engines:
            row = measure(fmt, engine, options)
            rows.append(row)
            verdict = "" if row.ceiling is None else ("ok" if row.ratio <= row.ceiling else "!!")
            floor = "" if row.ceiling is None else f"{row.ceiling:.2f}"
            rival = "" if row.rival is None else f"{row.rival:.2f}"
            print(
                f"{row.format:17}{engine:>8}{row.mb:6}{row.yardstick:10.2f}{row.agent:8.2f}{row.ratio:7.2f}{floor:>7} {verdict:2}"
                f"{row.wall_mb_s:7.0f}{row.startup_cpu:7.2f}{row.rss_mib:7.0f}{rival:>8}",
                flush=True,
            )
    print(json.dumps({"bench": "agent", "pairs": options.pairs, "rows": [asdict(row) for row in rows]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--verify-mb", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="comma-separated formats")
    parser.add_argument("--pure", action="store_true", help="the pure-Python engine beside the kernel, without a floor")
    parser.add_argument("--pure-mb", type=int, default=50, help="size of the pure engine's files")
    parser.add_argument("--live", action="store_true", help="10 MB/s offered")
    parser.add_argument("--idle", action="store_true", help="the start, and nothing offered")
    parser.add_argument("--rival", help="a command with {file} and {port}, run beside (rival.py)")
    parser.add_argument("--data", type=Path, default=HERE / "data")
    options = parser.parse_args()
    build()
    engines = ["kernel", "pure"] if options.pure else ["kernel"]
    names = options.only.split(",") if options.only else [fmt.name for fmt in MODES]
    if unknown := set(names) - {fmt.name for fmt in MODES}:
        parser.error(f"unknown format `{'`, `'.join(sorted(unknown))}`; there are: {', '.join(fmt.name for fmt in MODES)}")
    chosen = [fmt for fmt in MODES if fmt.name in names]
    if options.idle:
        show_idle(engines)
    elif options.live:
        show_live(chosen, engines, options)
    else:
        show(chosen, engines, options)


if __name__ == "__main__":
    main()

"""What the agent does with a block, stage by stage and without the agent around it, beside the C yardstick's own kernels.

    python bench/kernel.py [--mb 100] [--rounds 5] [--only simple,nginx] [--pure] [--data DIR] [--rival 'CMD {file} {format}']

A row for each mode of `bench/agent.py`, by the same pipelines. Columns are MB of the file per CPU second (10^6 bytes, medians over rounds): cutting the
block into events (and decoding it, where it is not UTF-8), all processors, encoding a LogGroup, lz4 of it, SHA-256 of the body, and the whole of
it as the agent calls it. The yardstick's figures are those of `limits kernels`: scan + encode, and scan + encode + lz4 + md5; for formats without a
scanner of its own they are its plain lines. `cost` is our whole over the yardstick's, in CPU time. Blocks are of 512 KiB, cut at record ends.

Before anything is timed, what is encoded is decoded again and compared, event by event, with what the format says must come out (the first 8 MiB
of each file). A rival (`rival.py`) is run over the whole `{file}` of a `{format}` once per round; its column is MB per CPU second of its process.
Prints a table, and one JSON line at the end.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import rival as rivals
from agent import BIN, HERE, MODES, build, data_file, pipeline
from formats import Format

from tailrace.batch import NATIVE, EventBatch, compress
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.framing import Framing, Place
from tailrace.pipeline.loading import load_text

BLOCK = 512 << 10
CHECKED = 8 << 20
"""Bytes of each file that are compared event by event."""


@dataclass
class Row:
    format: str
    split: float
    parse: float
    encode: float
    lz4: float
    digest: float
    whole: float
    yardstick_scan: float
    yardstick_whole: float
    cost: float
    rival: float | None = None


class Refusing:
    """The context of processors whose events must all come through."""

    pipeline = "bench"

    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "") -> None:  # noqa: ARG002
        raise SystemExit(f"{count} of the bench's own events fail in {plugin}: {reason}: {sample!r}")

    def discarded(self, plugin: str, count: int, reason: str) -> None:
        raise SystemExit(f"{plugin} discards {count} of the bench's own events: {reason}")


class Mode:
    """What the agent calls for one format."""

    def __init__(self, fmt: Format, log: Path) -> None:
        config = load_text(pipeline(fmt, log, 0), "bench.yaml")
        options = config.inputs[0].config
        assert isinstance(options, FileConfig)
        self._framing = Framing(options)
        self._processors = [plugin.build() for plugin in config.processors]
        for processor in self._processors:
            processor.start(Refusing())

    def blocks(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            piece = self._framing.cut(data[at : at + BLOCK], Place(at), complete=at + BLOCK >= len(data))
            assert piece, f"no record ends within the {BLOCK} bytes from {at} on"
            yield data[at : at + piece.size]
            at += piece.size

    def split(self, block: bytes) -> EventBatch:
        return self._framing.split(block, offset=BLOCK, now_ns=TIME_NS).batch  # as if more were before it

    def parse(self, batch: EventBatch) -> None:
        for processor in self._processors:
            processor.process(batch)

    def batch(self, block: bytes) -> EventBatch:
        batch = self.split(block)
        self.parse(batch)
        return batch


TIME_NS = 1_767_225_600 * 10**9


def check(mode: Mode, fmt: Format, blocks: list[bytes]) -> None:
    """Decode what was encoded and compare it, event by event."""
    expected = fmt.expected(b"".join(blocks))
    events = 0
    for block in blocks:
        encoded = mode.batch(block).encode()
        for _, fields in EventBatch.decode(encoded.body, compression="lz4", raw_size=encoded.raw_size).rows():
            assert fields == next(expected), f"{fmt.name}: event {events} came out as {fields}"
            events += 1
    assert next(expected, None) is None, f"{fmt.name}: events are missing"


def cpu(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def measure(mode: Mode, fmt: Format, blocks: list[bytes], rounds: int) -> dict[str, float]:
    """CPU seconds of each stage over all blocks."""
    spent: dict[str, list[float]] = {}

    def stage(name: str, work: Callable[[], None]) -> None:
        spent.setdefault(name, []).append(cpu(work))

    for _ in range(rounds):
        stage("whole", lambda: [None for block in blocks if not mode.batch(block).encode()])
        stage("split", lambda: [None for block in blocks if not mode.split(block)])
        for name in ("parse", "encode", "lz4", "digest"):
            spent.setdefault(name, []).append(0.0)
        for block in blocks:
            batch = mode.split(block)
            if fmt.processors:
                spent["parse"][-1] += cpu(lambda batch=batch: mode.parse(batch))
            spent["encode"][-1] += cpu(lambda batch=batch: batch.encode(compression="none", digest="none"))
            group = batch.encode(compression="none", digest="none").body
            packed = compress(group, "lz4")
            spent["lz4"][-1] += cpu(lambda group=group: compress(group, "lz4"))
            spent["digest"][-1] += digest_cost(packed)
    return {name: statistics.median(times) for name, times in spent.items()}


def digest_cost(body: bytes) -> float:
    """SHA-256 of a body: encoding one value of that size with it, less the same without."""
    batch = EventBatch.from_events([(0, [(b"", body)])])
    with_digest = cpu(lambda: batch.encode(compression="none", digest="sha256"))
    return max(with_digest - cpu(lambda: batch.encode(compression="none", digest="none")), 0.0)


def yardstick(path: Path, mb: int, mode: str) -> dict[str, float]:
    """MB/s of `limits kernels` by name."""
    command = [BIN / "limits", "kernels", path, str(mb), mode]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if "MB/s" in line and not line.startswith("#")}


def rate(size: int, seconds: float) -> float:
    return size / 1e6 / seconds if seconds else 0.0


def bench(fmt: Format, options: argparse.Namespace) -> Row:
    path = data_file(fmt, options.mb, options.data)
    mode, data = Mode(fmt, path), path.read_bytes()
    blocks = list(mode.blocks(data))
    check(mode, fmt, blocks[: CHECKED // BLOCK])
    yardsticks = [yardstick(path, options.mb, fmt.yardstick)]
    spent = measure(mode, fmt, blocks, options.rounds)
    yardsticks.append(yardstick(path, options.mb, fmt.yardstick))
    scan, whole = (statistics.mean(one[name] for one in yardsticks) for name in ("scan+encode", "scan+enc+lz4+md5"))
    rates = {name: rate(len(data), seconds) for name, seconds in spent.items()}
    beside = rival_rate(fmt, path, data, options) if options.rival else None
    return Row(fmt.name, **rates, yardstick_scan=scan, yardstick_whole=whole, cost=whole / rates["whole"], rival=beside)


def rival_rate(fmt: Format, path: Path, data: bytes, options: argparse.Namespace) -> float:
    events = sum(1 for _ in fmt.expected(data))
    runs = [rivals.run(options.rival, events, file=path, format=fmt.name) for _ in range(options.rounds)]
    return rate(len(data), statistics.median(run.cpu for run in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="comma-separated formats")
    parser.add_argument("--pure", action="store_true", help="the pure-Python engine")
    parser.add_argument("--data", type=Path, default=HERE / "data")
    parser.add_argument("--rival", help="a command with {file} and {format}, run beside (rival.py)")
    options = parser.parse_args()
    if options.pure == NATIVE:  # the engine is chosen when it is imported
        if not options.pure and os.environ.get("TAILRACE_PURE") != "1":
            parser.error("there is no native kernel here: run `make kernel`, or give `--pure`")
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "TAILRACE_PURE": str(int(options.pure))})
    build()
    heads = "".join(f"{name:>8}" for name in ("split", "parse", "encode", "lz4", "sha256", "whole"))
    print(f"{'':17}{heads} |{'scan+enc':>9}{'+lz4+md5':>9}{'cost':>7}{'rival':>8}")
    rows = []
    names = options.only.split(",") if options.only else [fmt.name for fmt in MODES]
    if unknown := set(names) - {fmt.name for fmt in MODES}:
        parser.error(f"unknown format `{'`, `'.join(sorted(unknown))}`; there are: {', '.join(fmt.name for fmt in MODES)}")
    for fmt in (one for one in MODES if one.name in names):
        row = bench(fmt, options)
        rows.append(row)
        beside = "" if row.rival is None else f"{row.rival:.0f}"
        stages = (row.split, row.parse, row.encode, row.lz4, row.digest, row.whole)
        cells = "".join(f"{value:8.0f}" if value else f"{'':8}" for value in stages)
        print(f"{row.format:17}{cells} |{row.yardstick_scan:9.0f}{row.yardstick_whole:9.0f}{row.cost:7.2f}{beside:>8}", flush=True)
    print(
        json.dumps(
            {"bench": "kernel", "pure": options.pure, "mb": options.mb, "rounds": options.rounds, "rows": [asdict(row) for row in rows]}
        )
    )


if __name__ == "__main__":
    main()

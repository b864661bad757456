"""The kernel alone, stage by stage, beside the C yardstick's own kernels.

    python bench/kernel.py [--mb 100] [--rounds 5] [--only simple,nginx] [--pure] [--data DIR] [--rival 'CMD {file} {format}']

Columns are MB of input per CPU second (10^6 bytes, medians over rounds): cutting the block into events, parsing them, encoding a LogGroup,
lz4 of it, SHA-256 of the body, and the whole of it as the agent calls it. The yardstick's figures are those of `limits kernels`: scan +
encode, and scan + encode + lz4 + md5; for the ten formats without a scanner of its own they are its plain lines. `cost` is
our whole over the yardstick's, in CPU time. Blocks are of 512 KiB, cut at record ends.

Before anything is timed, what is encoded is decoded again and compared, event by event, with what the format says must come out (the first 8 MiB
of each file). A rival (`rival.py`) is run over the whole `{file}` of a `{format}` once per round; its column is MB per CPU second of its process.
Prints a table, and one JSON line at the end.
"""

import argparse
import importlib
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rival as rivals
from agent import BIN, HERE, build, data_file
from formats import FORMATS, Format

from tailrace.processors.grok.definitions import DEFINITIONS
from tailrace.processors.grok.expression import translate

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


class Kernel:
    """The calls of one format."""

    def __init__(self, engine: Any, fmt: Format) -> None:
        self.engine = engine
        self.rule = self._rule(fmt.input_options.get("Multiline", {}))
        self.parse = self._parser(fmt.processors[0]) if fmt.processors else None

    def _rule(self, options: dict[str, str]) -> Any:
        """None for plain lines."""
        if options.get("Mode") == "JSON":
            return self.engine.RecordRule.objects()
        patterns = {name: options.get(f"{key}Pattern") for name, key in (("start", "Start"), ("more", "Continue"), ("end", "End"))}
        given = {name: self.engine.Pattern(text) for name, text in patterns.items() if text}
        return self.engine.RecordRule(**given) if given else None

    def _parser(self, processor: dict[str, Any]) -> Callable[[Any], Any]:
        keys = [key.encode() for key in processor.get("Keys", [])]
        match processor["Type"]:
            case "processor_parse_regex_native":
                pattern = self.engine.Pattern(processor["Regex"])
                return lambda batch: batch.parse_regex(b"content", pattern, keys)
            case "processor_parse_delimiter_native":
                separator = processor["Separator"].encode()
                return lambda batch: batch.parse_delimiter(b"content", separator, keys)
            case "processor_parse_apsara_native":
                return lambda batch: batch.parse_apsara(b"content", utc_offset_secs=0)
            case "processor_split_key_value":
                marks = [processor[name].encode() for name in ("Delimiter", "Separator", "Quote")]
                return lambda batch: batch.parse_key_value(b"content", *marks[:2], quote=marks[2])
            case "processor_csv":
                names = [key.encode() for key in processor["SplitKeys"]]
                return lambda batch: batch.parse_delimiter(b"content", b",", names, quote=b'"')
            case "processor_json":
                return lambda batch: batch.expand_json(b"content")
            case "processor_grok":
                expression = translate(processor["Match"][0], DEFINITIONS)
                grok, fields = self.engine.Pattern(expression.regex), [field.encode() for field in expression.fields]
                return lambda batch: batch.parse_regex(b"content", grok, fields, omit_empty=True)
            case _:
                return lambda batch: batch.parse_json(b"content")

    def blocks(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            size = self.engine.record_end(data[at : at + BLOCK], self.rule) if at + BLOCK < len(data) else len(data) - at
            yield data[at : at + size]
            at += size

    def split(self, block: bytes) -> Any:
        batches = self.engine.EventBatch
        return batches.split_records(block, self.rule, time_ns=TIME_NS) if self.rule else batches.split_lines(block, time_ns=TIME_NS)

    def batch(self, block: bytes) -> Any:
        batch = self.split(block)
        if self.parse and self.parse(batch).count:
            raise SystemExit("the bench's own format does not parse")
        return batch


TIME_NS = 1_767_225_600 * 10**9


def check(kernel: Kernel, fmt: Format, data: bytes) -> int:
    """Decode what was encoded and compare it, event by event. Returns how many there were."""
    expected = fmt.expected(data)
    events = 0
    for block in kernel.blocks(data):
        encoded = kernel.batch(block).encode()
        decoded = kernel.engine.EventBatch.decode(encoded.body, compression="lz4", raw_size=encoded.raw_size)
        for _, fields in decoded.rows():
            assert fields == next(expected), f"{fmt.name}: event {events} came out as {fields}"
            events += 1
    assert next(expected, None) is None, f"{fmt.name}: events are missing"
    return events


def cpu(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def measure(kernel: Kernel, blocks: list[bytes], rounds: int) -> dict[str, float]:
    """CPU seconds of each stage over all blocks."""
    engine = kernel.engine
    spent: dict[str, list[float]] = {}

    def stage(name: str, work: Callable[[], None]) -> None:
        spent.setdefault(name, []).append(cpu(work))

    for _ in range(rounds):
        stage("whole", lambda: [None for block in blocks if not kernel.batch(block).encode()])
        stage("split", lambda: [None for block in blocks if not kernel.split(block)])
        for name in ("parse", "encode", "lz4", "digest"):
            spent.setdefault(name, []).append(0.0)
        for block in blocks:
            batch = kernel.split(block)
            if kernel.parse:
                spent["parse"][-1] += cpu(lambda batch=batch: kernel.parse(batch))
            spent["encode"][-1] += cpu(lambda batch=batch: batch.encode(compression="none", digest="none"))
            group = batch.encode(compression="none", digest="none").body
            packed = engine.compress(group, "lz4")
            spent["lz4"][-1] += cpu(lambda group=group: engine.compress(group, "lz4"))
            spent["digest"][-1] += digest_cost(engine, packed)
    return {name: statistics.median(times) for name, times in spent.items()}


def digest_cost(engine: Any, body: bytes) -> float:
    """SHA-256 of a body: encoding one value of that size with it, less the same without."""
    batch = engine.EventBatch.from_events([(0, [(b"", body)])])
    with_digest = cpu(lambda: batch.encode(compression="none", digest="sha256"))
    return max(with_digest - cpu(lambda: batch.encode(compression="none", digest="none")), 0.0)


def yardstick(path: Path, mb: int, mode: str) -> dict[str, float]:
    """MB/s of `limits kernels` by name."""
    command = [BIN / "limits", "kernels", path, str(mb), mode]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if "MB/s" in line and not line.startswith("#")}


def rate(size: int, seconds: float) -> float:
    return size / 1e6 / seconds if seconds else 0.0


def bench(fmt: Format, options: argparse.Namespace, engine: Any) -> Row:
    path = data_file(fmt, options.mb, options.data)
    kernel = Kernel(engine, fmt)
    data = path.read_bytes()
    head = data[:CHECKED]
    check(kernel, fmt, head[: engine.record_end(head, kernel.rule)] if len(data) > CHECKED else data)
    blocks = list(kernel.blocks(data))
    yardsticks = [yardstick(path, options.mb, fmt.yardstick)]
    spent = measure(kernel, blocks, options.rounds)
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
    engine = importlib.import_module("tailrace.batch.reference" if options.pure else "tailrace_kernel")
    build()
    print(
        f"{'':14}{'split':>8}{'parse':>8}{'encode':>8}{'lz4':>8}{'sha256':>8}{'whole':>8} |{'scan+enc':>9}{'+lz4+md5':>9}{'cost':>7}{'rival':>8}"
    )
    rows = []
    for fmt in (one for one in FORMATS if one.codec == "utf-8"):  # decoding is not the kernel's
        if options.only and fmt.name not in options.only.split(","):
            continue
        row = bench(fmt, options, engine)
        rows.append(row)
        beside = "" if row.rival is None else f"{row.rival:.0f}"
        stages = (row.split, row.parse, row.encode, row.lz4, row.digest, row.whole)
        cells = "".join(f"{value:8.0f}" if value else f"{'':8}" for value in stages)
        print(f"{row.format:14}{cells} |{row.yardstick_scan:9.0f}{row.yardstick_whole:9.0f}{row.cost:7.2f}{beside:>8}", flush=True)
    print(
        json.dumps(
            {"bench": "kernel", "pure": options.pure, "mb": options.mb, "rounds": options.rounds, "rows": [asdict(row) for row in rows]}
        )
    )


if __name__ == "__main__":
    main()

"""Runs every processor over bytes of all kinds, on the engine that this process has, and tells what came of it as JSON.

python -m tests.unit.processors.hostile_bytes SEED ROUNDS
"""

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.pipeline.registry import PluginEntry

SCRAPS = [
    b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b"\xff", b"\xc3", b"\xed\xa0\x80", "é".encode(), b"|", b"||", b",", b";", b":", b"=",
    b'"', b'""', b"'", b"\\", b"\\u", b"{", b"}", b"[", b"]", b"{}", b"[]", b'{"a":', b'"a"', b"null", b"0", b"-", b"1e",
    b"1780286400", b"99999999999999999999",
    b"[2026-06-01 12:00:00.123]", b"[INFO]", b"2026-06-01 12:00:00", b"key:value", b"user=ann", b"10.0.0.7", b"GET",
    b"__raw_log__", b"%", b"$",
]  # fmt: skip
"""What parsers look for, and what they trip over."""
KEYS = [b"content", b"content", b"a", b"time", b"message", b"__labels__", b"\0untried", b"", b"\xff"]


NEED_FILES = {"processor_encrypt", "processor_geoip"}
"""Their samples name files that are not here; their examples stand for them."""


def configured() -> Iterator[tuple[PluginEntry, Any]]:
    """Every processor with its smallest config, and with that of its example."""
    for entry in registry.all_plugins():
        if entry.kind != "processor":
            continue
        if entry.type not in NEED_FILES:
            yield entry, entry.config_model.model_validate(entry.cls.sample())
        for step in entry.cls.example().processors if hasattr(entry.cls, "example") else ():
            owner = registry.get("processor", step.get("Type", entry.type))
            yield owner, owner.config_model.model_validate({key: value for key, value in step.items() if key != "Type"})


class Counter:
    """The context of a processor; it keeps what it is told."""

    pipeline = "p"

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "") -> None:
        self.told.append(("failed", plugin, count, reason, sample))

    def discarded(self, plugin: str, count: int, reason: str) -> None:
        self.told.append(("discarded", plugin, count, reason))

    def counted(self) -> int:
        """Events that failed or were discarded."""
        return sum(told[2] for told in self.told if told[0] in ("failed", "discarded"))

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **values: self.told.append((name, arguments, values))


def outcome(entry: PluginEntry, config: Any, batch: EventBatch) -> tuple[EventBatch, Counter]:
    plugin, counter = entry.cls(config), Counter()
    plugin.start(counter)
    plugin.process(batch)
    return batch, counter


def value(dice: random.Random) -> bytes:
    return b"".join(dice.choice(SCRAPS) if dice.random() < 0.8 else dice.randbytes(dice.randrange(6)) for _ in range(dice.randrange(12)))


def batches(dice: random.Random) -> Iterator[EventBatch]:
    """Values that lie in a block, and values that do not, with keys that repeat."""
    yield EventBatch.split_lines(b"\n".join(value(dice) for _ in range(4)), offset=100, time_ns=7)
    yield EventBatch.from_events(
        [(dice.randrange(2**62), [(dice.choice(KEYS), value(dice)) for _ in range(dice.randrange(5))]) for _ in range(4)]
    )


def everything(seed: int, rounds: int) -> list[str]:
    told: list[str] = []
    for entry, config in configured():
        dice = random.Random(seed)
        for _ in range(rounds):
            for batch in batches(dice):
                made, counter = outcome(entry, config, batch)
                told.append(repr((entry.type, made.rows(), made.raw_offsets, made.raw_lengths, counter.told)))
    return told


if __name__ == "__main__":
    json.dump(everything(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)

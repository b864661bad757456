"""While the kernel walks bytes, other threads of Python run: it gives the interpreter away."""

import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

LINE = b"2026-03-01 12:00:00,123|GET|/api/v1/items?page=7|200|a value that is neither short nor long\n"
BLOCK = LINE * 40_000
JSON = b'{"time": "2026-03-01 12:00:00", "path": "/api/v1/items", "n": [1, 2, {"x": "y"}]}\n' * 40_000
TICK_SECS = 0.0002
TICKS = 4
"""More than one thread can have while another one keeps the interpreter: one before the call begins, one after it."""
PATIENCE_SECS = 20.0

Prepare = Callable[[ModuleType], Callable[[], Any]]


def split(kernel: ModuleType, block: bytes = BLOCK) -> Any:
    return kernel.EventBatch.split_lines(block, key=b"content")


def parsed(method: str, *values: Any, block: bytes = BLOCK) -> Prepare:
    def prepare(kernel: ModuleType) -> Callable[[], Any]:
        batch = split(kernel, block)
        given = [kernel.Pattern(value[1]) if isinstance(value, tuple) else value for value in values]
        return lambda: getattr(batch, method)(b"content", *given)

    return prepare


def decoded(kernel: ModuleType) -> Callable[[], Any]:
    encoded = split(kernel).encode(compression="zstd")
    return lambda: kernel.EventBatch.decode(encoded.body, compression="zstd", raw_size=encoded.raw_size)


def filtered(kernel: ModuleType) -> Callable[[], Any]:
    batch, pattern = split(kernel), kernel.Pattern(r".*\|404\|.*")
    return lambda: batch.filter([(b"content", pattern)])


CALLS: dict[str, Prepare] = {
    "split_lines": lambda kernel: lambda: split(kernel),
    "split_records": lambda kernel: lambda: kernel.EventBatch.split_records(BLOCK, kernel.RecordRule(kernel.Pattern(r"\d+-"))),
    "parse_regex": parsed("parse_regex", ("pattern", r"([^|]*)\|([^|]*)\|([^|]*)\|(\d+)\|(.*)"), [b"a", b"b", b"c", b"d", b"e"]),
    "parse_regex, linear": parsed("parse_regex", ("pattern", r"(.+?)\|(GET|POST)\|(?:.*?)(\d{3})\|(.*)"), [b"a", b"b", b"c", b"d"]),
    "parse_regex, backtracking": parsed("parse_regex", ("pattern", r"(\d+)-(?=0)(.*)"), [b"a", b"b"]),
    "parse_json": parsed("parse_json", block=JSON),
    "parse_delimiter": parsed("parse_delimiter", b"|", [b"a", b"b", b"c", b"d", b"e"]),
    "mask": parsed("mask", ("pattern", r"\d+"), b"*"),
    "filter": filtered,
    "encode": lambda kernel: split(kernel).encode,
    "decode": decoded,
    "compress": lambda kernel: lambda: kernel.compress(BLOCK, "zstd"),
}


def timed(kernel: ModuleType) -> Callable[[], Any]:
    batch = split(kernel)
    return lambda: batch.parse_time(b"content", "%Y-%m-%d %H:%M:%S", utc_offset_secs=0)


CALLS["parse_time"] = timed


class Ticking:
    """A thread that counts, as fast as it gets the interpreter."""

    count = 0

    def __enter__(self) -> "Ticking":
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def during(self, call: Callable[[], Any]) -> int:
        """How often it counted within one call."""
        before = self.count
        call()
        return self.count - before

    def _run(self) -> None:
        while not self._over.is_set():
            time.sleep(TICK_SECS)
            self.count += 1


@pytest.mark.parametrize("name", CALLS)
def test_others_run_within_one_call(kernel: ModuleType, name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECS
    with Ticking() as ticking:
        while (ticks := ticking.during(CALLS[name](kernel))) < TICKS:
            assert time.monotonic() < deadline, f"at most {ticks} ticks within one call"


def test_they_do_not_while_one_keeps_the_interpreter() -> None:
    """That the measure can tell: to count in bytes is done with the lock held."""
    data = bytes(40_000_000)
    with Ticking() as ticking:
        assert min(ticking.during(lambda: data.count(b"\1\2")) for _ in range(5)) < TICKS

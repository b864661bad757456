"""Writes events as JSON lines to a file, with rotation. Each event is in it exactly once, also across crashes of the agent.

Written data is synced before it counts as delivered. Beside the file stands a small ledger of what is in it, `NAME.ledger`.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from tailrace.batch import EventBatch
from tailrace.flushers.json_lines import payloads
from tailrace.flushers.ledger import Ledger
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.contract import BatchLimits, Delivery, FlusherContext, Group, Identity, Outcome, Payload
from tailrace.pipeline.registry import flusher


class FileFlusherConfig(PluginConfig):
    """Where the events go."""

    file_path: str = option(
        doc="Absolute path of the file, in one of the directories that `config_outputs` in `HOME/agent.yaml` names; its own directory is "
        "made when it is not there.",
        file="write",
        examples=["/srv/events.jsonl"],
    )
    max_file_size: int = option(
        10_485_760, doc="A file of this size is rotated to `NAME.1`, `NAME.1` to `NAME.2`, and so on.", unit="bytes", ge=1
    )
    max_files: int = option(10, doc="How many files are kept, the current one included.", unit="files", ge=1, le=10_000)

    def problems(self) -> Iterator[Problem]:
        if not self.file_path.startswith("/"):
            yield Problem("FilePath", f"`{self.file_path}` is not an absolute path", "begin it with `/`")


@flusher("flusher_file", stability="beta")
class FlusherFile:
    """Implements `Flusher`."""

    Config = FileFlusherConfig

    def __init__(self, config: FileFlusherConfig) -> None:
        self.config = config
        self.target = self.destination = f"file:{config.file_path}"
        self.formerly: Sequence[str] = ()
        self.limits = BatchLimits()
        self.recognises_repeats = False  # nobody has to be asked: its own ledger knows them
        self._path = Path(config.file_path)
        self._writing = ThreadPoolExecutor(1, "flusher-file")
        """One write after the other; and on a thread of its own, so that a disk that hangs holds nobody else."""
        self._ledger: Ledger | None = None

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"FilePath": "/srv/events.jsonl"}

    def start(self, context: FlusherContext) -> None:
        """Needs nothing."""

    def encode(self, batch: EventBatch, identity: Identity, groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> list[Payload]:
        return payloads(batch, identity, groups, nanoseconds=nanoseconds)

    async def open(self) -> None:
        """The file is opened with the first write, so that a disk that is away delays nothing else."""

    async def send(self, payloads: Sequence[Payload]) -> Delivery:
        try:
            await asyncio.get_running_loop().run_in_executor(self._writing, self._write, payloads)
        except (OSError, ValueError) as error:
            return Delivery(Outcome.RETRY, "File", f"cannot write `{self._path}`: {error}")
        return Delivery(Outcome.ACKNOWLEDGED)

    async def close(self) -> None:
        """When nothing is written any more: whoever opens the file next must find it as its ledger says."""
        await asyncio.to_thread(self._writing.shutdown)
        if self._ledger is not None:
            self._ledger.close()

    def _write(self, payloads: Sequence[Payload]) -> None:
        ledger = self._ledger = self._ledger or self._opened()
        new = [payload for payload in payloads if not ledger.knows(payload.identity)]
        if not new:
            return
        if ledger.length >= self.config.max_file_size:
            self._rotate(ledger)
        with self._path.open("ab") as file:
            file.truncate(ledger.length)  # what a failed write left
            file.writelines(payload.body for payload in new)
            file.flush()
            os.fsync(file.fileno())
        ends = accumulate((len(payload.body) for payload in new), initial=ledger.length)
        ledger.enter([(payload.identity, end) for payload, end in zip(new, islice(ends, 1, None), strict=True)])

    def _opened(self) -> Ledger:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(self._path.with_name(f"{self._path.name}.ledger"))
        size = self._path.stat().st_size if self._path.exists() else 0
        if ledger.is_new or size < ledger.length:
            ledger.restart(size)  # a file that was here before us, or that another program rotated
        return ledger

    def _rotate(self, ledger: Ledger) -> None:
        for number in range(self.config.max_files - 1, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        if self.config.max_files == 1:
            self._path.unlink(missing_ok=True)
        ledger.restart(0)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

"""What happened lately, in windows of a minute and of ten minutes, kept in the home: the manual's local status (`agent status all …`).

A window is one JSON file, `HOME/agent/windows/<length>-<begin>.json`, written as a whole every few seconds while it is the current one and
never after. 60 of each length are kept. Whoever wants to know reads the files: it works while the agent runs and when it does not.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tailrace.errors import DamagedError

MINUTE: Final = 60
TEN_MINUTES: Final = 600
KEPT: Final = 60
MAX_FILES: Final = 500
"""Files that one window names: those that were read most."""
FORMAT: Final = 1

Row = dict[str, Any]


@dataclass(slots=True)
class Window:
    """`begin` and `end` are seconds since the Unix epoch; the current window ends at its last sample."""

    begin: int
    end: int
    status: str = "ok"
    logstores: dict[str, Row] = field(default_factory=dict[str, Row])
    """By `project/logstore`."""
    files: dict[str, Row] = field(default_factory=dict[str, Row])
    """By `project/logstore/device:inode`."""


class WindowStore:
    """The windows of one length in a directory."""

    def __init__(self, directory: Path, length: int) -> None:
        self.length = length
        self._directory = directory

    def current(self, now: float) -> Window:
        """The window that holds `now`, as it was last written, or a new one."""
        begin = int(now) // self.length * self.length
        return self._read(begin) or Window(begin, begin)

    def back(self, index: int, now: float) -> Window | None:
        """The window `index` back from `now`: 1 is the current one. None when nothing was written in it."""
        return self._read(int(now) // self.length * self.length - (index - 1) * self.length)

    def write(self, window: Window) -> Window:
        """Durable enough to survive a killed process; a lost machine costs the last windows, no log. The window as it is written."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path, written = self._path(window.begin), _bounded(window)
        unfinished = path.with_name(f"{path.name}.tmp")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps({"format": FORMAT, **{one.name: getattr(written, one.name) for one in fields(written)}}))
        unfinished.replace(path)
        return written

    def prune(self, now: float) -> None:
        """Remove what is older than the windows that are kept."""
        oldest = int(now) // self.length * self.length - (KEPT - 1) * self.length
        for begin, path in self._all():
            if begin < oldest:
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[tuple[int, Path]]:
        for path in self._directory.glob(f"{self.length}-*.json*"):
            begin = path.name.partition("-")[2].partition(".")[0]
            if begin.isdigit():
                yield int(begin), path

    def _path(self, begin: int) -> Path:
        return self._directory / f"{self.length}-{begin}.json"

    def _read(self, begin: int) -> Window | None:
        path = self._path(begin)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("format") > FORMAT:
                return None
            return Window(**document)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedError(
                f"`{path}` is no window of the agent's status ({error})", hint="remove the file; it holds no logs"
            ) from error


def stores(home: Path) -> tuple[WindowStore, WindowStore]:
    """(minutes, ten minutes) of the agent in `home`."""
    directory = home / "agent" / "windows"
    return WindowStore(directory, MINUTE), WindowStore(directory, TEN_MINUTES)


def add(into: Row, delta: Mapping[str, Any]) -> None:
    """Numbers that are sums are added; everything else is as it is now."""
    for name, value in delta.items():
        into[name] = into.get(name, 0) + value if name in SUMS else value


SUMS: Final = frozenset(
    {
        "read_bytes", "parse_success_lines", "parse_fail_lines", "read_count", "delay_sum", "delay_samples", "send_network_error_count",
        "send_network_quota_count", "send_network_discard_count", "send_success_count", "send_failures",
    }
)  # fmt: skip


def _bounded(window: Window) -> Window:
    if len(window.files) <= MAX_FILES:
        return window
    busiest = sorted(window.files.items(), key=lambda item: item[1].get("read_bytes", 0), reverse=True)[:MAX_FILES]
    return Window(window.begin, window.end, window.status, window.logstores, dict(busiest))

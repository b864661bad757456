"""The one screen of `tailrace up`: where things are, what is collected, how to query, how to stop."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tailrace import __version__, batch
from tailrace.cli.home import DEFAULT, Home
from tailrace.cli.up.collection import OwnPipelines, is_no_text, patterns
from tailrace.cli.up.survey import Survey

SHOWN_PATHS: Final = 3
REMEDY: Final = "add this user to the group that owns them (often `adm`), or run as root"


def screen(home: Home, found: Survey, own: OwnPipelines, *, endpoint: str, key_id: str, project: str, logstore: str) -> str:
    """The text, one fact a line."""
    engine = "native kernel" if batch.NATIVE else "pure-Python engine: slower; with cargo installed, `make up` builds the native kernel"
    rows = [
        ("data", f"{home.directory}"),
        ("API", f"{endpoint}  (project `{project}`, logstore `{logstore}`)"),
        ("key", f"{key_id}  (its secret: {home.secret / 'admin.json'})"),
        *_collected(home, found),
        *_own(home, own),
        ("query", f"{command(home, 'query')} 'error or warning' --since 1h"),
        ("", f"{command(home, 'query')} '* | select count(*) as events'"),
        ("follow", command(home, "tail")),
        ("stop", "Ctrl-C; the next start goes on from there"),
    ]
    lines = [f"  {name:<11}{text}" for name, text in rows]
    return "\n".join([f"Tailrace {__version__} runs on this machine ({engine}).", "", *lines, ""])


def command(home: Home, words: str, *, at_home: bool = True) -> str:
    """`tailrace …` as it can be typed in this shell, for this home where the command has one."""
    beside = Path(sys.executable).with_name("tailrace")
    if shutil.which("tailrace") or not beside.exists():
        name = "tailrace"
    else:
        name = str(beside.relative_to(Path.cwd())) if beside.is_relative_to(Path.cwd()) else str(beside)
    usual = not at_home or home.directory == DEFAULT.expanduser().absolute()
    return f"{name} {words}" if usual else f"{name} {words} --home {home.directory}"


def _collected(home: Home, found: Survey) -> Iterator[tuple[str, str]]:
    if not patterns(home):
        yield "collects", "what your own pipelines name"
    elif not found.sizes and not found.unreadable:
        yield "collects", f"nothing yet: no file matches {_some(patterns(home))}; name others with --collect PATH"
    else:
        yield "collects", f"{files(len(found.sizes))}, {size(found.bytes)}: {_some(patterns(home))}"
    for pattern in found.unmatched:
        if is_no_text(pattern):
            yield "", f"`{pattern}` is left out: it is packed or no text; `{command(home, f'agent import {pattern}')}` loads a .gz or .zst"
        elif found.sizes:
            yield "", f"`{pattern}` matches no file yet; it is collected as soon as one appears"
    if found.unreadable:
        yield "unreadable", f"{len(found.unreadable)}: {_some(found.unreadable)}"
        yield "", REMEDY


def _own(home: Home, own: OwnPipelines) -> Iterator[tuple[str, str]]:
    if own.names:
        yield "pipelines", f"also {len(own.names)} of yours in {home.pipelines}: {_some(own.names)}"
    for file, reason in own.broken.items():
        yield "", f"`{file}` does not run: {reason}; {command(home, 'config check', at_home=False)} {home.pipelines / file} says more"


def size(count: int) -> str:
    """Bytes for people: `0 B`, `12.3 MB`."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def files(count: int) -> str:
    """`1 file`, `12 files`."""
    return "1 file" if count == 1 else f"{count} files"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN_PATHS])
    return shown if len(names) <= SHOWN_PATHS else f"{shown} and {len(names) - SHOWN_PATHS} more"

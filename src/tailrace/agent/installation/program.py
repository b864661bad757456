"""The program as it is installed: an environment of its own (PEP 405) with this release, the native kernel and what both need, copied from
where this process runs. No network takes part, and nothing of it can be changed by the user that the agent runs as.
"""

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

import tailrace
from tailrace.errors import StateError

NAME: Final = "tailrace"
BESIDE: Final = ("tailrace-kernel", "maxminddb")
"""What the agent uses when it is there."""
PLUGIN_GROUPS: Final = ("tailrace.inputs", "tailrace.processors", "tailrace.aggregators", "tailrace.flushers")
COMMANDS: Final = {
    "tailrace": ("tailrace.cli.main", "main"),
    "tailrace-agent": ("tailrace.cli.main", "agent"),
    "tailrace-worker": ("tailrace.cli.agent.worker", "main"),
}
LAUNCHER: Final = """#!{interpreter} -I
import sys

from {module} import {function}

sys.exit({function}())
"""
EXTRA: Final = re.compile(r";.*\bextra\s*==")


def lay_down(directory: Path, final: Path) -> None:
    """Make the program in `directory`, which does not exist yet, to be run at `final`. StateError when this one cannot be copied."""
    site = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    site.mkdir(parents=True)
    commands = directory / "bin"
    commands.mkdir()
    interpreter = Path(os.path.realpath(sys.executable))
    (commands / "python").symlink_to(interpreter)
    version = ".".join(map(str, sys.version_info[:3]))
    settings = f"home = {interpreter.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    (directory / "pyvenv.cfg").write_text(settings, encoding="utf-8")
    for distribution in _needed():
        _copy(distribution, site)
    _copy_ourselves(site)
    for name, (module, function) in COMMANDS.items():
        launcher = commands / name
        text = LAUNCHER.format(interpreter=final / "bin" / "python", module=module, function=function)
        launcher.write_text(text, encoding="utf-8")
        launcher.chmod(0o755)


def _needed() -> Iterator[importlib.metadata.Distribution]:
    """This distribution, what it needs, what lies beside it, and plug-ins of others, each once."""
    plugins = {point.dist.name for group in PLUGIN_GROUPS for point in importlib.metadata.entry_points(group=group) if point.dist}
    names, known = [NAME, *BESIDE, *sorted(plugins)], set[str]()
    while names:
        name = names.pop()
        canonical = re.sub(r"[-_.]+", "-", name).lower()
        if canonical in known:
            continue
        known.add(canonical)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system or another Python; the self-test tells when it is really missing
        names += [found[0] for text in distribution.requires or () if not EXTRA.search(text) and (found := re.match(r"[\w.-]+", text))]
        yield distribution


def _copy(distribution: importlib.metadata.Distribution, site: Path) -> None:
    """All of its files but commands, each with its bytecode, if there is some."""
    for entry in distribution.files or ():
        if entry.is_absolute() or ".." in entry.parts or entry.suffix == ".pth":
            continue
        source = Path(str(distribution.locate_file(entry)))
        for path in (source, Path(cache_from_source(str(source)))) if entry.suffix == ".py" else (source,):
            if path.is_file():
                target = site / path.relative_to(str(distribution.locate_file("")))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)


def _copy_ourselves(site: Path) -> None:
    """The package as it runs now: a tree that is worked on has its files elsewhere."""
    package = Path(tailrace.__file__).parent
    if not (package / "cli").is_dir():
        raise StateError(f"cannot copy the program from `{package}`: it lies in no directory", hint="install Tailrace with pip first")
    shutil.copytree(package, site / NAME, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.tmp"))

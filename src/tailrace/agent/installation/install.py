"""Puts the agent on a machine: its program, its user, its directories, its service. Doing it again repairs or upgrades; what was collected,
and where it stands, is kept."""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tailrace.agent.installation import manifest, program
from tailrace.agent.installation.layout import ROOT_USER, Layout
from tailrace.agent.installation.manifest import Manifest
from tailrace.agent.installation.tree import Tree
from tailrace.agent.platform import Users
from tailrace.errors import StateError

TEMPLATES: Final = Path(__file__).parent
AS_USER: Final = "User=@name@\nGroup=@name@"
CAPABILITIES: Final = "AmbientCapabilities=CAP_DAC_READ_SEARCH\nCapabilityBoundingSet=CAP_DAC_READ_SEARCH"
AS_ROOT: Final = "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_FOWNER"
SETTINGS: Final = """\
# What this agent may use, and whatever else its machine's administrator decides; `tailrace agent settings` lists all there is.
# cpu_usage_limit: 0.4
# mem_usage_limit: 384
# allowed_roots: [/var/log]
"""
SELF_TEST_SECS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Services:
    """Which files of a service are written."""

    unit: bool
    init: bool


class Installer:
    """`users` is None when a package is built: nothing is owned, made or started then."""

    def __init__(self, layout: Layout, users: Users | None, services: Services) -> None:
        self._layout = layout
        self._users = users
        self._services = services
        self._tree = Tree(layout.at, users.give if users else None)

    def install(self) -> None:
        """All but enrolment and start. StateError; what was there before works until the last step."""
        layout = self._layout
        before = manifest.read(layout.at(layout.manifest))
        made_user = self._users.add(layout.user, layout.home) if self._users else False
        self._lay_program()
        self._lay_directories()
        if before is not None and before.user != layout.user:
            self._give_all()
        self._point(before)
        files = [*self._lay_service(), *self._lay_commands()]
        directories = [*(before.directories if before else ()), *(str(path) for path in self._tree.directories)]
        now = Manifest(layout.version, str(layout.prefix), layout.user, made_user or bool(before and before.made_user), files, directories)
        self._tree.file(layout.manifest, now.text())

    # --- steps --------------------------------------------------------------------------------------------------------------------
    def _lay_program(self) -> None:
        """Beside those that are there; one of the same version is replaced, as soon as the new one has passed its test."""
        layout = self._layout
        here = layout.at(layout.program)
        new, old = (layout.program.with_name(f"{layout.version}.{word}") for word in ("new", "old"))
        if not here.exists() and layout.at(old).exists():
            layout.at(old).rename(here)  # an installation was cut off between the two steps below
        if here.exists() and here.samefile(sys.prefix):
            self._test(layout.program)
            return  # this process runs from it: it is what it is
        self._tree.directory(layout.programs)
        for left in (new, old):
            self._tree.remove(left)
        with ExitStack() as failed:
            failed.callback(self._tree.remove, new)
            program.lay_down(layout.at(new), layout.program)
            self._test(new)
            failed.pop_all()
        if here.exists():
            here.rename(layout.at(old))
        layout.at(new).rename(here)
        self._tree.remove(old)

    def _lay_directories(self) -> None:
        layout, user, tree = self._layout, self._layout.user, self._tree
        tree.directory(layout.config)
        for name in ("config.d", "pipelines", "users"):
            tree.directory(layout.config / name)
        tree.directory(layout.config / "secret", 0o700, user)
        tree.directory(layout.logs, 0o750, user)
        tree.directory(layout.home, 0o700, user)
        for name in ("agent", "run", "versions"):
            tree.directory(layout.home / name, 0o700, user)
        for path, target in layout.links.items():
            tree.link(path, target, user)
        tree.link(layout.logs / "tailrace.LOG", Path("agent.log"), user)
        if not layout.at(layout.config / "agent.yaml").exists():
            tree.file(layout.config / "agent.yaml", SETTINGS)

    def _give_all(self) -> None:
        """What the agent itself wrote, to the user that it runs as from now on."""
        for top in (self._layout.home, self._layout.logs, self._layout.config / "secret"):
            for directory, _, files in os.walk(self._layout.at(top)):
                for name in ("", *files):
                    self._tree.own(Path(directory) / name, self._layout.user)

    def _test(self, directory: Path) -> None:
        """As the user that it will run as: it must be able to read its own program, wherever that is at present."""
        if self._users is None:
            return
        commands = directory / "bin"
        try:
            done = subprocess.run(  # noqa: S603 - installed by ourselves just now
                [commands / "python", "-I", commands / "tailrace-worker", "--self-test"],
                user=self._layout.user,
                group=self._layout.user,
                extra_groups=[],
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                capture_output=True,
                text=True,
                timeout=SELF_TEST_SECS,
                check=False,
            )
            said = (done.stderr or done.stdout).strip()[-500:] if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        if said:
            raise StateError(
                f"the user `{self._layout.user}` cannot run the program that was installed: {said}",
                hint="install from a Python that all users may read, such as the system's own",
            )

    def _point(self, before: Manifest | None) -> None:
        """The service and the supervisor go on with this version; of older ones, the last is kept."""
        layout = self._layout
        self._tree.link(layout.home / "current", Path("versions") / layout.version, layout.user)
        self._tree.link(layout.started, Path(layout.version))
        kept = {layout.version, before.version if before else layout.version, _last_good(layout)}
        for path in layout.at(layout.programs).iterdir():
            if not path.is_symlink() and path.name not in kept:
                self._tree.remove(layout.programs / path.name)
                self._tree.remove(layout.home / "versions" / path.name)

    def _lay_service(self) -> list[str]:
        layout, made = self._layout, list[str]()
        for wanted, path, template, mode in (
            (self._services.unit, layout.unit, "tailrace-agent.service", 0o644),
            (self._services.init, layout.init_script, "tailrace-agent.init", 0o755),
        ):
            if wanted:
                self._tree.file(path, rendered(template, layout), mode)
                made.append(str(path))
        return made

    def _lay_commands(self) -> list[str]:
        """Not over a command that pip has put there: that one works as well."""
        made = list[str]()
        for name in ("tailrace", "tailrace-agent"):
            path = self._layout.commands / name
            if self._layout.at(path).is_symlink() or not self._layout.at(path).exists():
                self._tree.link(path, Path("../lib/tailrace/program/bin") / name)
                made.append(str(path))
        return made


def rendered(template: str, layout: Layout) -> str:
    """A unit or an init script for a layout."""
    as_root = layout.user == ROOT_USER
    values = {
        "program": str(layout.started),
        "home": str(layout.home),
        "logs": str(layout.logs),
        "config": str(layout.config),
        "capabilities": AS_ROOT if as_root else CAPABILITIES,
        "user": AS_USER.replace("@name@", layout.user) if template.endswith(".service") else layout.user,
    }
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _last_good(layout: Layout) -> str:
    try:
        return layout.at(layout.home / "last-good").read_text(encoding="utf-8").strip()
    except OSError:
        return ""

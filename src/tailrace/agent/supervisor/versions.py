"""Which release of the worker runs: `ROOT/versions/<v>/bin/tailrace-worker`, and `ROOT/current`, a link to one of them.

The link is changed in one step, so that there is a current version at every moment. `ROOT/last-good` names the version whose worker has
been at work for a while last: one that keeps dying is left for it. Where there is no `current`, the worker is that of the supervisor's own
installation.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tailrace.errors import StateError

WORKER: Final = "bin/tailrace-worker"
OWN_WORKER: Final = (sys.executable, "-P", "-m", "tailrace.cli.agent.worker")
SELF_TEST_SECS: Final = 60.0


class Versions:
    """Of one root. What is in `versions` is put there by whoever installs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def current(self) -> str:
        """The version that the link names; empty where there is none, and the supervisor's own worker runs."""
        try:
            return (self._root / "current").readlink().name
        except OSError:
            return ""

    @property
    def last_good(self) -> str:
        """Empty before one was."""
        try:
            return (self._root / "last-good").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def command(self) -> Sequence[str]:
        """What starts the current worker, by its path: a link that is changed meanwhile does not matter to it."""
        worker = self._root / "versions" / self.current / WORKER
        return (str(worker),) if self.current and worker.exists() else OWN_WORKER

    def switch(self, version: str) -> None:
        """Make a version that is there the current one, in one step. StateError when it is not there, or does not pass its own test."""
        worker = self._root / "versions" / version / WORKER
        if not worker.exists():
            raise StateError(f"there is no worker of version `{version}`: `{worker}` is missing", hint="install it first")
        _must_pass_its_test(worker)
        self._point_to(version)

    def became_good(self) -> None:
        """The current worker has proved itself. OSError."""
        if (version := self.current) and version != self.last_good:
            _replace(self._root / "last-good", version)

    def fall_back(self) -> str:
        """From a version that keeps dying to the last good one: its name; empty when there is no other. OSError."""
        version = self.last_good
        if not self.current or version in ("", self.current) or not (self._root / "versions" / version / WORKER).exists():
            return ""
        self._point_to(version)
        return version

    def _point_to(self, version: str) -> None:
        new = self._root / "current.new"
        new.unlink(missing_ok=True)
        new.symlink_to(Path("versions") / version)
        new.replace(self._root / "current")
        _sync(self._root)


def _must_pass_its_test(worker: Path) -> None:
    try:
        done = subprocess.run([worker, "--self-test"], capture_output=True, text=True, timeout=SELF_TEST_SECS, check=False)  # noqa: S603 - installed beside us
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StateError(f"`{worker}` cannot be tested: {error}") from error
    if done.returncode != 0:
        raise StateError(
            f"`{worker}` did not pass its own test: {(done.stderr or done.stdout).strip()[-500:]}", hint="keep the present version"
        )


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Linux: the service of an installed agent, as systemd runs it where it is the first process, else through its init script."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tailrace.errors import StateError

BOOTED: Final = Path("/run/systemd/system")
"""Is there when systemd is the first process (sd_booted(3))."""
PATIENCE_SECS: Final = 240.0
RUNNING_CODE: Final = 0
SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def systemd_is_first() -> bool:
    return BOOTED.is_dir()


class SystemdService:
    """Implements `Service`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def enable(self) -> None:
        _run(["systemctl", "daemon-reload"])
        _run(["systemctl", "enable", "--quiet", self._name])

    def disable(self) -> None:
        """Before its unit is removed. It is stopped, too."""
        _run(["systemctl", "disable", "--quiet", "--now", self._name])

    def forget(self) -> None:
        """After its unit was removed."""
        _run(["systemctl", "daemon-reload"])
        _run(["systemctl", "reset-failed", self._name], may_fail=True)

    def do(self, verb: str) -> None:
        _run(["systemctl", verb, self._name])

    @property
    def is_running(self) -> bool:
        return _run(["systemctl", "is-active", "--quiet", self._name], may_fail=True).returncode == RUNNING_CODE


class InitService:
    """Implements `Service`. The links for the run levels are made by whatever the system has for it."""

    def __init__(self, name: str, script: Path) -> None:
        self._name, self._script = name, script

    def enable(self) -> None:
        _first_of(["update-rc.d", self._name, "defaults"], ["chkconfig", "--add", self._name], ["rc-update", "add", self._name, "default"])

    def disable(self) -> None:
        self.do("stop")

    def forget(self) -> None:
        _first_of(["update-rc.d", self._name, "remove"], ["chkconfig", "--del", self._name], ["rc-update", "del", self._name])

    def do(self, verb: str) -> None:
        _run([str(self._script), verb])

    @property
    def is_running(self) -> bool:
        return _run([str(self._script), "status"], may_fail=True).returncode == RUNNING_CODE


def _first_of(*commands: Sequence[str]) -> None:
    for command in commands:
        if any((Path(directory) / command[0]).exists() for directory in SEARCH.split(":")):
            _run(command, may_fail=True)
            return


def _run(command: Sequence[str], *, may_fail: bool = False) -> "subprocess.CompletedProcess[str]":
    """Its words go into the error. Standard input is closed, and so is every handle of ours that a daemon could keep."""
    try:
        done = subprocess.run(  # noqa: S603 - names that we wrote ourselves
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECS,
            check=False,
            env={"PATH": SEARCH, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StateError(f"`{' '.join(command)}` failed: {error}") from error
    if done.returncode != 0 and not may_fail:
        said = (done.stderr or done.stdout).strip()
        raise StateError(f"`{' '.join(command)}` failed with code {done.returncode}{': ' if said else ''}{said}")
    return done

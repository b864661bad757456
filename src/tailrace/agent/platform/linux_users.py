"""Linux: the user that the agent runs as, and whose files are whose. Needs root."""

import ctypes
import os
import pwd
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from tailrace.errors import StateError

PR_SET_KEEPCAPS: Final = 8
CAPABILITY_HEADER: Final = struct.pack("=Ii", 0x20080522, 0)
"""_LINUX_CAPABILITY_VERSION_3, of this thread (capset(2))."""
CAP_DAC_READ_SEARCH: Final = struct.pack("=6I", 1 << 2, 1 << 2, 0, 0, 0, 0)
"""Effective, permitted and inheritable of the first 32 capabilities, then of the others."""


class LinuxUsers:
    """Implements `Users`."""

    @property
    def is_root(self) -> bool:
        return os.geteuid() == 0

    def add(self, name: str, home: Path) -> bool:
        """A system user without a password, a shell and a group of others. False when there is one of this name."""
        if self.knows(name):
            return False
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(home), "--shell", _no_shell(), name]
        _must_run(command, f"cannot make the user `{name}`")
        return True

    def remove(self, name: str) -> None:
        if self.knows(name):
            _must_run(["userdel", name], f"cannot remove the user `{name}`")

    def knows(self, name: str) -> bool:
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def give(self, path: Path, name: str) -> None:
        """One file, directory or link; what is in it stays as it is."""
        user = pwd.getpwnam(name)
        os.lchown(path, user.pw_uid, user.pw_gid)

    def become_owner(self, path: Path, *, reads_all: bool = False) -> None:
        """When root looks after another user's files: go on as that user, for good, so that what is written stays the user's. `reads_all`
        leaves the one capability that an installed agent has, CAP_DAC_READ_SEARCH."""
        owner = path.stat()
        if not self.is_root or owner.st_uid == 0:
            return
        libc = ctypes.CDLL(None, use_errno=True)
        if reads_all:
            libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups(_groups(owner))
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
        if reads_all:
            libc.capset(CAPABILITY_HEADER, CAP_DAC_READ_SEARCH)  # all others go; without it in the bounding set, this one, too


def _groups(owner: os.stat_result) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:
        return []


def _no_shell() -> str:
    return next((path for path in ("/usr/sbin/nologin", "/sbin/nologin") if Path(path).exists()), "/bin/false")


def _must_run(command: list[str], what: str) -> None:
    program = shutil.which(command[0], path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise StateError(f"{what}: there is no `{command[0]}`", hint="make it with the means of your system, then install again")
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - names that we checked
    if done.returncode != 0:
        raise StateError(f"{what}: {done.stderr.strip()}")

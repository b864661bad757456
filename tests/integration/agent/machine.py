"""A machine without systemd, made of this one: its own mounts and processes, where /etc, /usr/local and /var may be changed and are gone
afterwards. Needs root."""

import subprocess
import sys
from pathlib import Path

CHANGED = ("/etc", "/usr/local", "/var")
COMMAND = str(Path(sys.executable).with_name("tailrace"))
SET_UP = """
set -e
mount -t tmpfs tmpfs /mnt
for directory in {directories}; do
    mkdir -p /mnt$directory/upper /mnt$directory/work
    mount -t overlay overlay -o lowerdir=$directory,upperdir=/mnt$directory/upper,workdir=/mnt$directory/work $directory
done
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /root
echo ready
while read -r line; do :; done  # bash, the first process here, sees to those that have no parent
"""
TREE = r"find {directories} -xdev \( -type d -printf '%p/\n' -o -type l -printf '%p -> %l\n' -o -printf '%p %s\n' \) | sort"


class Machine:
    """`run` is a shell on it."""

    def __init__(self) -> None:
        script = SET_UP.format(directories=" ".join(CHANGED))
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            text=True,
        )
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self._first = children[0]

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(30)

    def run(self, script: str, *, code: int = 0, stdin: str = "") -> str:
        """What it printed on both; a tailrace command is one of this tree's."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            ["nsenter", "-t", self._first, "--mount", "--pid", "--", "bash", "-c", f"cd /\n{script}"],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
            env={"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/root"},
        )
        assert done.returncode == code, (script, done.returncode, done.stdout)
        return done.stdout

    def tailrace(self, words: str, *, code: int = 0, stdin: str = "") -> str:
        return self.run(f"{COMMAND} {words}", code=code, stdin=stdin)

    def tree(self) -> set[str]:
        """All that there is in the places that may be changed: directories, links with their targets, files with their sizes."""
        return set(self.run(TREE.format(directories=" ".join(CHANGED))).splitlines())

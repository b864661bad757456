"""A machine made of this one: its own mounts and processes, where /etc, /usr/local and /var may be changed and are gone afterwards. Its
first process is a shell, or a systemd that starts nothing else. Needs root."""

import subprocess
import sys
from pathlib import Path

CHANGED = ("/etc", "/usr/local", "/var")
COMMAND = str(Path(sys.executable).with_name("tailrace"))
SET_UP = """
set -e
mount -t tmpfs tmpfs /mnt
for directory in {directories} /root; do
    mkdir -p /mnt$directory/upper /mnt$directory/work
    mount -t overlay overlay -o lowerdir=$directory,upperdir=/mnt$directory/upper,workdir=/mnt$directory/work $directory
done
mount -t tmpfs tmpfs /run
chmod 711 /root  # where the interpreter may live that runs these tests: the agent's user has to reach it
"""
SHELL_FIRST = """
echo ready
while read -r line; do :; done  # bash, the first process here, sees to those that have no parent
"""
SYSTEMD_FIRST = """
cd /etc/systemd/system
for unit in systemd-journald.service systemd-udevd.service systemd-logind.service systemd-tmpfiles-setup.service dbus.service; do
    ln -sf /dev/null $unit
done
printf '[Unit]\\nDescription=nothing\\nDefaultDependencies=no\\nAllowIsolate=yes\\n' > nothing.target
echo ready
export container=other
exec /lib/systemd/systemd --system --unit=nothing.target --log-target=null --show-status=no
"""
TREE = r"find {directories} -xdev \( -type d -printf '%p/\n' -o -type l -printf '%p -> %l\n' -o -printf '%p %s\n' \) | sort"


class Machine:
    """`run` is a shell on it."""

    def __init__(self, *, systemd: bool = False) -> None:
        script = SET_UP.format(directories=" ".join(CHANGED)) + (SYSTEMD_FIRST if systemd else SHELL_FIRST)
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--cgroup", "--kill-child", "bash", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            text=True,
        )
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self._first = children[0]
        if systemd:
            self.run("for try in $(seq 300); do systemctl is-active --quiet nothing.target && exit 0; sleep 0.1; done; exit 1")

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.kill()  # and with it all that runs there
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(30)

    def run(self, script: str, *, code: int = 0, stdin: str = "") -> str:
        """What it printed on both; a tailrace command is one of this tree's."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            ["nsenter", "-t", self._first, "--mount", "--pid", "--cgroup", "--", "bash", "-c", f"cd /\n{script}"],
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

"""Linux, for the supervisor: the title in `ps`, what a process uses, handles passed to another process. It loads next to nothing."""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tailrace.agent.platform.linux_lock import FileLock
from tailrace.agent.platform.port import Usage

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")
MAX_HANDLES = 8
"""In one message."""


class LinuxProcesses:
    """Implements `Processes`."""

    def name(self, title: str) -> None:
        from setproctitle import setproctitle  # noqa: PLC0415 - only a process that is an agent renames itself

        setproctitle(title)

    def own(self, path: Path, patience: float = 0.0) -> FileLock:
        return FileLock(path, patience)

    def become(self, command: Sequence[str]) -> NoReturn:
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(command[0], list(command))  # noqa: S606 - our own interpreter and module

    def usage(self, pid: int) -> Usage | None:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        # proc(5), counted from the state on: utime 11, stime 12, num_threads 17, rss 21
        return Usage((int(fields[11]) + int(fields[12])) / TICKS_PER_SEC, int(fields[21]) * PAGE_BYTES, int(fields[17]))

    def open_files(self, pid: int) -> int:
        try:
            return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            return 0

    def shared_memory(self, name: str, size: int) -> int:
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
        os.ftruncate(descriptor, size)
        return descriptor

    def pair(self) -> tuple[socket.socket, socket.socket]:
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send(self, connection: socket.socket, message: bytes, handles: Sequence[int]) -> None:
        socket.send_fds(connection, [message], list(handles))

    def receive(self, connection: socket.socket, most: int) -> tuple[bytes, list[int]]:
        message, handles, _, _ = socket.recv_fds(connection, most, MAX_HANDLES, socket.MSG_CMSG_CLOEXEC)
        return message, handles

"""A child process of `tailrace up`: runs one ordinary command line, and stops when its parent is gone or asks for it.

The parent holds the other end of the child's stdin. It never writes; the end of that pipe, by a close or by the death of the parent, is the
request to stop. It works on every operating system and cannot be missed.
"""

import os
import signal
import sys
import threading
from typing import BinaryIO

from tailrace.cli.main import main

STOP_SIGNAL = signal.SIGTERM if os.name == "posix" else signal.CTRL_BREAK_EVENT


def stop_with_parent(pipe: BinaryIO) -> None:
    """Ask this process to stop, as a Ctrl-C would, as soon as `pipe` ends."""

    def watch() -> None:
        while pipe.read(4096):
            pass
        os.kill(os.getpid(), STOP_SIGNAL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    stop_with_parent(open(0, "rb", buffering=0, closefd=False))  # noqa: SIM115  # lives as long as the process
    sys.exit(main(sys.argv[1:]))

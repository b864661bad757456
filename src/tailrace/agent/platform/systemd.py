"""Telling systemd how the service is: its datagram protocol, sd_notify(3), without its library. Does nothing where no systemd asked for
it."""

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"


class Notifier:
    """Takes its variables out of the environment, so that no child speaks for this process."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address = environment.pop(SOCKET, "")
        period, owner = environment.pop(WATCHDOG, ""), environment.pop(WATCHDOG_PID, "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self._every = int(period) / 1e6 / 3 if period.isdigit() and owner in ("", str(os.getpid())) else 0.0
        self._next = 0.0

    def ready(self, status: str) -> None:
        self._tell(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._tell(f"STATUS={text}")

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """To be called often: tells the watchdog three times in its period."""
        if self._every and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _tell(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode(), self._address)
        except OSError:  # systemd is restarting itself: the next word reaches it
            return

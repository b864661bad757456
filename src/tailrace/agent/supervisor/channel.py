"""What supervisor and worker say to each other: whole messages, JSON, some with a handle (docs/specs/supervision.md).

The worker begins with `hello`, which names the newest form it knows; the supervisor answers with `welcome` in a form that both know. What
one side does not know of the other's message, it leaves aside.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from tailrace.agent.platform import Processes

FORM: Final = 1
"""Of the messages. It rises when an older reader would misunderstand one."""
MAX_BYTES: Final = 65_536

Message: TypeAlias = Mapping[str, Any]


class Channel:
    """One end. Each message has a `kind`."""

    def __init__(self, connection: socket.socket, processes: Processes) -> None:
        self._connection = connection
        self._processes = processes

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, kind: str, handles: Sequence[int] = (), **values: object) -> bool:
        """False when the other end is gone, or takes nothing at present."""
        message = json.dumps({"kind": kind, **values}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        try:
            self._processes.send(self._connection, message, handles)
        except OSError:
            return False
        return True

    def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """The next message and its handles, which are the receiver's now. None at the end. TimeoutError, BlockingIOError."""
        try:
            data, handles = self._processes.receive(self._connection, MAX_BYTES)
        except ConnectionError:
            return None
        if not data:
            return None
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict):
            return message, handles
        close(handles)
        return {"kind": "unreadable"}, []

    def settimeout(self, seconds: float | None) -> None:
        self._connection.settimeout(seconds)

    def close(self) -> None:
        self._connection.close()


def close(handles: Sequence[int]) -> None:
    for handle in handles:
        os.close(handle)

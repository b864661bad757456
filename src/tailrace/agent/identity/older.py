"""That a home is an older copy, as a server has said: noted durably until the epoch is renewed for it (ADR 34)."""

import threading
from pathlib import Path

from tailrace import telemetry
from tailrace.journal import sync_directory, write_private


class OlderHome:
    """`directory` is that of the checkpoint, which the note goes back with when a home is restored."""

    def __init__(self, directory: Path) -> None:
        self._note = directory / "older"
        self._writing = threading.Lock()
        self._is_noted = False

    @property
    def is_noted(self) -> bool:
        """Whether the epoch is to be renewed before anything is sent."""
        return self._is_noted or self._note.exists()

    def note(self) -> bool:
        """Whether it is durable; while the disk is full it is not."""
        with self._writing:
            self._is_noted = True
            try:
                write_private(self._note, "")
            except OSError as error:  # then it is known until this process ends
                message = "cannot note that the home is an older copy"
                telemetry.logger("agent.older").warning(message, path=str(self._note), reason=error.strerror)
                return False
        return True

    def forget(self) -> None:
        """The epoch is renewed."""
        with self._writing:
            self._is_noted = False
            try:
                self._note.unlink(missing_ok=True)
                sync_directory(self._note.parent)
            except OSError as error:  # then it is renewed once more, which costs a question
                message = "cannot remove the note that the home is an older copy"
                telemetry.logger("agent.older").warning(message, path=str(self._note), reason=error.strerror)

"""Files in `HOME/users`: each holds a join token, or a server's address and a join token, and adds the token's project to this agent.

The manual has files there that are named after an account; here the name is free, for people, and the content is what counts.
"""

import hashlib
from collections.abc import Callable, Container
from pathlib import Path
from typing import Final, Protocol

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError, UnreachableError

MAX_BYTES: Final = 4096


class Join(Protocol):
    """Joins with a token; without an address, a server that is known."""

    def __call__(self, address: str, token: str, *, invitation: str) -> object: ...


class Invitations:
    """One that can never be taken up is tried once for as long as its file stays as it is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hopeless: set[str] = set()

    def take(self, join: Join, taken: Callable[[], Container[str]]) -> int:
        """Take up what is not in `taken`; how many were."""
        count = 0
        for path in self._files():
            words, digest = _read(path)
            if not words or digest in self._hopeless or digest in taken():
                continue
            try:
                join(words[0] if len(words) > 1 else "", words[-1], invitation=digest)
                count += 1
            except TailraceError as error:
                telemetry.alarm(
                    "USER_CONFIG_ALARM", "cannot join with a file of `users`", path=str(path), reason=error.message, hint=error.hint
                )
                if not _may_pass(error):
                    self._hopeless.add(digest)
        return count

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._directory.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError:
            return []


def _may_pass(error: TailraceError) -> bool:
    return isinstance(error, UnreachableError) or (isinstance(error, ApiError) and (error.status >= 500 or error.status == 429))


def _read(path: Path) -> tuple[list[str], str]:
    """Its words and its digest."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except OSError as error:
        telemetry.alarm("USER_CONFIG_ALARM", "cannot read a file of `users`", path=str(path), reason=error.strerror)
        return [], ""
    return content.decode("utf-8", "replace").split(), hashlib.sha256(content).hexdigest()

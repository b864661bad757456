"""`HOME/local_event.json`: history named in a file, as Logtail's manual has it.

The file holds a list of `{"config": "##1.0##project$config", "dir": "/absolute/directory", "name": "file or pattern"}`. Within a minute the
files are taken on as one-time runs of that pipeline, then the file is emptied but for the entries that were refused: those are tried again
when the file changes, or at the next start. What has been collected already is not read again.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tailrace.agent.jobs.importing import Request

NAME: Final = "local_event.json"
MAX_BYTES: Final = 1_048_576
HEAD: Final = "##1.0##"


class LocalEvents:
    """The file of one home."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME
        self._seen = (0, 0, 0)
        self._entries: Any = []

    def requests(self) -> "list[Request]":
        """What a changed file asks for. ValueError when it cannot be understood; it is looked at again when it has changed.

        A run's id follows from the file: a killed agent that had no time to empty it takes nothing on twice.
        """
        now = self._look()
        if not now[1] or now == self._seen:
            return []
        self._seen = now
        if now[1] > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
        text = self.path.read_text(encoding="utf-8")
        digest = hashlib.sha256(f"{now} {text}".encode()).hexdigest()[:12]
        self._entries = json.loads(text) if text.strip() else []
        return list(_requests(self._entries, digest))

    def settle(self, refused: "Sequence[Request]") -> None:
        """All that `requests` gave has been taken on, but for these, which stay. A file that has changed since is left as it is."""
        if self._look() != self._seen:
            return
        stays = [self._entries[int(one.id.rpartition("-")[2])] for one in refused]
        self.path.write_text(json.dumps(stays, indent=1, ensure_ascii=False) if stays else "", encoding="utf-8")
        self._seen = self._look()

    def _look(self) -> tuple[int, int, int]:
        """What tells one content of the file from another; zeros when it is not there."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return 0, 0, 0
        return status.st_ino, status.st_size, status.st_mtime_ns


def _requests(document: Any, digest: str) -> "Iterator[Request]":
    from tailrace.agent.jobs.importing import Request  # noqa: PLC0415 - most agents never see such a file

    if not isinstance(document, list):
        raise TypeError("it holds no list")
    for number, entry in enumerate(document):
        match entry:
            case {"config": str(config), "dir": str(directory), "name": str(name)} if directory.startswith("/") and name:
                pipeline = config.removeprefix(HEAD).rpartition("$")[2]
                yield Request([f"{directory.rstrip('/')}/{name}"], pipeline, id=f"local-event-{digest}-{number}")
            case _:
                raise TypeError(f"entry {number + 1} is not of the form {{config, dir, name}} with an absolute directory")

"""What a Logtail leaves that nobody but itself can go on with: it is listed, so that nothing is left behind in silence.

DIR/logtail_buffer_file_*      data that it could not send; `buffer_file_path` says where they are
DIR/local_event.json           history that it is to import; it empties the file when it begins
DIR/checkpoint, checkpoint_v2* positions of its plug-ins and of exactly-once delivery, a database each
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

UNSENT, HISTORY, DATABASES = "logtail_buffer_file_*", "local_event.json", ("checkpoint", "checkpoint_v2*")
BUFFERS_ARE_IN: Final = "buffer_file_path"


class Leftover(NamedTuple):
    """`why` it is not taken, and what to do."""

    what: str
    path: Path
    why: str


def leftovers(directory: Path, settings: Mapping[str, Any]) -> Iterator[Leftover]:
    """`settings`: its start-up parameters."""
    elsewhere = settings.get(BUFFERS_ARE_IN)
    places = {directory, directory / elsewhere} if isinstance(elsewhere, str) else {directory}
    for path in sorted(path for place in places for path in place.glob(UNSENT)):
        if size := path.stat().st_size:
            why = f"it holds {size:,} bytes that Logtail has not sent: start Logtail, stop it when the file is gone, and do this again"
            yield Leftover("data", path, why)
    history = directory / HISTORY
    if history.is_file() and history.read_bytes().strip():
        yield Leftover("history", history, "an import that Logtail has not begun: `tailrace agent import` reads such files")
    for path in sorted(path for name in DATABASES for path in directory.glob(name)):
        if path.is_dir() and any(path.iterdir()):
            yield Leftover("plug-ins", path, "what plug-ins remember: containers, databases and the like begin anew")

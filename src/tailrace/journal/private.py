"""Small files that are replaced as a whole and are for their owner only: identities, keys, ledgers, what is set aside."""

import os
from pathlib import Path

from tailrace.journal.directory import make_directory, sync_directory


def write_private(path: Path, text: str) -> None:
    """Durable, with its name, and private on return; the file before stays whole until then. OSError."""
    make_directory(path.parent)
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.unlink(missing_ok=True)  # left by a crash, or laid there by somebody else
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)

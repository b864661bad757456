"""The agent's own directory: whose it is, who may write there, how much room is left, and what its secrets are open to."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Scene

LEAST_FREE_BYTES: Final = 64 * 1_048_576
"""Below it the checkpoint and the agent's log may soon fail."""
TRIAL_BYTES: Final = 65_536
STATE: Final = ("agent", "secret", "run", "logs")
OTHERS: Final = 0o077


def check_home(scene: Scene) -> Iterator[Finding]:
    """That it is there, is the user's own, and can be written to: tried with a file that is gone at once."""
    if not scene.home.is_dir():
        yield warning(
            f"there is no home in `{scene.home}`", "name the agent's home with `--home`; `tailrace agent enroll` or `agent run` makes one"
        )
        return
    owner = _owner(scene.home)
    if owner and scene.home.stat().st_uid != os.geteuid():
        yield info(
            f"the home belongs to `{owner}`, this is another user: what follows holds for this one",
            "run it as root, who asks as the agent: `sudo tailrace agent doctor`",
        )
    for directory in [scene.home, *(scene.home / name for name in STATE)]:
        if directory.is_dir():
            yield from _writable(directory, scene)
    yield from _secret(scene.home / "secret")


def closed(scene: Scene) -> Finding | None:
    """A home that this user may not look into hides all that there is to say."""
    if not scene.home.is_dir() or os.access(scene.home, os.R_OK | os.X_OK, effective_ids=True):
        return None
    return warning(f"this user may not look into `{scene.home}`", "ask as the agent's user, or as root: `sudo tailrace agent doctor`")


def check_disk(scene: Scene) -> Iterator[Finding]:
    """Room for checkpoint, log and spool."""
    try:
        space = scene.host.space(scene.home)
    except OSError:
        return  # `home` has said so
    spool = scene.settings.buffer_file_num * scene.settings.buffer_file_size
    free = f"{space.free_bytes / 1e6:,.0f} MB of the disk under `{scene.home}` are free"
    if space.free_bytes < LEAST_FREE_BYTES:
        yield warning(f"only {free}", "make room there: without it the agent cannot note how far it is, nor keep what cannot be sent")
    elif space.free_bytes < spool:
        remedy = "make room, or bound the spool by `buffer_file_num`; when the disk is full, files wait where they are"
        yield info(f"{free}, the spool may take {spool / 1e6:,.0f} MB in an outage", remedy)
    else:
        yield ok(free)


def _writable(directory: Path, scene: Scene) -> Iterator[Finding]:
    """Whether a file can be made there and kept."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield warning(f"cannot write in `{directory}`: {(error.strerror or str(error)).lower()}", _remedy(directory, scene))
    else:
        if directory == scene.home:
            yield ok(f"`{directory}` can be written to")


def _remedy(directory: Path, scene: Scene) -> str:
    space = None
    with contextlib.suppress(OSError):
        space = scene.host.space(directory)
    if space is not None and space.read_only:
        return "its file system is mounted read-only: look for the reason (`dmesg`), then `mount -o remount,rw`"
    if space is not None and space.free_bytes < TRIAL_BYTES:
        return "make room on that disk, or move the home to another one with `--home`"
    return f"give the agent's user the directory: `chown -R USER {scene.home}` and `chmod u+rwx {directory}`"


def _secret(directory: Path) -> Iterator[Finding]:
    """Keys that others may read are no secrets."""
    with contextlib.suppress(OSError):
        wide = sorted(path.name for path in [directory, *directory.iterdir()] if path.is_file() and path.stat().st_mode & OTHERS)
        if wide:
            remedy = f"`chmod 600 {directory}/*`; if others have read them, enrol anew: `tailrace agent enroll --new-id`"
            yield warning(f"other users may read `{', '.join(wide)}` in `{directory}`", remedy)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return ""

"""What belongs to a run: the files that stand there when it begins, remembered at once, so that a restart lists nothing anew."""

from dataclasses import dataclass
from typing import Final

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.generation import stream_key
from tailrace.inputs.file.roots import HOST
from tailrace.inputs.file.walk import Look, Rules, Scan, Walk
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.pipeline.contract import InputContext, Position
from tailrace.pipeline.platform import FileIdentity, Reach

LAYOUT: Final = 1
SECOND: Final = 1_000_000_000
MAX_FILES: Final = 100_000
"""Files of one run."""
MARK: Final = "listed"
"""Key of the stream that says: the files of this run have been listed. Its position holds their number and size."""


@dataclass(slots=True)
class Pending:
    """One file that is not read to its end. `position` is that of its stream."""

    key: str
    stream: str
    position: Position

    @property
    def path(self) -> str:
        return str(self.position["path"])

    @property
    def size(self) -> int:
        """On the disk, in bytes."""
        return int(self.position["size"])


@dataclass(slots=True)
class Listing:
    """The files of a run that are still to be read, the oldest first, and how much the whole run was."""

    pending: list[Pending]
    files: int
    bytes: int


def listing(config: StaticFileConfig, context: InputContext) -> Listing:
    """That of a former process, or a new one, durable before anything is read of it."""
    states = {state.key: state for state in context.streams}
    mark = states.pop(MARK, None)
    if mark is None:
        return _list(config, context)
    context.open_stream(MARK, mark.next)
    pending = [Pending(key, stream, state.next) for key, state in states.items() if (stream := context.open_stream(key, state.next))]
    return Listing(sorted(pending, key=_age), int(mark.next["files"]), int(mark.next["bytes"]))


def walk_once(config: FileConfig, reach: Reach) -> Scan:
    """All files that a config names now, as the agent's policy lets them be read."""
    paths = Paths(config)
    rules = Rules(config, paths.excluded, reach, MAX_FILES, enter=lambda _: True, leave=lambda _: None, better=lambda _: "")
    walk = Walk(rules, {}, room=MAX_FILES, judge_again=False, first=True)
    for _ in walk.run([(HOST, pattern) for pattern in paths.patterns(HOST)]):
        pass
    return walk.scan


def is_wanted(config: StaticFileConfig, look: Look) -> bool:
    """Whether a file that was found belongs to the run: not an empty one, nor one that was changed last before `ModifiedSince`."""
    return look.st_size > 0 and look.st_mtime_ns >= config.modified_since * SECOND


def _list(config: StaticFileConfig, context: InputContext) -> Listing:
    scan = walk_once(config, context.platform.reach)
    if scan.left_out:
        context.alarm("STAT_LIMIT_ALARM", "there are too many files; those beyond the limit are not imported", files=scan.left_out)
    for directory, error in scan.unreadable.items():
        context.alarm("LOGDIR_PERMINSSION_ALARM", "cannot list the directory", path=directory, reason=(error.strerror or "").lower())
    pending: dict[str, Pending] = {}
    for path, status in scan.files.items():
        if not is_wanted(config, status):
            continue
        position: Position = {"v": LAYOUT, "path": path, "size": status.st_size, "modified": status.st_mtime_ns}
        key = _key(context, path, status)
        stored = context.stored_end(key) if key else None
        position["offset"] = 0
        if stored is not None and stored.end:
            position["stored"] = [stored.end, stored.start, stored.fingerprint.hex()]
        if key is not None and key not in pending and (stream := context.open_stream(key, position)):
            context.remember(stream, position)
            pending[key] = Pending(key, stream, position)
    found = Listing(sorted(pending.values(), key=_age), len(pending), sum(one.size for one in pending.values()))
    marked: Position = {"v": LAYOUT, "files": found.files, "bytes": found.bytes}
    stream = context.open_stream(MARK, marked)
    if stream is not None:
        context.remember(stream, marked)
    return found


def _key(context: InputContext, path: str, look: Look) -> str | None:
    """Without opening the file: whether that is possible shows when its turn comes."""
    try:
        return stream_key(FileIdentity(look.st_dev, look.st_ino, context.platform.born_at(path)))
    except OSError as error:
        context.alarm("OPEN_LOGFILE_FAIL_ALARM", "cannot open the file", path=path, reason=(error.strerror or str(error)).lower())
        return None


def _age(one: Pending) -> tuple[int, str]:
    return int(one.position["modified"]), one.path

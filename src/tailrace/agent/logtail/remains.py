"""Reads the files of a Logtail: delivered configs, start-up parameters, user-defined ids and positions.

    DIR/user_log_config.json, DIR/user_local_config.json, DIR/user_config.d/*.json    {"metrics": {"##1.0##project$config": {…}}}
    DIR/ilogtail_config.json                              start-up parameters; `user_config_file_path` names another file than the first,
                                                          `check_point_filename` says where the positions are
    DIR/user_defined_id, /etc/ilogtail/user_defined_id    one id per line
    DIR/logtail_check_point, /tmp/logtail_check_point     {"check_point": {"path*dev*inode*config": {…}}, "version": 200}

Logtail's own directory is `/usr/local/ilogtail`; what lies beside it elsewhere on the machine is looked for only then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from tailrace.agent.logtail.leftovers import Leftover, leftovers
from tailrace.errors import DamagedError, StateError

INSTALLED: Final = Path("/usr/local/ilogtail")
CONFIGS, LOCAL, FRAGMENTS, SETTINGS, IDS, POSITIONS = (
    "user_log_config.json",
    "user_local_config.json",
    "user_config.d",
    "ilogtail_config.json",
    "user_defined_id",
    "logtail_check_point",
)
ELSEWHERE: Final = {IDS: Path("/etc/ilogtail/user_defined_id"), POSITIONS: Path("/tmp/logtail_check_point")}  # noqa: S108 - Logtail's own place
HEAD: Final = "##1.0##"
MAX_BYTES: Final = 512 * 1_048_576
"""Of one file: 100 000 positions, which is Logtail's own bound, take 60 MB."""
GENERATION: Final = 10_000
"""Positions of `version` 200 and all others below this are understood, as Logtail itself has it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far Logtail has read one file for one config, and what proves the file: hash and size of its head."""

    path: str
    device: int
    inode: int
    offset: int
    sig_size: int
    sig_hash: int
    config: str
    updated: int
    """Seconds since the Unix epoch."""
    place: int
    """Among the files of one path that are still to be read, the oldest first."""


@dataclass(slots=True)
class Remains:
    """What there is. Configs by their full name, as they were delivered."""

    configs: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ids: list[str] = field(default_factory=list[str])
    marks: list[Mark] = field(default_factory=list[Mark])
    marked_at: float = 0.0
    """When the positions were written; 0 where there are none."""
    unreadable: list[str] = field(default_factory=list[str])
    """Positions without what they need."""
    missing: str = ""
    """File of positions that the start-up parameters name, and that is not there."""
    left: list[Leftover] = field(default_factory=list[Leftover])


def read_remains(directory: Path, check_point: Path | None = None) -> Remains:
    """What lies in `directory`. `check_point`: where the positions are, if it is somewhere else than Logtail says.

    Raises StateError where there are no configs, DamagedError for a file that is not what it should be.
    """
    found = Remains()
    if (directory / SETTINGS).is_file():
        found.settings = _document(directory / SETTINGS)
    first = _named(directory, found.settings, "user_config_file_path") or directory / CONFIGS
    files = [first, directory / LOCAL, *sorted((directory / FRAGMENTS).glob("*.json"))]
    known = [path for path in files if path.is_file()]
    if not known:
        raise StateError(f"`{directory}` is no Logtail: there is no `{first}`", hint=f"it usually is `{INSTALLED}`")
    for path in known:
        found.configs |= _objects(_document(path).get("metrics"), path, "metrics")
    ids = _place(directory, IDS)
    if ids is not None:
        found.ids = [line.strip() for line in ids.read_text("utf-8-sig", errors="replace").splitlines() if line.strip()]
    named = check_point or _named(directory, found.settings, "check_point_filename")
    if named is not None and check_point is None and not named.is_file():
        found.missing, named = str(named), None
    positions = named or _place(directory, POSITIONS)
    if positions is not None:
        _read_positions(found, positions)
    found.left = list(leftovers(directory, found.settings))
    return found


def _place(directory: Path, name: str) -> Path | None:
    places = [directory / name, *([ELSEWHERE[name]] if directory == INSTALLED else [])]
    return next((path for path in places if path.is_file()), None)


def _named(directory: Path, settings: Mapping[str, Any], key: str) -> Path | None:
    """The file that a start-up parameter names; a relative one counts from the directory."""
    named = settings.get(key)
    return directory / named if isinstance(named, str) and named else None


def _read_positions(found: Remains, path: Path) -> None:
    document = _document(path)
    version = document.get("version", 0)
    if not isinstance(version, int) or version >= GENERATION:
        raise StateError(f"the positions in `{path}` have version {version}, which is not known here")
    found.marked_at = path.stat().st_mtime
    for key, value in _objects(document.get("check_point") or {}, path, "check_point").items():
        try:
            found.marks.append(_mark(value))
        except (KeyError, TypeError, ValueError):
            found.unreadable.append(key)


def _mark(value: Mapping[str, Any]) -> Mark:
    mark = Mark(
        path=str(value["file_name"]),
        device=int(value["dev"]),
        inode=int(value["inode"]),
        offset=int(value["offset"]),
        sig_size=int(value.get("sig_size", 0)),
        sig_hash=int(value.get("sig_hash", 0)) % 2**64,
        config=str(value["config_name"]),
        updated=int(value.get("update_time", 0)),
        place=int(value.get("idx_in_reader_array", 0)),
    )
    if mark.offset < 0 or mark.inode <= 0 or not 0 <= mark.sig_size <= 1024 or not mark.path.startswith("/"):
        raise ValueError(mark.path)
    return mark


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DamagedError(f"`{path}` is larger than {MAX_BYTES:,} bytes", hint="that is no file of a Logtail")
        document = json.loads(path.read_text("utf-8-sig", errors="surrogateescape"))
    except OSError as error:
        raise StateError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"`{path}` is not JSON: {error}") from error
    return dict(_objects({"": document}, path, "it")[""])


def _objects(value: object, path: Path, name: str) -> dict[str, Mapping[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in cast("dict[str, object]", value).values()):
        raise DamagedError(f"in `{path}` `{name}` does not hold what it should", hint="is it a file of a Logtail?")
    return cast("dict[str, Mapping[str, Any]]", value)

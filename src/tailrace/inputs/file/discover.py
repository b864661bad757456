"""What an input knows of its directories: kept by walks and by single changes, asked by the follower."""

from collections.abc import Callable, Generator
from pathlib import Path

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.generation import FileId
from tailrace.inputs.file.patterns import Excluded, PathPattern
from tailrace.inputs.file.roots import Root, Roots
from tailrace.inputs.file.walk import Directory, Look, Rules, Scan, Walk, child
from tailrace.pipeline.contract import InputContext
from tailrace.pipeline.sharing import Rank


class Paths:
    """The paths of a config, in one root after the other, and what they leave out."""

    def __init__(self, config: FileConfig) -> None:
        self._config = config
        self.excluded = Excluded.of(directories=config.exclude_dirs, names=config.exclude_files, paths=config.exclude_file_paths)

    def patterns(self, root: Root) -> list[PathPattern]:
        made = [root.pattern(text, self._config.max_dir_search_depth) for text in self._config.file_paths]
        return [pattern for pattern in made if pattern is not None]

    def ranking(self, roots: Roots) -> Callable[[str], Rank | None]:
        """How well a path fits, in the roots of this moment."""
        patterns = [pattern for root in roots.all for pattern in self.patterns(root)]
        return lambda path: self._rank(path, patterns)

    def _rank(self, path: str, patterns: list[PathPattern]) -> Rank | None:
        fitting = [pattern for pattern in patterns if pattern.matches(path)]
        if not fitting or self.excluded.file(path, path.rpartition("/")[2]):
            return None
        open_ = [pattern.rank for pattern in fitting if not self.excluded.above(path, pattern.base)]
        return max(open_, default=None)


class Discovery:
    """The directories of one `input_file`."""

    def __init__(
        self, config: FileConfig, context: InputContext, roots: Roots, *, watch: Callable[[str], bool], unwatch: Callable[[str], None]
    ) -> None:
        self._config = config
        self._context = context
        self._roots = roots
        self._paths = Paths(config)
        self._watch, self._unwatch = watch, unwatch
        self._watched: set[str] = set()
        self._scanned = False
        self._claims = -1
        self.leaving: list[Root] = []
        """Removed roots that have not been walked once more."""
        self.directories: dict[str, Directory] = {}
        self.unwatched: dict[str, Directory] = {}
        self.sentinels: dict[str, FileId | None] = {}
        """Directories whose appearance or change raises no event: bases of patterns, and what links lead to → what stood there."""
        self.crowd = 0
        """Directories that had no room among the watched ones."""
        self._polled: dict[str, bool] = {}
        """Answers of `is_polled` since the last walk: it is asked of every open file every second."""

    def walk(self) -> Generator[Directory | None, None, Scan]:
        """Look at everything anew, in steps; yields each directory that has been listed."""
        bounds = self._context.bounds
        room = min(bounds.files_per_config, bounds.files.room(self))
        claims = self._context.claims.version
        rules = Rules(
            self._config,
            self._paths.excluded,
            self._context.platform.reach,
            bounds.wildcard_directories,
            self._enter,
            self._leave,
            self._better,
        )
        self.crowd = 0
        walk = Walk(rules, self.directories, room=room, judge_again=claims != self._claims, first=not self._scanned)
        leaving, self.leaving = self.leaving, []
        patterns = [(root, pattern) for root in [*self._roots.all, *leaving] for pattern in self._paths.patterns(root)]
        scan = yield from walk.run(patterns)
        for path in self._watched - scan.directories.keys():  # watched early, and not ours any more
            self._leave(path)
        self._claims, self._scanned = claims, True
        self.directories = scan.directories
        self._polled.clear()
        self.unwatched = {path: one for path, one in scan.directories.items() if not one.watched and not one.asleep}
        self.sentinels = {pattern.base: None for _, pattern in patterns}
        self.sentinels |= {path: one.identity for path, one in scan.directories.items() if one.linked or path in self.sentinels}
        bounds.files.hold(self, sum(len(directory.files) for directory in scan.directories.values()))
        return scan

    def ours(self) -> Callable[[str], bool]:
        """Tells whether a path is one of ours, by its name: at present, and whatever stands there."""
        rank = self._paths.ranking(self._roots)
        return lambda path: rank(path) is not None and not self._better(path)

    def saw(self, directory: str, name: str, look: Look) -> bool:
        """A name turned up in a known directory, or changed there. Whether it is one of our files, and there is room for it."""
        known = self.directories.get(directory)
        if known is None or name in known.others:  # whose it is by now, the next walk judges
            return False
        if name not in known.files:
            path = child(directory, name)
            collected = any(pattern.name.match(name) for pattern in known.patterns) and not self._paths.excluded.file(path, name)
            if not collected or self._is_full() or self._better(path):
                return False
        known.files[name] = look
        return True

    def gone(self, directory: str, name: str) -> bool:
        """No file stands there any more; whether one of ours did."""
        known = self.directories.get(directory)
        return known is not None and known.files.pop(name, None) is not None

    def forget(self, path: str) -> None:
        """The file at this path could not be taken up: the next walk reports it as changed."""
        directory, _, name = path.rpartition("/")
        known = self.directories.get(directory or "/")
        if known is not None and name in known.files:
            known.files[name] = known.files[name]._replace(st_size=-1)

    @property
    def claims_changed(self) -> bool:
        """Whether pipelines claim other files than at the last walk."""
        return self._claims != self._context.claims.version

    def moved(self) -> bool:
        """Whether another directory stands where a link leads, or where a pattern begins."""
        return any(_identity(path) != stood for path, stood in self.sentinels.items())

    def polled(self) -> list[tuple[str, str]]:
        """Directory and name of files whose changes raise no event there, because they are links."""
        return [(path, name) for path, one in self.directories.items() if one.links and not one.asleep for name in one.links]

    def is_polled(self, path: str) -> bool:
        """Whether changes of the file at this path may raise no event."""
        polled = self._polled.get(path)
        if polled is None:
            directory, _, name = path.rpartition("/")
            known = self.directories.get(directory or "/")
            polled = self._polled[path] = known is None or not known.watched or name in known.links
        return polled

    def close(self) -> None:
        self._context.bounds.files.release(self)
        self._context.bounds.watches.release(self)

    def _is_full(self) -> bool:
        bounds = self._context.bounds
        return sum(len(one.files) for one in self.directories.values()) >= min(bounds.files_per_config, bounds.files.room(self))

    def _better(self, path: str) -> str:
        if self._config.allowing_included_by_multi_configs:
            return ""
        return self._context.claims.better(self._context.pipeline, path)

    def watch_early(self, path: str) -> bool:
        """Watch a directory where files of ours stood before, which the first walk has not come to yet."""
        watches = self._context.bounds.watches
        if path not in self._watched and len(self._watched) >= watches.room(self):
            return False
        self._watched.add(path)
        watches.hold(self, len(self._watched))
        return self._watch(path)

    def _enter(self, directory: Directory) -> bool:
        """Watch it; again in each walk, because another directory may stand there by now."""
        watched = self.watch_early(directory.path)
        self.crowd += directory.path not in self._watched
        return watched

    def _leave(self, path: str) -> None:
        if path in self._watched:
            self._watched.discard(path)
            self._unwatch(path)
            self._context.bounds.watches.hold(self, len(self._watched))


def _identity(path: str) -> FileId | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

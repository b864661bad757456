"""Which pipeline a file belongs to when several name it, and what all file inputs of the agent may use together."""

import sys
import threading
from collections.abc import Callable

from tailrace.agent.settings.settings import AgentSettings
from tailrace.pipeline.sharing import DeletedBounds, FileBounds, Rank


class Claims:
    """Implements `pipeline.sharing.Claims`. The claims of all pipelines are staked before the first of them starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ranks: dict[str, Callable[[str], Rank | None]] = {}
        self._sharing: dict[str, Callable[[str], Rank | None]] = {}
        self.version = 0

    def stake(self, pipeline: str, rank: Callable[[str], Rank | None], *, shares: bool = False) -> None:
        with self._lock:
            ranks, sharing = _without(self._ranks, pipeline), _without(self._sharing, pipeline)
            (sharing if shares else ranks)[pipeline] = rank
            self._ranks, self._sharing = ranks, sharing
            self.version += 1

    def withdraw(self, pipeline: str) -> None:
        with self._lock:
            if pipeline in self._ranks or pipeline in self._sharing:
                self._ranks, self._sharing = _without(self._ranks, pipeline), _without(self._sharing, pipeline)
                self.version += 1

    def better(self, pipeline: str, path: str) -> str:
        best, best_rank = pipeline, None
        ranks = self._ranks  # never changed in place
        if ranks.keys() <= {pipeline}:
            return ""
        for name in sorted(ranks):
            rank = ranks[name](path)
            if rank is not None and (best_rank is None or rank > best_rank):
                best, best_rank = name, rank
        return "" if best == pipeline else best

    def inherits(self, pipeline: str, path: str) -> bool:
        ranks, sharing = self._ranks, self._sharing
        own = ranks.get(pipeline) or sharing.get(pipeline)
        if own is not None and own(path) is not None:
            return pipeline in sharing or not self.better(pipeline, path)
        return not any(rank(path) is not None for rank in (*ranks.values(), *sharing.values()))


def _without(ranks: dict[str, Callable[[str], Rank | None]], pipeline: str) -> dict[str, Callable[[str], Rank | None]]:
    return {name: rank for name, rank in ranks.items() if name != pipeline}


class Allowance:
    """Implements `pipeline.sharing.Allowance`: a bound that several holders share, first come, first served."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._lock = threading.Lock()
        self._held: dict[object, int] = {}

    @property
    def taken(self) -> int:
        with self._lock:
            return sum(self._held.values())

    def room(self, holder: object) -> int:
        with self._lock:
            return max(0, self.bound - sum(held for one, held in self._held.items() if one is not holder))

    def hold(self, holder: object, amount: int) -> None:
        with self._lock:
            self._held[holder] = amount

    def release(self, holder: object) -> None:
        with self._lock:
            self._held.pop(holder, None)


def file_bounds(settings: AgentSettings) -> FileBounds:
    deleted = DeletedBounds(Allowance(settings.deleted_files), Allowance(settings.deleted_bytes), settings.deleted_secs)
    return FileBounds(
        Allowance(settings.files),
        Allowance(settings.max_watched_directories),
        settings.files_per_config,
        settings.max_wildcard_directories,
        Allowance(sys.maxsize),
        deleted,
    )

"""What the administrator of a machine decides for its agent, and no server can change (DESIGN §4.5). `startup` finds the values."""

from collections.abc import Iterator

from tailrace.pipeline.config import OptionGroup, Problem, option


class AgentSettings(OptionGroup):
    """Bounds and policy of one agent. The file may be absent; so may every key."""

    allowed_roots: list[str] = option(
        factory=lambda: ["/"], key="allowed_roots",
        doc="Directories that file inputs may read in, links followed; `/proc`, `/sys`, `/dev` and the agent's own files are never read.",
    )  # fmt: skip
    mem_usage_limit: int = option(
        384, key="mem_usage_limit", doc="Memory that the worker is meant to get by with; the bounds on files follow from it.", unit="MB",
        ge=64, le=65_536,
    )  # fmt: skip
    max_files: int = option(0, key="max_files", doc="Files that all pipelines follow together; 0 is 50 000 per 100 MB of memory.", ge=0)
    max_files_per_config: int = option(
        0, key="max_files_per_config", doc="Files that one input follows; 0 is 5 000 per 100 MB of memory.", ge=0
    )
    max_watched_directories: int = option(
        3000, key="max_watched_directories", doc="Directories that are watched by all pipelines together; the rest is scanned.", ge=0
    )
    max_wildcard_directories: int = option(
        1000, key="max_wildcard_directories", doc="Directories that one wildcard in a path may stand for in one directory.", ge=1
    )

    def problems(self) -> Iterator[Problem]:
        for index, root in enumerate(self.allowed_roots):
            if not root.startswith("/"):
                yield Problem(f"allowed_roots[{index}]", f"`{root}` is not an absolute path", "begin it with `/`")

    @property
    def files(self) -> int:
        """The manual's scaling: 50 000 per 100 MB, at least its default of 100 000."""
        return self.max_files or max(100_000, self.mem_usage_limit * 500)

    @property
    def files_per_config(self) -> int:
        """The manual's scaling: 5 000 per 100 MB, at least its default of 10 000."""
        return self.max_files_per_config or max(10_000, self.mem_usage_limit * 50)

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

    working_ip: str = option(
        "", key="working_ip", doc="Address that events and the server are told as this machine's; empty: the default route's."
    )
    working_hostname: str = option("", key="working_hostname", doc="Host name that events and the server are told; empty: the system's.")
    default_tail_limit_kb: int = option(
        1024, key="default_tail_limit_kb", doc="`TailSizeKB` of file inputs that give none.", unit="KiB", ge=0, le=104_857_600
    )
    max_read_buffer_size: int = option(
        524_288, key="max_read_buffer_size", doc="Longest event of file inputs that give no `MaxEventSizeKB`.", unit="bytes",
        ge=1024, le=8_388_608,
    )  # fmt: skip
    accept_multi_config: bool = option(
        False, key="accept_multi_config", doc="`AllowingIncludedByMultiConfigs` of file inputs that do not give it."
    )
    batch_send_seconds: float = option(
        0.2, key="batch_send_seconds", doc="`Batch.TimeoutSecs` of flushers that give none.", unit="seconds", ge=0, le=60
    )
    batch_send_bytes: int = option(
        1_048_576, key="batch_send_bytes", doc="`Batch.MinSizeBytes` of flushers that give none.", unit="bytes", ge=1, le=10_485_760
    )
    check_point_filename: str = option("", key="check_point_filename", doc="File of positions.", ignored="it stands in `HOME/agent`")
    check_point_dump_interval: int = option(
        900, key="check_point_dump_interval", doc="How often positions are saved.", unit="seconds",
        ignored="positions are durable before anything is sent",
    )  # fmt: skip
    enable_checkpoint_sync_write: bool = option(
        True, key="enable_checkpoint_sync_write", doc="Whether positions are written through to the disk.", ignored="they always are"
    )
    user_config_file_path: str = option(
        "", key="user_config_file_path", doc="File of collection configs.", ignored="pipelines stand in `HOME/pipelines`"
    )
    logreader_max_rotate_queue_size: int = option(
        20, key="logreader_max_rotate_queue_size", doc="Rotated files of one path that may wait.", ignored="all that exist are read"
    )
    data_server_port: int = option(80, key="data_server_port", doc="Port of uploads.", ignored="the endpoint names its port")

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

"""What the administrator of a machine decides for its agent, and no server can change (DESIGN §4.5). `startup` finds the values."""

import math
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from tailrace.pipeline.agent_settings import ServedSettings
from tailrace.pipeline.config import Problem, Secret, option
from tailrace.wire.commands import KINDS
from tailrace.wire.outward import Outward
from tailrace.wire.proxy import Proxies, as_address, wrong_proxy

MIB = 1_048_576
LEAST_HANDLES: Final = 64
MAX_PORT: Final = 65_535
STREAM_LOG: Final = "it was replaced long ago; rsyslog writes files, which are collected"
_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*):([0-9]{1,5})")


class AgentSettings(ServedSettings):
    """Bounds and policy of one agent. The file may be absent; so may every key."""

    allowed_roots: list[str] = option(
        factory=lambda: ["/"], key="allowed_roots",
        doc="Directories that file inputs may read in, links followed; `/proc`, `/sys`, `/dev` and the agent's own files are never read.",
    )  # fmt: skip
    config_files: list[str] = option(
        factory=lambda: ["files", "/etc/tailrace/files", "/usr/share/GeoIP", "/var/lib/GeoIP"], key="config_files",
        doc="Directories whose files a config may name beside its logs: keys, dictionaries, databases, `${file:…}`. A path that is not "
        "absolute lies in the home.",
    )  # fmt: skip
    config_outputs: list[str] = option(
        factory=lambda: ["out"], key="config_outputs",
        doc="Directories that flushers may write in. A path that is not absolute lies in the home.",
    )  # fmt: skip
    config_variables: list[str] = option(
        factory=lambda: ["LOG_*", "SLS_*"], key="config_variables",
        doc="Environment variables of the agent that configs may use, with `*` and `?`; those in `ALIYUN_LOG_ENV_TAGS` are allowed, too.",
    )  # fmt: skip
    metrics_listen: str = option(
        "", key="metrics_listen", doc="`HOST:PORT` at which Prometheus gets the agent's metrics, `/metrics` over HTTP, and probes its "
        "health, `/healthz` (503 when a part stands still for `hang_secs`); empty: nowhere.",
        examples=["127.0.0.1:9483"],
    )  # fmt: skip
    server_commands: list[str] = option(
        factory=lambda: list(KINDS), key="server_commands",
        doc="Commands that the servers of this agent may give it; an empty list: none.",
    )  # fmt: skip
    ephemeral: bool = option(
        False, key="ephemeral", doc="Whether this machine comes and goes, as a container does: when it is silent, its servers give it up "
        "after a day instead of after 30.",
    )  # fmt: skip
    internal_logs: bool = option(
        True, key="internal_logs",
        doc="Whether the agent sends its alarms, its status and its profile to the logstore `internal-diagnostic_log` of each project that "
        "it was enrolled for. The snapshots in the home are written all the same.",
    )  # fmt: skip
    logtail_alarm_interval: int = option(
        30, key="logtail_alarm_interval", doc="How often what happened to alarms is reported there.", unit="seconds", ge=1, le=3600
    )
    logtail_status_interval: int = option(
        60, key="logtail_status_interval", doc="How often the agent's status is reported there.", unit="seconds", ge=1, le=3600
    )
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

    max_open_files: int = option(
        0, key="max_open_files", doc="Handles that the worker may have, input files and its own; 0 is as many as the system allows.", ge=0
    )
    hang_secs: int = option(
        60, key="hang_secs", doc="A worker of which a part stands still for so long is hung: its supervisor starts another one.",
        unit="seconds", ge=5, le=3600,
    )  # fmt: skip
    working_ip: str = option(
        "", key="working_ip", doc="Address that events and the server are told as this machine's; empty: the default route's."
    )
    working_hostname: str = option("", key="working_hostname", doc="Host name that events and the server are told; empty: the system's.")
    buffer_file_size: int = option(
        20_971_520, key="buffer_file_size", doc="Size of each.", unit="bytes", ge=1_048_576, le=104_857_600,
    )  # fmt: skip
    buffer_file_path: str = option(
        "", key="buffer_file_path", doc="Directory of the spool.", ignored="it stands in `HOME/agent/spool`, which may be a link"
    )
    http_proxy: Secret = option(
        Secret(), key="http_proxy", doc="HTTP proxy for endpoints with `http`, `http://USER:PASSWORD@HOST:PORT`; `none`: no proxy. Also "
        "`HTTP_PROXY` in the environment. This machine itself is always reached directly.",
    )  # fmt: skip
    https_proxy: Secret = option(
        Secret(), key="https_proxy", doc="The same for endpoints with `https`, and `HTTPS_PROXY`.",
    )  # fmt: skip
    no_proxy: str = option(
        "", key="no_proxy", doc="What is reached without them, separated by commas: names (and all below them), addresses, networks such "
        "as `10.0.0.0/8`, each but a network with or without a port; `*` is all. Also `NO_PROXY`.", examples=["10.0.0.0/8,.example.org"],
    )  # fmt: skip
    bind_interface: str = option(
        "", key="bind_interface", doc="Network interface whose address connections come from; empty: the system chooses.", examples=["eth1"]
    )
    oas_connect_timeout: float = option(
        5.0, key="oas_connect_timeout", doc="How long calls for keys and enrolment may take to connect.", unit="seconds", ge=0.1, le=3600
    )
    oas_request_timeout: float = option(
        10.0, key="oas_request_timeout", doc="How long such a call may wait for its answer.", unit="seconds", ge=0.1, le=3600
    )
    enable_log_time_auto_adjust: bool = option(
        False, key="enable_log_time_auto_adjust", doc="Whether the times of events are moved by as much as the server's clock is ahead of "
        "this machine's, or behind, where that is 5 s or more; from a target's first answer on.",
    )  # fmt: skip
    discard_old_data: bool = option(
        True, key="discard_old_data", doc="Whether events older than `max_log_age_secs` are discarded, by pipelines that give no "
        "`MaxLogAgeSecs`.",
    )  # fmt: skip
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
    force_quit_read_timeout: int = option(
        7200, key="force_quit_read_timeout", doc="When a thread that reads counts as hung.", unit="seconds",
        ignored="`hang_secs` says it for all parts",
    )  # fmt: skip
    docker_file_cache_path: str = option(
        "", key="docker_file_cache_path", doc="File of known containers.", ignored="nothing reads from containers yet"
    )
    max_docker_config_update_times: int = option(
        10, key="max_docker_config_update_times", doc="Updates from containers within 3 min.", ignored="nothing reads from containers yet"
    )
    streamlog_open: bool = option(False, key="streamlog_open", doc="The old stream log.", ignored=STREAM_LOG)
    streamlog_pool_size_in_mb: int = option(50, key="streamlog_pool_size_in_mb", doc="Its memory.", unit="MB", ignored=STREAM_LOG)
    streamlog_rcv_size_each_call: int = option(1024, key="streamlog_rcv_size_each_call", doc="Its reads.", unit="bytes", ignored=STREAM_LOG)
    streamlog_tcp_addr: str = option("", key="streamlog_tcp_addr", doc="Its address.", ignored=STREAM_LOG)
    streamlog_tcp_port: int = option(11_111, key="streamlog_tcp_port", doc="Its port.", ignored=STREAM_LOG)
    streamlog_formats: list[dict[str, Any]] = option(
        factory=list[dict[str, Any]], key="streamlog_formats", doc="Its formats.", ignored=STREAM_LOG
    )
    max_deleted_files: int = option(
        1000, key="max_deleted_files",
        doc="Deleted files that all pipelines together hold open until they are read; of more, those deleted first are given up, and what "
        "was not read of them is counted in `unread_bytes_deleted`. 0 is no limit.",
        ge=0,
    )  # fmt: skip
    max_deleted_mb: int = option(
        0, key="max_deleted_mb", doc="Room on the disk that deleted files may take up while they are held open; 0 is no limit.", unit="MB",
        ge=0,
    )  # fmt: skip
    force_release_deleted_file_fd_timeout: int = option(
        -1, key="force_release_deleted_file_fd_timeout",
        doc="How long a deleted file is held open at the most, read or not; -1 until it is read.", unit="seconds", ge=-1,
    )  # fmt: skip

    def problems(self) -> Iterator[Problem]:
        for index, root in enumerate(self.allowed_roots):
            if not root.startswith("/"):
                yield Problem(f"allowed_roots[{index}]", f"`{root}` is not an absolute path", "begin it with `/`")

        for index, kind in enumerate(self.server_commands):
            if kind not in KINDS:
                yield Problem(f"server_commands[{index}]", f"there is no command `{kind}`", f"there are {', '.join(KINDS)}")

        for key, proxy in (("http_proxy", self.http_proxy), ("https_proxy", self.https_proxy)):
            if proxy and (wrong := wrong_proxy(proxy.reveal())):
                yield Problem(key, wrong, "write it like `http://proxy.example.org:3128`")

        if self.working_ip and as_address(self.working_ip) is None:
            hint = "write it like `10.0.0.7`; without it that of the default route holds"
            yield Problem("working_ip", f"`{self.working_ip}` is no IP address", hint)

        if 0 < self.max_open_files < LEAST_HANDLES:
            hint = f"write at least {LEAST_HANDLES}, or 0 for as many as the system allows"
            yield Problem("max_open_files", f"{self.max_open_files} handles are too few for the agent itself", hint)

        if self.metrics_listen and not _can_be_listened_at(self.metrics_listen):
            yield Problem("metrics_listen", f"`{self.metrics_listen}` is no address", "write `HOST:PORT`, such as `127.0.0.1:9483`")

    @property
    def log_age_secs(self) -> int | None:
        """The limit of age of pipelines that give none; 0 is no limit, None the usual one."""
        return self.max_log_age_secs if self.discard_old_data else 0

    @property
    def outward(self) -> Outward:
        return Outward(self.bind_interface, self.oas_connect_timeout, self.oas_request_timeout, self.enable_log_time_auto_adjust)

    @property
    def proxies(self) -> Proxies:
        return Proxies(self.http_proxy.reveal(), self.https_proxy.reveal(), self.no_proxy)

    @property
    def files(self) -> int:
        """The manual's scaling: 50 000 per 100 MB, at least its default of 100 000."""
        return self.max_files or max(100_000, self.mem_usage_limit * 500)

    @property
    def files_per_config(self) -> int:
        """The manual's scaling: 5 000 per 100 MB, at least its default of 10 000."""
        return self.max_files_per_config or max(10_000, self.mem_usage_limit * 50)

    @property
    def deleted_files(self) -> int:
        return self.max_deleted_files or sys.maxsize

    @property
    def deleted_bytes(self) -> int:
        return self.max_deleted_mb * MIB or sys.maxsize

    @property
    def deleted_secs(self) -> float:
        return math.inf if self.force_release_deleted_file_fd_timeout < 0 else self.force_release_deleted_file_fd_timeout


def _can_be_listened_at(address: str) -> bool:
    found = _ADDRESS.fullmatch(address)
    return found is not None and int(found[1]) <= MAX_PORT

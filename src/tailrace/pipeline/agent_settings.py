"""Settings of an agent that a server may give to the agents of a machine group, where their machines have no value of their own.

They are about what an agent uses and how it sends; what it may read, and whom it obeys, is for the machine's administrator alone.
"""

from typing import Literal

from tailrace.pipeline.config import OptionGroup, option


class ServedSettings(OptionGroup):
    """All of them have defaults."""

    log_level: Literal["", "debug", "info", "warning", "error"] = option(
        "", key="log_level", doc="Least level that is logged; empty: that of `agent run --log-level`."
    )
    cpu_usage_limit: float = option(
        0.4, key="cpu_usage_limit", doc="CPU that the worker uses in the mean, at most its control group's; at it, reading slows down.",
        unit="cores", ge=0.1, le=1024,
    )  # fmt: skip
    mem_usage_limit: int = option(
        384, key="mem_usage_limit", doc="Memory that the worker holds at most; the bounds on files follow from it at the start.", unit="MB",
        ge=64, le=65_536,
    )  # fmt: skip
    max_bytes_per_sec: int = option(
        20_971_520, key="max_bytes_per_sec", unit="bytes/s", ge=0,
        doc="Raw bytes of events that all targets together are sent; 0 is no limit. More than the default is a limit, too.",
    )  # fmt: skip
    process_thread_count: int = option(
        0, key="process_thread_count", doc="Batches that are processed at a time; 0 is what `cpu_usage_limit` needs.", ge=0, le=64
    )
    resource_auto_scale: bool = option(
        False, key="resource_auto_scale", doc="Whether more CPU may be used while the machine has nothing else to do."
    )
    machine_cpu_usage_threshold: float = option(
        0.4, key="machine_cpu_usage_threshold", doc="The machine has nothing else to do while less than this share of its CPU is used.",
        gt=0, le=1,
    )  # fmt: skip
    scaled_cpu_usage_limit: float = option(
        2.0, key="scaled_cpu_usage_limit", doc="`cpu_usage_limit` while the machine has nothing else to do.", unit="cores", ge=0.1, le=1024
    )
    over_limit_secs: int = option(
        300, key="over_limit_secs", doc="A worker that stays over its limit of CPU or memory for so long is replaced.",
        unit="seconds", ge=10, le=86_400,
    )  # fmt: skip
    send_request_concurrency: int = option(
        16, key="send_request_concurrency", doc="Requests to one target that may be under way at a time; there are fewer while it fails.",
        ge=1, le=1000,
    )  # fmt: skip
    buffer_file_num: int = option(
        50, key="buffer_file_num", doc="Files of the spool, for all targets together: it keeps what cannot be sent.", ge=1, le=1000,
    )  # fmt: skip
    max_log_age_secs: int | None = option(
        None, key="max_log_age_secs", doc="`MaxLogAgeSecs` of pipelines that give none themselves; without it that is 300.", unit="seconds",
        ge=0, le=3_153_600_000,
    )  # fmt: skip
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

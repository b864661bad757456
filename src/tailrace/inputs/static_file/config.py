"""The options of `input_static_file_onetime`: those of `input_file` that do not speak of following."""

from tailrace.inputs.file.config import FileConfig
from tailrace.pipeline.config import option

_ONCE = "the files are read once, from their beginning to the end that they have when the run begins"


class StaticFileConfig(FileConfig):
    """Which files are read once, and how their bytes form events."""

    tail_size_kb: int = option(1024, key="TailSizeKB", doc="See `input_file`.", unit="KiB", ge=0, ignored=_ONCE)
    tailing_all_matched_files: bool = option(True, doc="See `input_file`.", ignored=_ONCE)
    flush_timeout_secs: int = option(60, doc="See `input_file`.", unit="seconds", ge=1, ignored=_ONCE)
    read_delay_alert_threshold_bytes: int = option(209_715_200, doc="See `input_file`.", unit="bytes", ge=1, ignored=_ONCE)
    read_delay_skip_threshold_bytes: int = option(0, doc="See `input_file`.", unit="bytes", ge=0, ignored=_ONCE)
    close_unused_reader_interval_sec: int = option(300, doc="See `input_file`.", unit="seconds", ge=1, ignored=_ONCE)
    preserved_dir_depth: int = option(-1, doc="See `input_file`.", ge=-1, ignored=_ONCE)
    allowing_included_by_multi_configs: bool = option(False, doc="See `input_file`.", ignored=_ONCE)
    modified_since: int = option(
        0, doc="Files that were changed last before this time are left out; 0 is none.", unit="seconds since 1970", ge=0
    )
    run: str = option(
        "",
        doc="Names the run whose files and positions these are. The agent fills it in; another name reads everything again.",
        max_length=64,
    )

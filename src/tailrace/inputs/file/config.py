"""The options of `input_file`."""

from collections.abc import Iterator, Mapping
from typing import Literal

from tailrace.inputs.file.patterns import WILDCARD
from tailrace.pipeline.config import DEFAULT_TAG, OptionGroup, PluginConfig, Problem, option

KIB = 1024


class Multiline(OptionGroup):
    """How lines form records. A pattern sees one line and need only match its beginning."""

    mode: Literal["custom", "JSON", "whole_file"] = option(
        "custom",
        doc="How records are found: `custom` by the patterns (without any, every line is a record), `JSON` as one JSON object each, over "
        "any number of lines, `whole_file` as one record, sent when the file has not grown for `FlushTimeoutSecs`.",
    )
    start_pattern: str = option(
        "",
        doc="Pattern that a record's first line begins with. Alone: a record runs to the next such line.",
        regex=True,
        examples=[r"\[\d+-\d+-\d+"],
    )
    continue_pattern: str = option(
        "",
        doc="Pattern that a record's further lines begin with; goes with `StartPattern` or with `EndPattern`.",
        regex=True,
        examples=[r"\s+at\s.*"],
    )
    end_pattern: str = option(
        "",
        doc="Pattern that a record's last line begins with; goes with `StartPattern`, with `ContinuePattern` or alone.",
        regex=True,
        examples=[r".*;$"],
    )
    unmatched_content_treatment: Literal["single_line", "discard"] = option(
        "single_line", doc="What becomes of lines that belong to no record: one event each, or discarded and counted."
    )
    file_write_mode: Literal["append", "overwrite"] = option(
        "append",
        doc="Whether a program appends to its files or writes them anew.",
        ignored="a file that is written anew is known by its bytes, and read from its beginning again",
    )
    max_whole_file_bytes: int = option(
        10_485_760,
        doc="The largest file that becomes one record.",
        unit="bytes",
        ge=1,
        ignored="no record is longer than `MaxEventSizeKB`; what is longer is cut into marked parts",
    )

    def problems(self) -> Iterator[Problem]:
        given = [bool(text) for text in (self.start_pattern, self.continue_pattern, self.end_pattern)]
        if self.mode == "JSON" and any(given):
            yield Problem("Mode", "`JSON` finds records by their braces, the patterns would do nothing", "leave the patterns out")
        elif self.mode == "whole_file" and any(given):
            yield Problem("Mode", "`whole_file` makes one record of a file, the patterns would do nothing", "leave the patterns out")
        elif given == [False, True, False]:
            yield Problem("ContinuePattern", "does not say where a record begins or ends", "add `StartPattern` or `EndPattern`")
        elif all(given):
            yield Problem("ContinuePattern", "does nothing where both ends of a record are given", "leave one of the three patterns out")


_NO_CONTAINERS = "files of containers are not collected by this release"


class FileTags(OptionGroup):
    """Names of the tags that tell of the file. `__default__` is the tag's own name, an empty text leaves it out."""

    file_path_tag_key: str = option(DEFAULT_TAG, doc="Tag with the file's path, by itself `__path__`.", examples=["path"])
    file_inode_tag_key: str = option(
        "", doc="Tag with the file's inode, by itself `__inode__`; it is there when this key or `AppendingLogPositionMeta` asks for it."
    )
    k8s_namespace_tag_key: str = option(DEFAULT_TAG, key="K8sNamespaceTagKey", doc="Tag with the pod's namespace.", ignored=_NO_CONTAINERS)
    k8s_pod_name_tag_key: str = option(DEFAULT_TAG, key="K8sPodNameTagKey", doc="Tag with the pod's name.", ignored=_NO_CONTAINERS)
    k8s_pod_uid_tag_key: str = option(DEFAULT_TAG, key="K8sPodUidTagKey", doc="Tag with the pod's id.", ignored=_NO_CONTAINERS)
    container_name_tag_key: str = option(DEFAULT_TAG, doc="Tag with the container's name.", ignored=_NO_CONTAINERS)
    container_ip_tag_key: str = option(DEFAULT_TAG, doc="Tag with the container's address.", ignored=_NO_CONTAINERS)
    container_image_tag_key: str = option(DEFAULT_TAG, doc="Tag with the container's image.", ignored=_NO_CONTAINERS)


class FileConfig(PluginConfig):
    """Which files are read, from where on, and how their bytes form events."""

    file_paths: list[str] = option(
        doc="Absolute paths of the files; `*`, `?` and `[…]` stand for parts of one name, `**` before the file name for directories.",
        min_length=1,
        examples=[["/var/log/nginx/access.log"], ["/var/log/**/*.log"]],
    )
    max_dir_search_depth: int = option(0, doc="How many directories deep `**` reaches; 0 is the named directory alone.", ge=0, le=1000)
    exclude_file_paths: list[str] = option(factory=list, doc="Paths of files that are not read, with `*`, `?`, `[…]` and `**`.")
    exclude_files: list[str] = option(factory=list, doc="Names of files that are not read, with `*`, `?` and `[…]`.")
    exclude_dirs: list[str] = option(
        factory=list, doc="Directories that are not searched, nor what is below them, with `*`, `?`, `[…]` and `**`."
    )
    allowing_included_by_multi_configs: bool = option(
        False,
        doc="Whether files are read even when other pipelines name them too; without it a file belongs to the one that names it best.",
    )
    allowing_collecting_files_in_root_dir: bool = option(
        False, doc="Whether `FilePaths` may name files in `/` itself, or begin their search there."
    )
    preserved_dir_depth: int = option(
        -1,
        doc="Directories deeper than this below the fixed part of a path are no longer watched, nor their files looked at, after 30 min "
        "without an update, until a file appears in them or goes; -1 watches all of them for ever.",
        ge=-1, le=1000,
    )  # fmt: skip
    tail_size_kb: int = option(
        1024,
        key="TailSizeKB",
        doc="How much of the end of a file that stood there before the config arrived is read, when the file first changes after that.",
        unit="KiB",
        ge=0,
        le=104_857_600,
    )
    tailing_all_matched_files: bool = option(
        False, doc="Whether files that stand there already are read at once and from their beginning (history on purpose)."
    )
    file_encoding: Literal["utf8", "gbk", "utf16"] = option(
        "utf8",
        doc="What the files are written in; events are UTF-8. `gbk` is GB18030 too; `utf16` takes its byte order from the mark at the head "
        "of the file, without one it is little-endian.",
    )
    invalid_bytes: Literal["keep", "replace"] = option(
        "keep", doc="What becomes of bytes that are no characters of `FileEncoding`: they stay as they are, or become U+FFFD each."
    )
    multiline: Multiline = option(factory=Multiline, doc="How lines form records; without it every line is one.")
    flush_timeout_secs: int = option(
        60, doc="After this time without growth an unfinished record is sent as it is; what follows later is an event of its own, marked.",
        unit="seconds", ge=1, le=86_400,
    )  # fmt: skip
    close_unused_reader_interval_sec: int = option(
        300, doc="A file that has not grown for so long is closed; a look at its path opens it again.", unit="seconds", ge=1, le=86_400,
    )  # fmt: skip
    rotator_queue_size: int = option(
        20, doc="How many rotated files of one path may wait.", ge=0,
        ignored="any number of rotated files waits here, and none is dropped",
    )  # fmt: skip
    max_event_size_kb: int = option(
        512, key="MaxEventSizeKB",
        doc="A longer record is cut into parts of this size (of UTF-8), each marked in `__truncate_info__`, and counted.",
        unit="KiB", ge=1, le=8192,
    )  # fmt: skip
    read_delay_alert_threshold_bytes: int = option(
        209_715_200, doc="A file with more unread bytes than this for 60 s raises `READ_LOG_DELAY_ALARM`.", unit="bytes", ge=1
    )
    read_delay_skip_threshold_bytes: int = option(
        0,
        doc="When more than this is unread, reading goes on at the newest part of that size; what is left out is counted and raises "
        "`SKIP_READ_LOG_ALARM`. 0 never leaves anything out.",
        unit="bytes",
        ge=0,
    )
    appending_log_position_meta: bool = option(
        False, doc="Whether events get the tag `__inode__` and the field `__file_offset__`, their record's position in the file."
    )
    file_offset_key: str = option("", doc="A field that gets the record's position in the file, in bytes; empty means none.")

    tags: FileTags = option(factory=FileTags, doc="Names of the tags that tell of the file.")

    def tag_names(self) -> Mapping[str, str]:
        names = {"__path__": self.tags.file_path_tag_key, "__inode__": self.tags.file_inode_tag_key or DEFAULT_TAG}
        return {old: new for old, new in names.items() if new != DEFAULT_TAG}

    @property
    def with_inode(self) -> bool:
        return self.appending_log_position_meta or bool(self.tags.file_inode_tag_key)

    def problems(self) -> Iterator[Problem]:
        for index, path in enumerate(self.file_paths):
            key = f"FilePaths[{index}]"
            *directories, name = path.split("/")
            if not path.startswith("/"):
                yield Problem(key, f"`{path}` is not an absolute path", "begin it with `/`")
            elif not name or "**" in name:
                yield Problem(key, f"`{path}` names no file", "end it with a file name, such as `*.log`")
            elif not self.allowing_collecting_files_in_root_dir and WILDCARD.search(directories[1] if len(directories) > 1 else "*"):
                yield Problem(key, f"`{path}` searches the root directory", "name a directory, or set `AllowingCollectingFilesInRootDir`")
            elif any("**" in part for part in directories[:-1]) or directories[-1] not in ("**", directories[-1].replace("**", "")):
                yield Problem(key, f"in `{path}` the `**` does not stand right before the file name", "write `/dir/**/name`")

    @property
    def max_event_bytes(self) -> int:
        return self.max_event_size_kb * KIB

"""The keys of a classic config, their defaults and bounds. Sources: the manual's page on Logtail configs and the official SDKs.

Where editions differ, the default is what the agent did when the key was missing.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from tailrace.pipeline.config import OptionGroup, Problem, option
from tailrace.pipeline.explain import counted

_SPOOL = "the spool belongs to the agent, for all pipelines"
_EXACT = "delivery is exactly once, always"
_QUEUE = "rotated files wait while they exist, without a limit"
_TAGS = "tags are always there; `global.PipelineMetaTagKey` leaves some out"
_NO_CONTAINERS = "files of containers are not collected by this release"
_INTERNAL = "its options belong to the agent's own parts"


class ClassicGroup(OptionGroup):
    """Keys in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)


class Blacklist(OptionGroup):
    """`advanced.blacklist`: what is not read."""

    dir_blacklist: list[str] = option(factory=list, key="dir_blacklist", doc="Directories, with `*` and `**`.")
    filename_blacklist: list[str] = option(factory=list, key="filename_blacklist", doc="File names, with `*`.")
    filepath_blacklist: list[str] = option(factory=list, key="filepath_blacklist", doc="Paths of files, with `*` and `**`.")


class Advanced(OptionGroup):
    """`advanced`: what the console hides."""

    exactly_once_concurrency: int = option(0, key="exactly_once_concurrency", doc="Lanes of exactly-once.", ge=0, le=512, ignored=_EXACT)
    enable_log_position_meta: bool = option(False, key="enable_log_position_meta", doc="Add the inode and each event's offset.")
    specified_year: int = option(0, key="specified_year", doc="Year of times without one; 0 is the nearest.", ge=0, le=9999)
    force_multiconfig: bool = option(False, key="force_multiconfig", doc="Read files that other configs read, too.")
    raw_log_tag: str = option("__raw__", key="raw_log_tag", doc="Field of the raw line.", min_length=1)
    blacklist: Blacklist = option(factory=Blacklist, key="blacklist", doc="What is not read.")
    tail_size_kb: int = option(1024, key="tail_size_kb", doc="How much of the end of a file that stood there is read.", unit="KiB", ge=0)
    batch_send_interval: int = option(3, key="batch_send_interval", doc="How long events wait for company.", unit="seconds", ge=0, le=60)
    max_rotate_queue_size: int = option(20, key="max_rotate_queue_size", doc="Rotated files that wait.", ge=1, ignored=_QUEUE)


class SensitiveKey(OptionGroup):
    """One item of `sensitive_keys`."""

    key: str = option(key="key", doc="The field to mask.", min_length=1)
    type: Literal["const", "md5"] = option(key="type", doc="A fixed text, or the MD5 of what is masked.")
    regex_begin: str = option(key="regex_begin", doc="Pattern of what stands before the secret.", regex=True)
    regex_content: str = option(key="regex_content", doc="Pattern of the secret.", regex=True, min_length=1)
    all: bool = option(True, key="all", doc="Mask every hit, not only the first.")
    const: str | None = option(None, key="const", doc="The fixed text.")

    def problems(self) -> Iterator[Problem]:
        if self.type == "const" and self.const is None:
            yield Problem("const", "is missing", "`type: const` needs the text to put")


class PluginEntry(OptionGroup):
    """One plugin of a plug-in config."""

    type: str = option(key="type", doc="Type name of the plugin.")
    detail: dict[str, Any] = option(factory=dict, key="detail", doc="Its options.")


class Plugins(OptionGroup):
    """`plugin`: plugins in the form of the first release of plug-ins."""

    global_: dict[str, Any] = option(factory=dict, key="global", doc="Keys of `global`.")
    inputs: list[PluginEntry] = option(factory=list, key="inputs", doc="Inputs.")
    processors: list[PluginEntry] = option(factory=list, key="processors", doc="Processors, after those of the mode.")
    aggregators: list[PluginEntry] = option(factory=list, key="aggregators", doc="Aggregators.")
    flushers: list[PluginEntry] = option(factory=list, key="flushers", doc="Flushers, in place of `outputDetail`.")


class CommonDetail(ClassicGroup):
    """Keys of `inputDetail` that all kinds of input have."""

    plugin: Plugins = option(factory=Plugins, doc="Plugins.")
    topic_format: str = option(
        "none", doc="`none`, `default` (the file's path), `group_topic`, `customized://TEXT`, or a pattern that matches the whole path."
    )
    filter_key: list[str] = option(factory=list, doc="Fields that must all match.")
    filter_regex: list[str] = option(factory=list, doc="Their patterns, which must match the whole value.", regex=True)
    sensitive_keys: list[SensitiveKey] = option(factory=list, key="sensitive_keys", aliases=("sensitiveKeys",), doc="What is masked.")
    shard_hash_key: list[str] = option(factory=list, doc="`__topic__`, `__hostname__` or `__source__`, whose hash chooses the shard.")
    merge_type: Literal["topic", "logstore"] = option("topic", doc="What goes into one request: log groups of one topic, or all.")
    max_send_rate: int = option(-1, doc="Most bytes that are sent per second; -1 or 0 is no limit.", unit="bytes per second", ge=-1)
    send_rate_expire: int = option(0, doc="Until when `maxSendRate` holds.", ignored="the limit holds until it is changed")
    priority: int = option(
        0, doc="Whose events are sent first where there is not room for all: 1 before 2, before 3; 0 is none.", ge=0, le=3
    )
    local_storage: bool = option(True, doc="Whether the disk cache is used.", ignored=_SPOOL)
    enable_tag: bool = option(True, doc="Whether tags are added.", ignored=_TAGS)
    tag: str = option("", doc="Tag of the old stream input.", ignored="there is no such input")
    advanced: Advanced = option(factory=Advanced, doc="What the console hides.")

    def problems(self) -> Iterator[Problem]:
        keys, patterns = len(self.filter_key), len(self.filter_regex)
        if keys != patterns:
            yield Problem(
                "filterRegex", f"{counted(patterns, 'pattern')} for {counted(keys, 'field')} of `filterKey`", "give one pattern per field"
            )


class FileDetail(CommonDetail):
    """`inputDetail` of `inputType: file`."""

    log_type: Literal["common_reg_log", "json_log", "delimiter_log", "apsara_log"] = option("common_reg_log", doc="The mode.")
    log_path: str = option(doc="The directory; `*` and `?` stand for parts of one name.", min_length=1)
    file_pattern: str = option(doc="The file's name, with `*` and `?`.", min_length=1)
    max_depth: int = option(100, doc="How many directories deep the search goes; 0 is the directory alone.", ge=0, le=1000)
    preserve: bool = option(True, doc="False: files and directories that are idle for 30 min are no longer watched.")
    preserve_depth: int = option(0, doc="How many directories deep they are watched all the same.", ge=0, le=1000)
    file_encoding: Literal["utf8", "gbk", "utf16"] = option("utf8", doc="Encoding of the files.")
    tail_existed: bool = option(False, doc="Whether files that stand there already are read.")
    discard_unmatch: bool = option(True, doc="Whether lines that cannot be parsed are dropped; else they are kept as `__raw_log__`.")
    discard_non_utf8: bool = option(
        False,
        key="discardNonUtf8",
        aliases=("discardNoneUtf8", "discardNonUTF8"),
        doc="Whether bytes that are not UTF-8 are dropped: a space stands for each.",
    )
    enable_raw_log: bool = option(False, doc="Whether parsed events keep their raw line.")
    delay_alarm_bytes: int = option(209_715_200, doc="How far reading may lag before an alarm.", unit="bytes", ge=1)
    delay_skip_bytes: int = option(0, doc="How far reading may lag before the lag is skipped; 0 is never.", unit="bytes", ge=0)
    log_begin_regex: str = option(".*", doc="Pattern that a record's first line begins with; `.*` makes each line a record.", regex=True)
    key: list[str] = option(factory=lambda: ["content"], doc="Names of the fields.", min_length=1)
    regex: str = option("(.*)", doc="Pattern with one group per field.", regex=True)
    time_key: str = option("", doc="The field that holds the time; in the regex mode `time` when it is missing.")
    time_format: str = option("", doc="Its format; without one, events have the time at which they are read.")
    adjust_timezone: bool = option(False, doc="Whether `logTimezone` holds.")
    log_timezone: str = option("", doc="Zone of times without one, as `GMT+08:00`.")
    separator: str = option("", doc="What stands between two fields; `\\t` is a tab, `0x01` a hidden character.")
    quote: str = option("\x01", doc="Encloses a field that holds the separator.")
    auto_extend: bool = option(True, doc="Whether fields beyond the keys are kept, under names of their own.")
    accept_no_enough_keys: bool = option(
        False, aliases=("acceptNotEnoughKeys",), doc="Whether lines with fewer fields than keys are accepted; else they cannot be parsed."
    )
    customized_fields: str = option("", doc="More options of the regex mode, as JSON.", ignored=_INTERNAL)
    docker_file: bool = option(False, doc="Whether the files are in containers.")
    docker_include_label: dict[str, str] = option(factory=dict, doc="Containers by label.", ignored=_NO_CONTAINERS)
    docker_exclude_label: dict[str, str] = option(factory=dict, doc="Containers by label.", ignored=_NO_CONTAINERS)
    docker_include_env: dict[str, str] = option(factory=dict, doc="Containers by environment.", ignored=_NO_CONTAINERS)
    docker_exclude_env: dict[str, str] = option(factory=dict, doc="Containers by environment.", ignored=_NO_CONTAINERS)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.docker_file:
            yield Problem("dockerFile", "this release cannot do that yet", "set it to false, and give the path on the host")
        if not self.preserve and not self.preserve_depth:
            yield Problem("preserveDepth", "is missing", "`preserve: false` needs the depth, 1 to 3")
        if self.log_type == "delimiter_log" and not self.separator:
            yield Problem("separator", "is missing", "`delimiter_log` needs what stands between two fields")
        if self.log_type == "delimiter_log" and self.separator == '"':
            yield Problem("separator", 'cannot be `"`', "choose another one")
        if self.adjust_timezone and not self.log_timezone:
            yield Problem("logTimezone", "is missing", "`adjustTimezone` needs the zone, such as `GMT+08:00`")


class PluginOnlyDetail(CommonDetail):
    """`inputDetail` of `inputType: plugin`."""

    log_type: Literal["plugin"] = option("plugin", doc="The mode.")

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.plugin.inputs:
            yield Problem("plugin.inputs", "is missing", "`inputType: plugin` needs at least one input")


class OutputDetail(ClassicGroup):
    """Where the events go."""

    project_name: str = option("", doc="The project.")
    logstore_name: str = option(doc="The logstore.", min_length=1)
    endpoint: str = option("", doc="Address of the service.")
    compress_type: Literal["lz4", "zstd", "none"] = option("lz4", doc="Compression of log groups.")
    region: str = option("", doc="Region of the project.")


class ClassicConfig(ClassicGroup):
    """The whole document."""

    config_name: str = option("", doc="Name of the config; the file's stem when it is missing.")
    enable: bool = option(True, doc="Whether it runs.")
    input_type: Literal["file", "plugin", "syslog"] = option("file", doc="Kind of input; this release has no `syslog`.")
    input_detail: dict[str, Any] = option(doc="What is collected, and how.")
    output_type: Literal["LogService"] = option("LogService", doc="Kind of output.")
    output_detail: OutputDetail = option(doc="Where the events go.")
    log_sample: str = option("", doc="A sample, kept for the record.")
    create_time: int = option(0, doc="When it was made.", unit="seconds since 1970")
    last_modify_time: int = option(0, doc="When it was changed.", unit="seconds since 1970")

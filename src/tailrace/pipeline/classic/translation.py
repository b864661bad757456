"""Classic config → pipeline. Every mistake of the pipeline is told at the classic key that it came from.

The order of work is the agent's of old: parse, time, filter, mask, then the plugins of `plugin.processors`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError

from tailrace.errors import ConfigError, ConfigErrors, UnavailableError
from tailrace.pipeline.classic import Classic
from tailrace.pipeline.classic.keys import ClassicConfig, CommonDetail, FileDetail, PluginEntry, PluginOnlyDetail
from tailrace.pipeline.config import OptionGroup, extra, public_key
from tailrace.pipeline.documents import Document, Path, Value
from tailrace.pipeline.explain import describe_value, findings

DETAIL: Final = ("inputDetail",)
_SECTIONS: Final = ("inputs", "processors", "aggregators", "flushers")

Group = TypeVar("Group", bound=OptionGroup)


def translated(source: Document, *, endpoint: str, project: str) -> tuple[Document, Classic]:
    """The pipeline of a classic document, whose mistakes are told in the classic document's places. Raises ConfigErrors.

    `endpoint` and `project` stand in where `outputDetail` names none.
    """
    value = cast("dict[str, Value]", source.value)
    top = _checked(source, ClassicConfig, value, ())
    if top.input_type == "syslog":
        raise ConfigErrors([UnavailableError("this release has no input for syslog", where=source.where(("inputType",)))])
    model = PluginOnlyDetail if top.input_type == "plugin" or top.input_detail.get("logType") == "plugin" else FileDetail
    detail = _checked(source, model, top.input_detail, DETAIL)
    draft = _Draft(source)
    _top(draft, top, detail)
    if isinstance(detail, FileDetail):
        _file_input(draft, detail)
        _parser(draft, detail)
        _time(draft, detail)
    _filter(draft, detail)
    _masks(draft, detail)
    _plugins(draft, detail)
    if not detail.plugin.flushers:
        _flusher(draft, top, detail, endpoint, project)
    remarks = (*_without_effect(detail, "inputDetail"), *draft.remarks)
    return draft.document(), Classic(cast("dict[str, Any]", source.value), remarks)


@dataclass(slots=True)
class _Plugin:
    draft: "_Draft"
    path: Path
    value: dict[str, Value]

    def put(self, key: str, value: Value, *origin: str | int) -> "_Plugin":
        """`origin` is the key inside `inputDetail`."""
        self.value[key] = value
        self.draft.origins[(*self.path, key)] = (*DETAIL, *origin)
        return self


@dataclass(slots=True)
class _Draft:
    """A pipeline document that grows, with the classic place of each of its parts."""

    source: Document
    value: dict[str, Value] = field(default_factory=dict[str, Value])
    origins: dict[Path, Path] = field(default_factory=dict["Path", "Path"])
    """Pipeline path → classic path. A path below one of these is at the same place below the other, unless it is in `whole`."""
    whole: set[Path] = field(default_factory=set["Path"])
    remarks: list[str] = field(default_factory=list[str])

    def plugin(self, section: str, type_name: str, *origin: str | int) -> _Plugin:
        entries = cast("list[Value]", self.value.setdefault(section, []))
        path: Path = (section, len(entries))
        entry: dict[str, Value] = {"Type": type_name}
        entries.append(entry)
        self.origins[path] = (*DETAIL, *origin)
        self.whole.add(path)
        return _Plugin(self, path, entry)

    def document(self) -> Document:
        return _Translated(self.source.name, self.value, source=self.source, origins=self.origins, whole=self.whole)


@dataclass(slots=True)
class _Translated(Document):
    """Tells the places of the classic document."""

    source: Document = field(kw_only=True)
    origins: dict[Path, Path] = field(kw_only=True)
    whole: set[Path] = field(kw_only=True)

    def where(self, path: Path) -> str:
        known = path
        while known and known not in self.origins:
            known = known[:-1]
        below = () if known in self.whole else path[len(known) :]
        return self.source.where((*self.origins.get(known, ()), *below))


def _checked(source: Document, model: type[Group], value: object, path: Path) -> Group:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigErrors(
            [ConfigError(message, where=source.where((*path, *inner)), hint=hint) for inner, message, hint in findings(error, model)]
        ) from error


def _top(draft: _Draft, top: ClassicConfig, detail: CommonDetail) -> None:
    if top.config_name:
        draft.value["configName"] = top.config_name
    if not top.enable:
        draft.value["enable"] = False
    options = cast("dict[str, Value]", {**detail.plugin.global_})
    draft.origins["global",] = (*DETAIL, "plugin", "global")
    if topic := _topic(detail.topic_format):
        options.update(topic)
        draft.origins.update({("global", key): (*DETAIL, "topicFormat") for key in topic})
    if detail.priority:
        options["Priority"] = detail.priority
        draft.origins["global", "Priority"] = (*DETAIL, "priority")
    if options:
        draft.value["global"] = options


def _topic(text: str) -> dict[str, Value]:
    fixed = {"": "none", "none": "none", "default": "default", "group_topic": "machine_group_topic"}.get(text)
    if fixed == "none":
        return {}
    if fixed:
        return {"TopicType": fixed}
    return {"TopicType": "custom" if text.startswith("customized://") else "filepath", "TopicFormat": text}


def _file_input(draft: _Draft, detail: FileDetail) -> None:
    source = draft.plugin("inputs", "input_file", "logPath")
    directory = detail.log_path.rstrip("/").removesuffix("/**")
    source.put("FilePaths", [f"{directory}/**/{detail.file_pattern}"], "logPath")
    draft.whole.add((*source.path, "FilePaths"))
    source.put("MaxDirSearchDepth", detail.max_depth, "maxDepth")
    if detail.log_begin_regex not in ("", ".*"):
        source.put("Multiline", {"StartPattern": detail.log_begin_regex}, "logBeginRegex")
        draft.whole.add((*source.path, "Multiline"))
    advanced, blacklist = detail.advanced, detail.advanced.blacklist
    given: list[tuple[str, Value, object, tuple[str, ...]]] = [
        ("FileEncoding", detail.file_encoding, "utf8", ("fileEncoding",)),
        ("TailingAllMatchedFiles", detail.tail_existed, False, ("tailExisted",)),
        ("PreservedDirDepth", -1 if detail.preserve else detail.preserve_depth, -1, ("preserveDepth",)),
        ("ReadDelayAlertThresholdBytes", detail.delay_alarm_bytes, 209_715_200, ("delayAlarmBytes",)),
        ("ReadDelaySkipThresholdBytes", detail.delay_skip_bytes, 0, ("delaySkipBytes",)),
        ("AppendingLogPositionMeta", advanced.enable_log_position_meta, False, ("advanced", "enable_log_position_meta")),
        ("AllowingIncludedByMultiConfigs", advanced.force_multiconfig, False, ("advanced", "force_multiconfig")),
        ("TailSizeKB", advanced.tail_size_kb, 1024, ("advanced", "tail_size_kb")),
        ("ExcludeDirs", list(blacklist.dir_blacklist), [], ("advanced", "blacklist", "dir_blacklist")),
        ("ExcludeFiles", list(blacklist.filename_blacklist), [], ("advanced", "blacklist", "filename_blacklist")),
        ("ExcludeFilePaths", list(blacklist.filepath_blacklist), [], ("advanced", "blacklist", "filepath_blacklist")),
    ]
    for key, value, default, origin in given:
        if value != default:
            source.put(key, value, *origin)


def _parser(draft: _Draft, detail: FileDetail) -> None:
    if detail.log_type == "common_reg_log":
        if detail.regex in ("", "(.*)") and detail.key == ["content"] and not detail.enable_raw_log:
            return  # the simple mode
        parser = draft.plugin("processors", "processor_parse_regex_native", "regex")
        parser.put("Regex", detail.regex or "(.*)", "regex").put("Keys", list(detail.key), "key")
    elif detail.log_type == "json_log":
        parser = draft.plugin("processors", "processor_parse_json_native", "logType")
    elif detail.log_type == "apsara_log":
        parser = draft.plugin("processors", "processor_parse_apsara_native", "logType")
        if detail.adjust_timezone:
            parser.put("Timezone", detail.log_timezone, "logTimezone")
    else:
        parser = draft.plugin("processors", "processor_parse_delimiter_native", "separator")
        _delimiter(parser, detail)
    if not detail.discard_unmatch:
        parser.put("CopingRawLog", True, "discardUnmatch")
    if detail.enable_raw_log:
        parser.put("KeepingSourceWhenParseSucceed", True, "enableRawLog")
        parser.put("RenamedSourceKey", detail.advanced.raw_log_tag, "advanced", "raw_log_tag")


def _delimiter(parser: _Plugin, detail: FileDetail) -> None:
    separator = _character(detail.separator)
    parser.put("Separator", separator, "separator")
    quote = _character(detail.quote)
    if len(separator.encode()) == 1:
        parser.put("Quote", quote if quote != separator else "", "quote")
    parser.put("Keys", list(detail.key), "key")
    parser.put("AllowingShortenedFields", detail.accept_no_enough_keys, "acceptNoEnoughKeys")
    parser.put("OverflowedFieldsTreatment", "extend" if detail.auto_extend else "discard", "autoExtend")


def _character(text: str) -> str:
    """`0x01` and `\\t` as the console lets one type them."""
    if text.lower().startswith("0x") and len(text) in (3, 4):
        return chr(int(text, 16))
    return "\t" if text == "\\t" else text


def _time(draft: _Draft, detail: FileDetail) -> None:
    if not detail.time_format or detail.log_type == "apsara_log":
        return
    key = detail.time_key or ("time" if detail.log_type == "common_reg_log" else "")
    if not key or (detail.log_type != "json_log" and key not in detail.key):
        draft.remarks.append(f"inputDetail.timeFormat: has no effect: {f'there is no field `{key}`' if key else '`timeKey` is missing'}")
        return
    stamp = draft.plugin("processors", "processor_parse_timestamp_native", "timeFormat")
    stamp.put("SourceKey", key, "timeKey").put("SourceFormat", detail.time_format, "timeFormat")
    if detail.adjust_timezone:
        stamp.put("SourceTimezone", detail.log_timezone, "logTimezone")
    if detail.advanced.specified_year:
        stamp.put("SourceYear", detail.advanced.specified_year, "advanced", "specified_year")


def _filter(draft: _Draft, detail: CommonDetail) -> None:
    if detail.filter_key:
        keep = draft.plugin("processors", "processor_filter_regex_native", "filterKey")
        keep.put("FilterKey", list(detail.filter_key), "filterKey").put("FilterRegex", list(detail.filter_regex), "filterRegex")
    if isinstance(detail, FileDetail) and detail.discard_non_utf8:
        draft.plugin("processors", "processor_filter_regex_native", "discardNonUtf8").put("DiscardingNonUTF8", True, "discardNonUtf8")


def _masks(draft: _Draft, detail: CommonDetail) -> None:
    for index, item in enumerate(detail.sensitive_keys):
        place = ("sensitive_keys", index)
        mask = draft.plugin("processors", "processor_desensitize_native", *place)
        mask.put("SourceKey", item.key, *place, "key").put("Method", item.type, *place, "type")
        mask.put("ContentPatternBeforeReplacedString", item.regex_begin, *place, "regex_begin")
        mask.put("ReplacedContentPattern", item.regex_content, *place, "regex_content")
        mask.put("ReplacingAll", item.all, *place, "all")
        if item.type == "const":
            mask.put("ReplacingString", item.const or "", *place, "const")


def _plugins(draft: _Draft, detail: CommonDetail) -> None:
    for section in _SECTIONS:
        if section == "inputs" and isinstance(detail, FileDetail):
            continue
        for index, entry in enumerate(cast("list[PluginEntry]", getattr(detail.plugin, section))):
            place = ("plugin", section, index)
            plugin = draft.plugin(section, entry.type, *place)
            draft.origins[*plugin.path, "Type"] = (*DETAIL, *place, "type")
            for key, value in entry.detail.items():
                plugin.put(key, cast("Value", value), *place, "detail", key)
            if "Type" in entry.detail:
                at = draft.source.where((*DETAIL, *place, "detail", "Type"))
                raise ConfigErrors(
                    [ConfigError(f"unknown key, got {describe_value(entry.detail['Type'])}", where=at, hint="`type` names the plugin")]
                )


def _flusher(draft: _Draft, top: ClassicConfig, detail: CommonDetail, endpoint: str, project: str) -> None:
    out = top.output_detail
    flusher = draft.plugin("flushers", "flusher_sls")
    draft.origins[flusher.path] = ("outputDetail",)
    values: dict[str, Value] = {"Endpoint": out.endpoint or endpoint, "Project": out.project_name or project, "Logstore": out.logstore_name}
    origins = {
        "Endpoint": "endpoint",
        "Project": "projectName",
        "Logstore": "logstoreName",
        "Region": "region",
        "CompressType": "compressType",
    }
    if out.region:
        values["Region"] = out.region
    if out.compress_type != "lz4":
        values["CompressType"] = out.compress_type
    for key, value in values.items():
        flusher.value[key] = value
        draft.origins[*flusher.path, key] = ("outputDetail", origins[key])
    if detail.shard_hash_key:
        flusher.put("ShardHashKeys", list(detail.shard_hash_key), "shardHashKey")
    if detail.max_send_rate > 0:
        flusher.put("MaxSendRate", detail.max_send_rate, "maxSendRate")
    _batch(draft, flusher, detail)
    for key, given in (("endpoint", out.endpoint), ("projectName", out.project_name)):
        if not given:
            stands_in = endpoint if key == "endpoint" else project
            draft.remarks.append(f"outputDetail.{key}: is missing; `{stands_in}` stands in for it")


def _batch(draft: _Draft, flusher: _Plugin, detail: CommonDetail) -> None:
    """Only what was given: the defaults here are others."""
    batch: dict[str, Value] = {}
    if "batch_send_interval" in detail.advanced.model_fields_set:
        batch["TimeoutSecs"] = float(detail.advanced.batch_send_interval)
        draft.origins[*flusher.path, "Batch", "TimeoutSecs"] = (*DETAIL, "advanced", "batch_send_interval")
    if "merge_type" in detail.model_fields_set:
        batch["MergeType"] = detail.merge_type
        draft.origins[*flusher.path, "Batch", "MergeType"] = (*DETAIL, "mergeType")
    if batch:
        flusher.value["Batch"] = batch


def _without_effect(group: OptionGroup, where: str) -> Iterator[str]:
    for name, info in type(group).model_fields.items():
        if name not in group.model_fields_set:
            continue
        key, value = public_key(name, info), getattr(group, name)
        reason = extra(info).get("x-ignored")
        if reason:
            yield f"{where}.{key}: has no effect: {reason}"
        if isinstance(value, OptionGroup):
            yield from _without_effect(value, f"{where}.{key}")

"""From a config as Logtail was given it (`user_log_config.json`) to the classic form of the API, which agents and servers understand.

The delivered form has the same things under names of its own, with values that mean "as always" where the API leaves a key out.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from tailrace.agent.logtail.remains import HEAD
from tailrace.errors import ConfigError
from tailrace.pipeline.classic.keys import Advanced
from tailrace.pipeline.config import public_key

SAME_AS: Final = {
    "log_path": "logPath", "file_pattern": "filePattern", "preserve": "preserve", "preserve_depth": "preserveDepth",
    "tail_existed": "tailExisted", "discard_unmatch": "discardUnmatch", "discard_none_utf8": "discardNonUtf8", "raw_log": "enableRawLog",
    "delay_skip_bytes": "delaySkipBytes", "log_begin_reg": "logBeginRegex", "timeformat": "timeFormat", "time_key": "timeKey",
    "tz_adjust": "adjustTimezone", "log_tz": "logTimezone", "delimiter_separator": "separator", "delimiter_quote": "quote",
    "column_keys": "key", "auto_extend": "autoExtend", "accept_no_enough_keys": "acceptNoEnoughKeys", "topic_format": "topicFormat",
    "filter_keys": "filterKey", "filter_regs": "filterRegex", "shard_hash_key": "shardHashKey", "merge_type": "mergeType",
    "max_send_rate": "maxSendRate", "priority": "priority", "sensitive_keys": "sensitive_keys", "docker_file": "dockerFile",
    "docker_include_label": "dockerIncludeLabel", "docker_exclude_label": "dockerExcludeLabel",
    "docker_include_env": "dockerIncludeEnv", "docker_exclude_env": "dockerExcludeEnv",
}  # fmt: skip
"""Delivered name → name in `inputDetail`, where the value is the same."""
ELSEWHERE: Final = frozenset(
    {
        "aliuid", "create_time", "version", "region", "defaultEndpoint", "project_name", "category", "enable", "log_type", "group_topic",
        "local_storage", "enable_tag",
    }
)  # fmt: skip
"""Read elsewhere, facts about the service that gave the config, or what is always so here: events are spooled and have tags. A group's
topic is the group's here, too."""
FILE_TYPES: Final = ("common_reg_log", "json_log", "delimiter_log", "apsara_log")
FILES_ONLY: Final = frozenset({"logPath", "filePattern", "key", "regex", "timeFormat", "timeKey", "logBeginRegex", "maxDepth"})
ENCODINGS: Final = {"utf8": "utf8", "utf-8": "utf8", "": "utf8", "gbk": "gbk", "utf16": "utf16"}


@dataclass(slots=True)
class Delivered:
    """One config in the classic form. `full_name` is what positions call it."""

    full_name: str
    name: str
    project: str
    logstore: str
    endpoint: str
    detail: dict[str, Any]
    input_type: str = "file"
    left: list[str] = field(default_factory=list[str])
    """Keys that have no place here."""

    def document(self, *, endpoint: str, project: str = "") -> dict[str, Any]:
        """The classic config. `project` in place of the one that it was in; without `endpoint` it sends to whoever gives it to an agent."""
        output = {"projectName": project or self.project, "logstoreName": self.logstore}
        return {
            "configName": self.name,
            "inputType": self.input_type,
            "inputDetail": self.detail,
            "outputType": "LogService",
            "outputDetail": {**output, **({"endpoint": endpoint} if endpoint else {})},
        }


def delivered(full_name: str, value: Mapping[str, Any]) -> Delivered:
    """Raises ConfigError."""
    if value.get("enable") is False:
        raise ConfigError("it is switched off")
    project, _, name = full_name.removeprefix(HEAD).partition("$")
    project = str(value.get("project_name") or project)
    kind = str(value.get("log_type", "plugin"))
    made = Delivered(full_name, name or full_name, project, str(value.get("category", "")), _address(value), {})
    if kind not in (*FILE_TYPES, "plugin"):
        raise ConfigError(f"`log_type` is `{kind}`: this release has no such input")
    made.input_type = "plugin" if kind == "plugin" else "file"
    made.detail["logType"] = kind
    for key, inner in value.items():
        if key in ELSEWHERE or inner in (None, [], {}):
            continue
        if key in SAME_AS:
            made.detail[SAME_AS[key]] = inner
        elif (put := PUT.get(key)) is not None:
            put(made, inner)
        elif inner not in ("", False):
            made.left.append(key)
    if kind == "plugin":
        made.detail = {key: inner for key, inner in made.detail.items() if key not in FILES_ONLY}
    if kind == "delimiter_log":
        made.detail.setdefault("quote", '"')  # Logtail's own default where none was delivered
    if not made.logstore and "flushers" not in made.detail.get("plugin", {}):
        raise ConfigError("it names no logstore (`category`)")
    return made


def _address(value: Mapping[str, Any]) -> str:
    text = str(value.get("defaultEndpoint") or "")
    return text if "://" in text or not text else f"https://{text}"


def _expressions(made: Delivered, value: Any) -> None:
    expressions = [str(one) for one in value or ()]
    if len(expressions) > 1:
        raise ConfigError("it has several patterns (`regex`), one is possible")
    if expressions:
        made.detail["regex"] = expressions[0]


def _keys(made: Delivered, value: Any) -> None:
    """One text per pattern, with the names of all its groups."""
    names = [name for text in value or () for name in str(text).split(",")]
    if names:
        made.detail.setdefault("key", names)


def _max_depth(made: Delivered, value: Any) -> None:
    """-1 has no bound; the API's largest is 1000."""
    depth = int(value)
    made.detail["maxDepth"] = depth if 0 <= depth <= 1000 else 1000


def _encoding(made: Delivered, value: Any) -> None:
    known = ENCODINGS.get(str(value).lower())
    if known is None:
        raise ConfigError(f"`file_encoding` is `{value}`")
    made.detail["fileEncoding"] = known


def _delay(made: Delivered, value: Any) -> None:
    """0 is the usual bound."""
    if int(value) > 0:
        made.detail["delayAlarmBytes"] = int(value)


def _expiry(made: Delivered, value: Any) -> None:
    """Of `max_send_rate`; 0 is none."""
    if value:
        made.detail["sendRateExpire"] = int(value)


def _tail(made: Delivered, value: Any) -> None:
    made.detail.setdefault("advanced", {}).setdefault("tail_size_kb", int(value))


def _blacklist(made: Delivered, value: Any) -> None:
    if value:
        made.detail.setdefault("advanced", {}).setdefault("blacklist", {}).setdefault("dir_blacklist", list(value))


def _advanced(made: Delivered, value: Any) -> None:
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    known = {public_key(name, info) for name, info in Advanced.model_fields.items()}
    kept = {key: inner for key, inner in given.items() if key in known}
    made.left += [f"advanced.{key}" for key, inner in given.items() if key not in known and inner not in (None, "", [], {}, False)]
    if kept:
        made.detail["advanced"] = {**made.detail.get("advanced", {}), **kept}


def _plugin(made: Delivered, value: Any) -> None:
    try:
        plugin = json.loads(value) if isinstance(value, str) and value else value
    except ValueError:
        raise ConfigError("`plugin` is not JSON") from None
    if isinstance(plugin, dict) and plugin:
        made.detail["plugin"] = plugin


def _customized(made: Delivered, value: Any) -> None:
    if value:
        made.detail["customizedFields"] = value if isinstance(value, str) else json.dumps(value)


PUT: Final[Mapping[str, Callable[[Delivered, Any], None]]] = {
    "regex": _expressions,
    "keys": _keys,
    "max_depth": _max_depth,
    "file_encoding": _encoding,
    "delay_alarm_bytes": _delay,
    "send_rate_expire": _expiry,
    "tail_limit": _tail,
    "dir_pattern_black_list": _blacklist,
    "advanced": _advanced,
    "plugin": _plugin,
    "customized_fields": _customized,
}

"""The alarms of the manual that are never raised here, each with the reason."""

# ruff: noqa: E501 - a table is read row by row

from collections.abc import Iterator
from typing import Final

from tailrace.telemetry.catalogue import UnusedKind

_ONE_CONFIG: Final = "there is one kind of config: `USER_CONFIG_ALARM` names what is wrong with it"
_SETTINGS: Final = "a mistake in the agent's settings keeps it from starting, and is said where it was started"
_CHECKPOINT: Final = "there is one checkpoint: `CHECKPOINT_ALARM` says what is wrong with it"
_INPUT: Final = "there is no such input yet"

_REASONS: Final[dict[str, str]] = {
    "CATEGORY_CONFIG_ALARM": _ONE_CONFIG,
    "GLOBAL_CONFIG_ALARM": _ONE_CONFIG,
    "LOGTAIL_CONFIG_ALARM": _SETTINGS,
    "LOGTAIL_CRASH_STACK_ALARM": "the stacks stand in the report that `LOGTAIL_CRASH_ALARM` names",
    "EPOLL_ERROR_ALARM": "an error of the event loop ends the worker, and `LOGTAIL_CRASH_ALARM` says so",
    "MODIFY_FILE_EXCEED_ALARM": "changed files need no place of their own: `STAT_LIMIT_ALARM` bounds all files",
    "STAT_FILE_ALARM": "a file that cannot be looked at cannot be opened: `OPEN_LOGFILE_FAIL_ALARM` says it",
    "TOO_MANY_CONFIG_ALARM": "any number of pipelines may read a file",
    "DROP_DATA_ALARM": "nothing is dropped when the agent stops: what is not sent is kept",
    "DISCARD_SECONDARY_ALARM": "nothing is discarded from the spool; a range that is lost with a damaged part of it and with its source is a `DROP_LOG_ALARM`",
    "HOLD_ON_TOO_SLOW_ALARM": "a new config holds on only the pipelines that differ, for seconds; all others read on",
    "CHECKPOINT_V2_ALARM": _CHECKPOINT,
    "CHECKPOINT_INVALID_ALARM": _CHECKPOINT,
    "INPUT_COLLECT_ALARM": "what an input cannot read has an alarm of its own; an input that fails altogether ends the worker, and is set aside the third time: `LOGTAIL_CRASH_ALARM`",
    "FILTER_INIT_ALARM": "a filter is a processor: `PROCESSOR_INIT_ALARM`",
    "LZ4_COMPRESS_FAIL_ALARM": "compression works on memory that is there, and cannot fail",
    **dict.fromkeys(("HTTP_LOAD_ADDRESS_ALARM", "HTTP_COLLECT_ALARM", "HTTP_INIT_ALARM", "HTTP_PARSE_ALARM"), f"`metric_http`: {_INPUT}"),
    **dict.fromkeys(
        ("INPUT_CANAL_ALARM", "CANAL_INVALID_ALARM", "CANAL_RUNTIME_ALARM", "CANAL_START_ALARM", "INIT_CHECKPOINT_ALARM"),
        f"`service_canal`: {_INPUT}",
    ),
    **dict.fromkeys(
        ("MYSQL_INIT_ALARM", "MYSQL_CHECKPOING_ALARM", "MYSQL_CHECKPOINT_ALARM", "MYSQL_TIMEOUT_ALARM", "MYSQL_PARSE_ALARM"),
        f"`service_mysql`: {_INPUT}",
    ),
    **dict.fromkeys(
        (
            "DOCKER_FILE_MAPPING_ALARM", "DOCKER_FILE_MATCH_ALARM", "DOCKER_REGEX_COMPILE_ALARM", "DOCKER_STDOUT_INIT_ALARM",
            "DOCKER_STDOUT_START_ALARM", "DOCKER_STDOUT_STAT_ALARM", "PARSE_DOCKER_LINE_ALARM",
        ),
        f"containers: {_INPUT}",
    ),
    **dict.fromkeys(("LUMBER_CONNECTION_ALARM", "LUMBER_LISTEN_ALARM"), f"`service_lumberjack`: {_INPUT}"),
    **dict.fromkeys(
        ("SERVICE_SYSLOG_INIT_ALARM", "SERVICE_SYSLOG_STREAM_ALARM", "SERVICE_SYSLOG_PACKET_ALARM"), f"`service_syslog`: {_INPUT}"
    ),
    **dict.fromkeys(("NGINX_STATUS_COLLECT_ALARM", "NGINX_STATUS_INIT_ALARM"), f"`metric_nginx_status`: {_INPUT}"),
    "REDIS_PARSE_ADDRESS_ALARM": f"`metric_redis`: {_INPUT}",
}  # fmt: skip


def unused() -> Iterator[UnusedKind]:
    for name, why in _REASONS.items():
        yield UnusedKind(name, why)

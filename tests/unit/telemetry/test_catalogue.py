"""The catalogue of alarms is the truth: no name of the manual is missing, no name is raised that is not in it, each that is raised has the
test that provokes it, and the page is what the catalogue says."""

import ast
import re
from functools import cache

import pytest

from tailrace.telemetry.catalogue import AlarmKind
from tailrace.telemetry.kinds import RAISED
from tailrace.telemetry.page import page
from tailrace.telemetry.server_kinds import RAISED_BY_SERVERS
from tailrace.telemetry.unused_kinds import unused
from tests.source_tree import PACKAGE, ROOT, modules, parsed

NAME = re.compile(r"[A-Z0-9_]+_ALARM")
MANUAL = """
LOGFILE_PERMINSSION LOGDIR_PERMINSSION SPLIT_LOG_FAIL MULTI_CONFIG_MATCH SAME_CONFIG REGEX_MATCH REGEX_UNMATCHED REGEX_FIND PARSE_LOG_FAIL
PARSE_TIME_FAIL CATEGORY_CONFIG USER_CONFIG GLOBAL_CONFIG LOGTAIL_CONFIG LOGTAIL_CRASH LOGTAIL_CRASH_STACK REGISTER_INOTIFY_FAIL
INOTIFY_DIR_NUM_LIMIT INOTIFY_EVENT_OVERFLOW EPOLL_ERROR DISCARD_DATA SEND_DATA_FAIL SEND_QUOTA_EXCEED READ_LOG_DELAY DROP_LOG SKIP_READ_LOG
ENCODING_CONVERT LOG_TRUNCATE OUTDATED_LOG STAT_LIMIT DIR_EXCEED_LIMIT FILE_READER_EXCEED OPEN_FILE_LIMIT OPEN_LOGFILE_FAIL
MODIFY_FILE_EXCEED STAT_FILE TOO_MANY_CONFIG DROP_DATA DISCARD_SECONDARY SECONDARY_READ_WRITE ENCRYPT_DECRYPT_FAIL PROCESS_TOO_SLOW
PROCESS_QUEUE_BUSY SENDING_COSTS_TOO_MUCH_TIME LOG_GROUP_WAIT_TOO_LONG HOLD_ON_TOO_SLOW CHECKPOINT CHECKPOINT_V2 CHECKPOINT_INVALID
EXACTLY_ONCE CONFIG_UPDATE BINARY_UPDATE LOAD_LOCAL_EVENT INPUT_COLLECT PLUGIN PROCESSOR_INIT FILTER_INIT AGGREGATOR_ADD HTTP_LOAD_ADDRESS
HTTP_COLLECT HTTP_INIT HTTP_PARSE INPUT_CANAL CANAL_INVALID CANAL_RUNTIME CANAL_START INIT_CHECKPOINT MYSQL_INIT MYSQL_CHECKPOING
MYSQL_CHECKPOINT MYSQL_TIMEOUT MYSQL_PARSE ANCHOR_FIND ANCHOR_JSON SPLIT_FIND SPLIT_LOG LOG_REGEX_FIND GEOIP CAST_SENSITIVE_WORD
DOCKER_FILE_MAPPING DOCKER_FILE_MATCH DOCKER_REGEX_COMPILE DOCKER_STDOUT_INIT DOCKER_STDOUT_START DOCKER_STDOUT_STAT PARSE_DOCKER_LINE
LUMBER_CONNECTION LUMBER_LISTEN SERVICE_SYSLOG_INIT SERVICE_SYSLOG_STREAM SERVICE_SYSLOG_PACKET NGINX_STATUS_COLLECT NGINX_STATUS_INIT
REDIS_PARSE_ADDRESS LZ4_COMPRESS_FAIL
"""
KINDS = {kind.name: kind for kind in (*RAISED, *RAISED_BY_SERVERS)}
TABLES = ("kinds", "server_kinds", "unused_kinds", "catalogue")


@cache
def raised() -> set[str]:
    """Every name in the source but those in texts about alarms: docstrings, messages, documentation of options."""
    return {
        node.value
        for path in modules()
        if not (path.parent == PACKAGE / "telemetry" and path.stem in TABLES)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value)
    }


def test_every_alarm_of_the_manual_is_raised_or_not_applicable():
    not_raised = [kind.name for kind in unused()]
    assert len({*KINDS, *not_raised}) == len(RAISED) + len(RAISED_BY_SERVERS) + len(not_raised), "one of them is named twice"
    assert {f"{name}_ALARM" for name in MANUAL.split()} - {*KINDS, *not_raised} == set()
    assert [kind.name for kind in unused() if len(kind.why_not) < 20] == []


def test_what_is_raised_is_in_the_catalogue_and_what_is_in_it_is_raised():
    assert raised() - set(KINDS) == set()
    assert set(KINDS) - raised() == set()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_each_names_the_test_that_provokes_it(kind: AlarmKind):
    file, *names = kind.test.split("::")
    assert f"{kind.name}" in source_of(file, names[-1])


def source_of(file: str, name: str) -> str:
    """Of a test function, with its decorators."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]
    assert found, f"there is no test `{name}` in {file}"
    [test] = found
    first = min([test.lineno, *(decorator.lineno for decorator in test.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : test.end_lineno])


def test_the_page_is_what_the_catalogue_says():
    assert (ROOT / "docs" / "reference" / "alarms.md").read_text(encoding="utf-8") == page(), "run `make docs`"

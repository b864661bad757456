"""The events that say how the agent is, with the manual's fields: of its alarms, its status and its profile. All values are texts."""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.status.windows import Window
from tailrace.wire.internal_logs import STATISTICS

Row = dict[str, str]
Address = tuple[str, str]
"""(project, logstore)."""
MOST_TEXT: Final = 1024
"""Characters of a message or a sample."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the agent runs."""

    agent_id: str
    version: str
    host_name: str
    address: str
    uuid: str
    instance_id: str
    os: str
    os_detail: str
    users: str
    """Names of the files in `users`."""
    user_defined_id: str


class Places:
    """Which projects and logstores a pipeline or a target is about."""

    def __init__(self, lanes: Iterable[Any]) -> None:
        self._of: dict[str, set[Address]] = {}
        for lane in lanes:
            for name in (f"pipeline={lane.pipeline}", f"target={lane.target.flusher.target}"):
                self._of.setdefault(name, set()).add(lane.address)

    def of(self, alarm: telemetry.Alarm) -> list[Address]:
        """Those that an alarm is about; that of all projects when it is about none."""
        values = alarm.values
        if project := values.get("project"):
            return [(str(project), str(values.get("logstore", "")))]
        for name in ("target", "pipeline"):
            if found := self._of.get(f"{name}={values.get(name)}"):
                return sorted(found)
        return [("", "")]


def alarm_rows(reports: Iterable[telemetry.Report], places: Places, facts: Facts) -> Iterator[tuple[str, Row]]:
    """(project, event) of what happened to alarms."""
    for report in reports:
        alarm = report.alarm
        values = {name: str(value) for name, value in alarm.values.items()}
        pipeline = values.pop("pipeline", "")
        for project, logstore in places.of(alarm):
            yield (
                project,
                {
                    "alarm_type": alarm.kind,
                    "alarm_message": alarm.message[:MOST_TEXT],
                    "alarm_count": str(report.count),
                    "alarm_id": alarm.id,
                    "severity": alarm.severity,
                    "state": alarm.state,
                    "first_time": str(int(alarm.first_at)),
                    "last_time": str(int(alarm.last_at)),
                    "resolved_time": str(int(alarm.resolved_at)),
                    "config_name": pipeline,
                    "logstore": logstore,
                    "sample": json.dumps(values, ensure_ascii=False)[:MOST_TEXT],
                    **_origin(facts),
                    "version": facts.version,
                },
            )


def status_row(facts: Facts, state: str, limited_by: Sequence[str], usage: Mapping[str, float], detail: Mapping[str, object]) -> Row:
    """`usage`: cores (`cpu`), bytes (`memory`), share of the machine's CPU that is used (`os_cpu`)."""
    return {
        "agent_id": facts.agent_id,
        "hostname": facts.host_name,
        "instance_id": facts.instance_id,
        "ip": facts.address,
        "uuid": facts.uuid,
        "os": facts.os,
        "os_detail": facts.os_detail,
        "user": facts.users,
        "user_defined_id": facts.user_defined_id,
        "version": facts.version,
        "status": state,
        "limited_by": ",".join(limited_by),
        "cpu": f"{usage['cpu']:.4f}",
        "memory": str(math.ceil(usage["memory"] / 1_048_576)),
        "os_cpu": f"{usage['os_cpu']:.4f}",
        "load": " ".join(f"{one:.2f}" for one in os.getloadavg()),
        "detail_metric": json.dumps(detail),
    }


def profile_rows(window: Window, why: Mapping[str, "Failures"], facts: Facts) -> Iterator[tuple[str, Row]]:
    """(project, event) of every file and logstore of ten minutes. `why`: by the window's keys of files and of logstores."""
    for key, file in window.files.items():
        yield str(file["project"]), {**_profile(file, why.get(key, Failures()), facts), **_file(file)}
    for key, logstore in window.logstores.items():
        row = _profile(logstore, why.get(key, Failures()), facts)
        yield str(logstore["project"]), {**row, "file_name": STATISTICS, **_statistics(logstore)}


@dataclass(slots=True)
class Failures:
    """Of one file or logstore, in ten minutes."""

    regex: int = 0
    time: int = 0
    history: int = 0
    error_line: str = ""


def _profile(row: Mapping[str, Any], why: Failures, facts: Facts) -> Row:
    samples = row.get("delay_samples", 0)
    return {
        "logstore": str(row["logstore"]),
        "config_name": str(row["config"]),
        "total_bytes": str(row.get("read_bytes", 0)),
        "succeed_lines": str(row.get("parse_success_lines", 0)),
        "parse_failures": str(row.get("parse_fail_lines", 0)),
        "regex_match_failures": str(why.regex),
        "time_format_failures": str(why.time),
        "history_data_failures": str(why.history),
        "error_line": why.error_line,
        "read_count": str(row.get("read_count", 0)),
        "read_avg_delay": str(row.get("delay_sum", 0) // samples if samples else 0),
        "last_read_time": str(row.get("last_read_time", 0)),
        "logtail_version": facts.version,
        **_origin(facts),
    }


def _file(row: Mapping[str, Any]) -> Row:
    return {
        "file_name": str(row["file_path"]),
        "file_dev": str(row["file_dev"]),
        "file_inode": str(row["file_inode"]),
        "file_size": str(row["file_size_bytes"]),
        "read_offset": str(row["read_offset_bytes"]),
        "send_failures": str(row.get("send_failures", 0)),
    }


def _statistics(row: Mapping[str, Any]) -> Row:
    errors = {
        "send_network_error": row.get("send_network_error_count", 0),
        "send_quota_error": row.get("send_network_quota_count", 0),
        "send_discard_error": row.get("send_network_discard_count", 0),
    }
    return {
        **{name: str(count) for name, count in errors.items()},
        "send_failures": str(sum(errors.values())),
        "send_success_count": str(row.get("send_success_count", 0)),
        "send_queue_size": str(row.get("send_queue_size", 0)),
        "send_block_flag": _flag(row.get("send_block_flag")),
        "sender_valid_flag": _flag(row.get("sender_valid_flag")),
        **{name: str(row.get(name, 0)) for name in ("max_send_success_time", "max_unsend_time", "min_unsend_time")},
    }


def _origin(facts: Facts) -> Row:
    return {"source_ip": facts.address, "os": facts.os}


def _flag(value: object) -> str:
    return "true" if value else "false"

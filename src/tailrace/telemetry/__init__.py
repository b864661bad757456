"""What Tailrace says about itself: log lines, metrics and alarms.

    log = telemetry.logger("agent.delivery")
    log.info("target is back", target=target, waited_secs=12)
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "target refuses the data", target=target, code=code)

Nothing is written before `setup` was called; a process calls it once, at its start. Names and levels: docs/specs/telemetry.md.
"""

from tailrace.telemetry.alarms import Alarm, Report, alarm, doubt, recent_alarms, reports, resolved, restore
from tailrace.telemetry.log import Logger, change_level, logger, mark, override_level, setup
from tailrace.telemetry.metrics import counter, gauge, histogram, render, values

__all__ = [
    "Alarm",
    "Logger",
    "Report",
    "alarm",
    "change_level",
    "counter",
    "doubt",
    "gauge",
    "histogram",
    "logger",
    "mark",
    "override_level",
    "recent_alarms",
    "render",
    "reports",
    "resolved",
    "restore",
    "setup",
    "values",
]

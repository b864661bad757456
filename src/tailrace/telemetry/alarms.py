"""Alarms: what an operator should know. One call writes the log line, counts it and remembers it for status pages."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tailrace.telemetry.log import logger
from tailrace.telemetry.metrics import counter
from tailrace.telemetry.redaction import redact, redact_text
from tailrace.telemetry.repetition import SUBJECT

RING_SIZE = 256
"""Different alarms that are remembered; the one that was quiet for longest goes first."""

MERGE_SECS = 30
"""Alarms of one kind and pipeline (or target) within so long are one report with a count and one sample (the manual's rule)."""
REPORTS_SIZE = 512
MERGED_BY = ("pipeline", "target")

_log = logger("alarm")
_total = counter("tailrace_alarms_total", "Alarms raised, by kind.", "kind")
_recent: OrderedDict[tuple[str, ...], "Alarm"] = OrderedDict()
_reports: OrderedDict[tuple[object, ...], "Alarm"] = OrderedDict()
_lock = threading.Lock()


@dataclass(slots=True)
class Alarm:
    """One problem, with how often and when it was seen (seconds since the Unix epoch). Text and values are those of the last time."""

    kind: str
    message: str
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    count: int = 1
    first_at: float = 0.0
    last_at: float = 0.0


def alarm(kind: str, message: str, **values: object) -> None:
    """Raise an alarm of `kind`, a name of the manual such as `READ_LOG_DELAY_ALARM`; `message` says what, on what and why.

    The same kind with the same subject (path, pipeline, target …) is one alarm that counts up.
    """
    _total.labels(kind).inc()
    _log.warning(message, kind=kind, **values)
    shown = {key: redact(key, value) for key, value in values.items()}
    subject = (kind, *(f"{name}={values[name]}" for name in SUBJECT if name in values))
    now = time.time()
    with _lock:
        known = _recent.pop(subject, None)
        first, count = (known.first_at, known.count + 1) if known else (now, 1)
        _recent[subject] = Alarm(kind, redact_text(message), shown, count, first, now)
        if len(_recent) > RING_SIZE:
            _recent.popitem(last=False)
        _report(Alarm(kind, redact_text(message), shown, 1, now, now))


def recent_alarms() -> list[Alarm]:
    """The remembered alarms, the latest last."""
    with _lock:
        return list(_recent.values())


def alarm_reports() -> list[Alarm]:
    """The alarms of each period of MERGE_SECS, merged by kind and pipeline or target, the latest last. Text and values are one sample."""
    with _lock:
        return [replace(report) for report in _reports.values()]


def _report(one: Alarm) -> None:
    key = (int(one.first_at // MERGE_SECS), one.kind, *(str(one.values.get(name)) for name in MERGED_BY))
    known = _reports.get(key)
    if known is not None:
        known.count, known.last_at = known.count + 1, one.last_at
        return
    _reports[key] = one
    if len(_reports) > REPORTS_SIZE:
        _reports.popitem(last=False)

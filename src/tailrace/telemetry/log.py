"""Log lines: JSON in a rotating file, readable text on stderr, one chain of steps for our own lines and those of libraries."""

import atexit
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from tailrace.telemetry.engine import structlog
from tailrace.telemetry.log_file import LogFile
from tailrace.telemetry.redaction import redact
from tailrace.telemetry.repetition import SUBJECT, Key, RepeatLimit

Logger: TypeAlias = structlog.stdlib.BoundLogger
"""`log.info("what happened", key=value, …)`; levels debug, info, warning, error; `log.bind(key=value)`; `log.exception` in an except."""

EventDict: TypeAlias = MutableMapping[str, Any]

_ROOT = "tailrace"
_OURS = logging.getLogger(_ROOT)
_LEADING = ("time", "level", "logger", "event")


def logger(name: str) -> Logger:
    """The logger of one part, e.g. `agent.delivery`. Silent until `setup`."""
    return structlog.stdlib.get_logger(f"{_ROOT}.{name}")


def mark(**values: object) -> None:
    """From here on every line of this task carries `values` (a request id), to its end."""
    structlog.contextvars.bind_contextvars(**values)


def setup(role: str, *, level: str = "info", directory: Path | None = None) -> None:
    """Start writing: readable lines to stderr and, with `directory`, JSON lines to `<directory>/<role>.log` (0600; see `log_file`).

    `role` names the process (`server`, `agent`, `up`). A second call replaces the first. Raises OSError when the file cannot be made.
    """
    numeric = logging.getLevelNamesMapping()[level.upper()]
    handlers = [_handler(logging.StreamHandler(sys.stderr), _readable)]
    if directory is not None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handlers.append(_handler(LogFile(directory / f"{role}.log", partial(_missed, role)), _Json(role)))
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "tailrace", False):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(max(numeric, logging.WARNING))  # libraries: only what someone must know
    _level.use(base=level)


class _Level:
    """From which on our own lines are written: the usual one, or the one that holds in its place for a while."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self.base, self.override = "notset", ""

    def use(self, *, base: str | None = None, override: str | None = None) -> None:
        with self._changing:
            self.base = self.base if base is None else base
            self.override = self.override if override is None else override
            _OURS.setLevel((self.override or self.base).upper())


_level = _Level()


def change_level(level: str) -> str:
    """Our own lines of this level and above are usually written from now on; the usual level until now."""
    before = _level.base
    _level.use(base=level)
    return before


def override_level(level: str) -> None:
    """In place of the usual level, whatever that becomes meanwhile; "" ends it."""
    _level.use(override=level)


def _missed(role: str, count: int) -> str:
    """The line in place of those that found no room in the file."""
    text = "lines could not be written here, as the disk was full or away; they went to standard error only"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": now, "level": "warning", "logger": "telemetry", "event": text, "role": role, "pid": os.getpid(), "lines": count}
    return json.dumps(line)


def _handler(handler: logging.Handler, render: Any) -> logging.Handler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, _describe, _redact],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, render],
        )
    )
    handler.tailrace = True  # pyright: ignore[reportAttributeAccessIssue]  # marks it as ours for the next `setup`
    return handler


class _Json:
    """One line of JSON: time, level, logger, event, role, pid, then the values."""

    def __init__(self, role: str) -> None:
        self._origin = {"role": role, "pid": os.getpid()}
        self._render = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)

    def __call__(self, log: Any, method: str, event: EventDict) -> str | bytes:
        leading = {key: event[key] for key in _LEADING if key in event}
        return self._render(log, method, {**leading, **self._origin, **event})


def _readable(_log: Any, _method: str, event: EventDict) -> str:
    at = datetime.fromisoformat(event.pop("time")).astimezone().strftime("%H:%M:%S.%f")[:-3]
    level, name, text = event.pop("level"), event.pop("logger", ""), event.pop("event")
    trace = event.pop("exception", "")
    values = "".join(f"  {key}={_value(value)}" for key, value in event.items())
    return f"{at} {level:<7} {name}: {text}{values}" + (f"\n{trace}" if trace else "")


def _value(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(c.isspace() or not c.isprintable() for c in text) else text


def _describe(log: Any, _method: str, event: EventDict) -> EventDict:
    """When, in UTC, and which part: the logger's name without our own root."""
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = event.get("_record")
    name = record.name if record is not None else getattr(log, "name", "")
    event["logger"] = name.removeprefix(f"{_ROOT}.")
    return event


def _redact(_log: Any, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key not in ("_record", "exc_info", "time", "level"):
            event[key] = redact(key, value)
    return event


def _limit(log: Any, method: str, event: EventDict) -> EventDict:
    if method in ("warning", "error", "exception", "critical") and not event.pop("_summary", False):
        key = (log.name, method, str(event["event"]), *(f"{name}={event[name]}" for name in SUBJECT if name in event))
        if not _repeats.passes(key):
            raise structlog.DropEvent
    return event


def _summarise(key: Key, count: int) -> None:
    name, method, text, *subject = key
    values: Mapping[str, str] = dict(pair.split("=", 1) for pair in subject)
    level = "error" if method == "exception" else method
    getattr(structlog.stdlib.get_logger(name), level)(text, repeated=count, _summary=True, **values)


_repeats = RepeatLimit(_summarise)
atexit.register(_repeats.flush)
logging.getLogger(_ROOT).addHandler(logging.NullHandler())
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        _limit,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _describe,
        _redact,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

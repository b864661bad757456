"""Alarms: what an operator should know. One call writes the log line, counts it and remembers it for status pages.

An alarm has an id that follows from its kind and from what it is about, so that it is the same one when it is raised again, also after a
restart. It begins when it is raised and ends when it is said to be over (`resolved`), or after a time of silence; the catalogue says which
kinds only the former ends.
"""

import hashlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from tailrace.telemetry.catalogue import Severity, described
from tailrace.telemetry.log import logger
from tailrace.telemetry.metrics import counter
from tailrace.telemetry.redaction import redact, redact_text
from tailrace.telemetry.repetition import SUBJECT

RING_SIZE: Final = 256
"""Different alarms that are remembered; one that is over goes first, else the one that was quiet for longest."""
MOST_SUBJECTS: Final = 64
"""Alarms of one kind in one place (`PLACE`); what comes beyond them is one further alarm, so that no flood of paths hides another kind."""
MERGE_SECS: Final = 30
"""How often alarms are reported: what was raised of one since then is one report, with a count and one sample (the manual's rule)."""
QUIET_SECS: Final = 600.0
"""An alarm that has not been raised for so long is over, unless its kind has to be told so."""
PLACE: Final = ("pipeline", "project", "logstore", "target", "address")
OTHERS: Final = "others"

State: TypeAlias = Literal["active", "resolved"]
_Key: TypeAlias = tuple[str, ...]

_log = logger("alarm")
_total = counter("tailrace_alarms_total", "Alarms raised, by kind.", "kind")
_alarms: OrderedDict[_Key, "Alarm"] = OrderedDict()
_crowds: Counter[_Key] = Counter()
"""Alarms by kind and place."""
_lasting: Counter[str] = Counter()
"""Alarms that last, by kind."""
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
    id: str = ""
    """16 hex digits."""
    resolved_at: float = 0.0
    """When it ended; 0 while it lasts."""
    is_sure: bool = True
    """It was raised since the last `doubt`."""
    unreported: int = 0
    is_end_unreported: bool = False

    @property
    def state(self) -> State:
        return "resolved" if self.resolved_at else "active"

    @property
    def severity(self) -> Severity:
        return described(self.kind).severity


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to an alarm since the report before: it was raised `count` times, or it is over, or both."""

    alarm: Alarm
    count: int


def alarm(kind: str, message: str, **values: object) -> None:
    """Raise an alarm of `kind`, a name of the catalogue such as `READ_LOG_DELAY_ALARM`; `message` says what, on what and why.

    The same kind about the same (path, pipeline, target …) is one alarm that counts up.
    """
    _total.labels(kind).inc()
    _log.warning(message, kind=kind, **values)
    shown = {key: redact(key, value) for key, value in values.items()}
    text, now = redact_text(message), time.time()
    with _lock:
        key = _key(kind, values)
        known = _alarms.pop(key, None)
        if known is None:
            known = Alarm(kind, text, shown, 0, now, now, _id(key))
            _crowds[_place(key)] += 1
            _lasting[kind] += 1
        if known.resolved_at:
            _lasting[kind] += 1
            known.count, known.first_at, known.resolved_at, known.is_end_unreported = 0, now, 0.0, False
        known.message, known.values, known.last_at, known.is_sure = text, shown, now, True
        known.count += 1
        known.unreported += 1
        _alarms[key] = known
        if len(_alarms) > RING_SIZE:
            _drop()


def resolved(kind: str, but: str = "", /, **about: object) -> None:
    """Alarms of `kind` about this (`target=…`, `path=…`) are over, if there are any. An empty kind stands for all `but` one."""
    if not (_lasting[kind] if kind else _lasting):
        return
    wanted = {name: str(value) for name, value in about.items()}
    with _lock:
        for one in _alarms.values():
            if (
                kind in ("", one.kind)
                and one.kind != (but or None)
                and not one.resolved_at
                and all(str(one.values.get(name)) == text for name, text in wanted.items())
            ):
                _end(one, time.time())


def doubt(*about: str, but: str = "") -> None:
    """What is known of these (`pipeline`, `target`) may not be so any more, because whoever raises it begins anew: what is not raised again
    is over after a while. `but`: a kind that somebody else raises."""
    with _lock:
        for one in _alarms.values():
            one.is_sure = one.is_sure and (one.kind == but or not any(name in one.values for name in about))


def recent_alarms() -> list[Alarm]:
    """The remembered alarms, the latest last."""
    with _lock:
        _settle()
        return [replace(one) for one in _alarms.values()]


def restore(known: Alarm) -> None:
    """An alarm of a former life of the process, in doubt."""
    with _lock:
        key = _key(known.kind, known.values)
        if not known.resolved_at and known.id == _id(key) and key not in _alarms:
            _alarms[key] = replace(known, is_sure=False, unreported=0)
            _crowds[_place(key)] += 1
            _lasting[known.kind] += 1


def reports() -> list[Report]:
    """What happened since this was called last."""
    with _lock:
        _settle()
        news = [Report(replace(one), one.unreported) for one in _alarms.values() if one.unreported or one.is_end_unreported]
        for one in _alarms.values():
            one.unreported, one.is_end_unreported = 0, False
    return news


def _settle() -> None:
    now = time.time()
    for one in _alarms.values():
        holds = one.is_sure and described(one.kind).is_condition
        if not one.resolved_at and not holds and now - one.last_at > QUIET_SECS:
            _end(one, now)


def _end(one: Alarm, now: float) -> None:
    one.resolved_at, one.is_end_unreported = now, True
    _lasts_no_more(one.kind)
    _log.info("alarm is over", kind=one.kind, id=one.id, **{name: one.values[name] for name in PLACE if name in one.values})


def _key(kind: str, values: Mapping[str, object]) -> _Key:
    place = (kind, *(f"{name}={values[name]}" for name in PLACE if name in values))
    key = (*place, "", *(f"{name}={values[name]}" for name in SUBJECT if name in values and name not in PLACE))
    return key if key in _alarms or _crowds[place] < MOST_SUBJECTS else (*place, "", OTHERS)


def _place(key: _Key) -> _Key:
    return key[: key.index("")]


def _id(key: _Key) -> str:
    return hashlib.blake2b("\0".join(key).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _drop() -> None:
    key = next((key for key, one in _alarms.items() if one.resolved_at), next(iter(_alarms)))
    if not (gone := _alarms.pop(key)).resolved_at:
        _lasts_no_more(gone.kind)
    if not (left := _crowds[_place(key)] - 1):
        del _crowds[_place(key)]
    else:
        _crowds[_place(key)] = left


def _lasts_no_more(kind: str) -> None:
    _lasting[kind] -= 1
    if not _lasting[kind]:
        del _lasting[kind]

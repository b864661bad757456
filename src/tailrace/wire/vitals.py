"""What an agent says of its own condition, in `opaque` of every heartbeat: JSON, so that either side may be older than the other.

Numbers and texts of a sender that is not what it seems are bounded here, on the way in.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, cast

MAX_TEXT: Final = 500
MAX_NUMBER: Final = (1 << 63) - 1
MAX_ALARMS: Final = 5
MAX_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class VitalAlarm:
    """One that lasts. Times are Unix seconds."""

    kind: str
    message: str = ""
    count: int = 1
    last_at: int = 0


@dataclass(frozen=True, slots=True)
class Vitals:
    """Totals count since the worker began. Nothing said is an agent of another make."""

    boot_id: str = ""
    """Of this start: two live ones with one id are a copied disk."""
    state: Literal["", "ok", "degraded"] = ""
    trouble: str = ""
    """Why it is degraded."""
    ephemeral: bool = False
    """Its machine comes and goes: when it is silent it is soon given up."""
    in_events: int = 0
    out_events: int = 0
    in_bytes_per_sec: int = 0
    lag_bytes: int = 0
    """Written and not read."""
    waiting_secs: int = 0
    """For so long the oldest of what was read waits to be delivered."""
    alarms: list[VitalAlarm] = field(default_factory=list[VitalAlarm])


def encode(vitals: Vitals) -> bytes:
    return json.dumps({key: value for key, value in asdict(vitals).items() if value}, ensure_ascii=False).encode("utf-8", "replace")


def decode(data: bytes) -> Vitals:
    """What is not understood is left out."""
    try:
        document = json.loads(data) if 0 < len(data) <= MAX_BYTES else {}
    except (ValueError, RecursionError):
        return Vitals()
    if not isinstance(document, dict):
        return Vitals()
    said = cast("Mapping[str, Any]", document)
    state: Any = said.get("state")
    alarms: Any = said.get("alarms")
    return Vitals(
        boot_id=_text(said, "boot_id"),
        state=state if state in ("ok", "degraded") else "",
        trouble=_text(said, "trouble"),
        ephemeral=said.get("ephemeral") is True,
        **{name: _number(said, name) for name in ("in_events", "out_events", "in_bytes_per_sec", "lag_bytes", "waiting_secs")},
        alarms=[_alarm(one) for one in alarms[:MAX_ALARMS] if isinstance(one, dict)] if isinstance(alarms, list) else [],
    )


def _alarm(said: Mapping[str, Any]) -> VitalAlarm:
    return VitalAlarm(_text(said, "kind"), _text(said, "message"), _number(said, "count"), _number(said, "last_at"))


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value[:MAX_TEXT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""  # JSON has halves of surrogate pairs


def _number(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name)
    return min(MAX_NUMBER, max(0, value)) if isinstance(value, int) else 0

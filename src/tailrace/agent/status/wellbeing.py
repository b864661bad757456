"""How the agent is, in the few words that every heartbeat carries (`wire.vitals`)."""

import time
from typing import Final

from tailrace import telemetry
from tailrace.agent.status.overview import Overview
from tailrace.wire.vitals import MAX_ALARMS, VitalAlarm, Vitals

LAG_LOOK_SECS: Final = 30.0
"""Every file is asked how far behind it is: that is not done for each heartbeat."""


class Wellbeing:
    """Used by one thread at a time."""

    def __init__(self, overview: Overview, boot_id: str, *, ephemeral: bool = False) -> None:
        self._overview = overview
        self._boot_id = boot_id
        self._ephemeral = ephemeral
        self._lag = 0
        self._lag_at = -LAG_LOOK_SECS

    def vitals(self) -> Vitals:
        summary = self._overview.summary()
        troubles: list[str] = [*summary["troubles"]]
        alarms = [one for one in telemetry.recent_alarms() if one.state == "active"]
        alarms.sort(key=lambda one: one.last_at, reverse=True)
        return Vitals(
            boot_id=self._boot_id,
            state="degraded" if troubles else "ok",
            trouble=troubles[0] if troubles else "",
            ephemeral=self._ephemeral,
            in_events=int(summary["in_events"]),
            out_events=int(summary["out_events"]),
            in_bytes_per_sec=round(sum(list(self._overview.rates.values()))),
            lag_bytes=self._lag_bytes(),
            waiting_secs=max((int(target.waiting[1]) for target in self._overview.targets), default=0),
            alarms=[VitalAlarm(one.kind, one.message, one.count, int(one.last_at)) for one in alarms[:MAX_ALARMS]],
        )

    def _lag_bytes(self) -> int:
        if time.monotonic() - self._lag_at >= LAG_LOOK_SECS:
            self._lag_at = time.monotonic()
            self._lag = sum(max(0, source.size - source.read) for lane in self._overview.lanes for source, _ in lane.sources())
        return self._lag

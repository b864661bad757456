"""The alarms that last, kept in the home: after a restart they are the same ones, and their end is told."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.journal import write_private

FORMAT: Final = 1
KEPT: Final = ("kind", "message", "values", "count", "first_at", "last_at", "id")

log = telemetry.logger("agent.diagnostics")


class Memory:
    """In one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: object = None

    def restore(self) -> None:
        """Remember what the agent before this one knew."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                return
            for one in document["alarms"]:
                telemetry.restore(telemetry.Alarm(**one))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("the alarms of the agent before this one are not known", path=str(self._path), reason=str(error))

    def keep(self) -> None:
        """Note what lasts now."""
        lasting = [alarm for alarm in telemetry.recent_alarms() if alarm.state == "active"]
        alarms = [{**{name: value for name, value in asdict(alarm).items() if name in KEPT}, "values": _texts(alarm)} for alarm in lasting]
        if alarms == self._written:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path, json.dumps({"format": FORMAT, "alarms": alarms}))
        except OSError as error:
            log.warning("cannot keep the alarms that last", path=str(self._path), reason=error.strerror)
            return
        self._written = alarms


def _texts(alarm: telemetry.Alarm) -> dict[str, str]:
    return {name: str(value) for name, value in alarm.values.items()}

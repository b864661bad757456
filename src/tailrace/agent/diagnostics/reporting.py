"""The rhythm: alarms every 30 s, a status every minute, a profile after each ten minutes; into snapshots, and to the projects that the
agent is enrolled for."""

import asyncio
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace import telemetry
from tailrace.agent.bystander import bystander
from tailrace.agent.diagnostics import snapshots
from tailrace.agent.diagnostics.memory import Memory
from tailrace.agent.diagnostics.meter import Meter
from tailrace.agent.diagnostics.outbox import Outbox
from tailrace.agent.diagnostics.records import Facts, Places, Row, alarm_rows, profile_rows, status_row
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.settings.settings import AgentSettings
from tailrace.agent.status.overview import Overview
from tailrace.agent.status.windows import KEPT, Window, WindowStore, stores
from tailrace.errors import DamagedError, TailraceError
from tailrace.wire.internal_logs import ALARM, FEATURE, PROFILE, STATUS, Topic

if TYPE_CHECKING:
    from tailrace.agent.diagnostics.courier import Courier

TICK_SECS: Final = 1.0
FIRST_STATUS_SECS: Final = 5.0
"""After the start: so soon a status says that the agent is there."""
SETTLE_SECS: Final = 10
"""After their end ten minutes are counted: the last look at them is over."""
ROWS: Final = 1000
"""Of one entry."""
LASTING: Final = "alarms.json"


log = telemetry.logger("agent.diagnostics")


@contextmanager
def reporting(reporter: "Reporter") -> Generator[None]:
    """Within it a thread reports."""
    with bystander("diagnostics", lambda over: asyncio.run(reporter.run(over))):
        yield


class Reporter:
    """Of one worker."""

    def __init__(
        self, home: Path, overview: Overview, identity: AgentIdentity, *, meter: Meter, facts: Facts, settings: AgentSettings
    ) -> None:
        self._home = home
        self._overview = overview
        self._identity = identity
        self._meter = meter
        self._facts = facts
        self._settings = settings
        self._directory = home / "agent" / "diagnostics"
        self._memory = Memory(self._directory / LASTING)
        self._minutes, self._ten_minutes = stores(home)
        self._outbox: Outbox | None = None
        self._couriers: dict[tuple[str, str], tuple[Courier, asyncio.Task[None]]] = {}
        now = time.monotonic()
        self._alarms_at, self._status_at = (
            now + settings.logtail_alarm_interval,
            now + min(FIRST_STATUS_SECS, settings.logtail_status_interval),
        )
        self._profiled = self._last_window(time.time())

    async def run(self, over: threading.Event) -> None:
        """Until `over` is set; what there is to say of alarms is kept then."""
        self._memory.restore()
        try:
            while not over.is_set():
                try:
                    self.tick(time.monotonic(), time.time())
                except OSError as error:  # a full disk must not end the agent; the next tick tries again
                    log.warning("cannot say how the agent is", reason=str(error))
                await asyncio.sleep(TICK_SECS)
        finally:
            try:
                self._alarms(int(time.time()))
            finally:
                await self._close()

    async def _close(self) -> None:
        tasks = [task for _, task in self._couriers.values()]
        self._couriers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            outbox.close()

    def tick(self, now: float, wall: float) -> None:
        """What is due. `now` in monotonic seconds, `wall` in those since the Unix epoch."""
        self._look_at_enrolments()
        if now >= self._alarms_at:
            self._alarms_at = now + self._settings.logtail_alarm_interval
            self._alarms(int(wall))
        if now >= self._status_at:
            self._status_at = now + self._settings.logtail_status_interval
            self._status(int(wall))
        length, last = self._ten_minutes.length, self._last_window(wall)
        for begin in range(max(self._profiled + length, last - (KEPT - 1) * length), last + 1, length):
            self._profiled = begin
            self._profile(begin, int(wall))

    # --- what there is to say -----------------------------------------------------------------------------------------------------
    def _alarms(self, at: int) -> None:
        rows = list(alarm_rows(telemetry.reports(), Places(self._overview.lanes), self._facts))
        self._memory.keep()
        if rows:
            self._say(ALARM, at, rows)

    def _status(self, at: int) -> None:
        window = _window(self._minutes, 2, at) or _window(self._minutes, 1, at)
        guard = self._overview.guard
        usage, detail = self._meter.usage()
        row = status_row(self._facts, window.status if window else "ok", guard.limited_by if guard else (), usage, detail)
        self._say(STATUS, at, [("", row)])

    def _profile(self, begin: int, at: int) -> None:
        why = self._meter.failures()
        window = _window(self._ten_minutes, 1, begin)
        if window is not None:
            self._say(PROFILE, at, list(profile_rows(window, why, self._facts)))
        if self._outbox is not None:
            self._outbox.note_profile(begin)

    def _say(self, topic: Topic, at: int, rows: list[tuple[str, Row]]) -> None:
        snapshots.write(self._home, topic, at, [{**row, "project": project} for project, row in rows])
        if self._outbox is None:
            return
        for project in dict.fromkeys(project for project, _ in rows):
            own = [row for of, row in rows if of == project]
            for first in range(0, len(own), ROWS):
                self._outbox.put(topic, project, at, own[first : first + ROWS])
        for courier, _ in self._couriers.values():
            courier.news.set()

    def _last_window(self, wall: float) -> int:
        """Begin of the latest ten minutes that are over and counted."""
        length = self._ten_minutes.length
        return (int(wall) - SETTLE_SECS) // length * length - length

    # --- whom to say it to ----------------------------------------------------------------------------------------------------------
    def _look_at_enrolments(self) -> None:
        """A courier for each project whose server keeps such records."""
        for key, (_, task) in list(self._couriers.items()):
            if task.done():
                log.error("what the agent says about itself is not sent for a moment", project=key[1], exc_info=task.exception())
                del self._couriers[key]
        wanted = {(one.endpoint, one.project): one for one in self._identity.enrolments if FEATURE in one.features}
        if not self._settings.internal_logs or wanted.keys() == self._couriers.keys():
            return
        from tailrace.agent.diagnostics.courier import Courier  # noqa: PLC0415 - only who is enrolled sends

        if self._outbox is None:
            self._begin()
        assert self._outbox is not None
        for gone in self._couriers.keys() - wanted.keys():
            self._couriers.pop(gone)[1].cancel()
        for key in wanted.keys() - self._couriers.keys():
            try:
                courier = Courier(wanted[key], self._identity, self._outbox, host_name=self._facts.host_name, address=self._facts.address)
            except TailraceError:
                continue  # it has no key yet: the next look tries again
            self._couriers[key] = courier, asyncio.get_running_loop().create_task(courier.run())
        self._outbox.forget({courier.destination for courier, _ in self._couriers.values()})

    def _begin(self) -> None:
        """Ten minutes that ended while no agent ran have their profile, too, once."""
        self._outbox = Outbox(self._directory)
        if self._outbox.profiled:
            self._profiled = min(self._profiled, self._outbox.profiled)
        else:
            self._outbox.note_profile(self._profiled)


def _window(store: WindowStore, index: int, at: float) -> Window | None:
    try:
        return store.back(index, at)
    except (DamagedError, OSError):
        return None


def names(directory: Path) -> str:
    """Of the files in `users`, separated by commas."""
    return ",".join(sorted(path.name for path in _files(directory)))


def _files(directory: Path) -> Iterable[Path]:
    try:
        return [path for path in directory.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []

"""One worker process, from its start to its end, as the supervisor sees it."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tailrace.agent.platform import Processes
from tailrace.agent.supervisor import blackbox, crash
from tailrace.agent.supervisor.channel import FORM, Channel
from tailrace.agent.supervisor.excess import Bounds, Excess
from tailrace.agent.supervisor.keeper import HandleKeeper
from tailrace.agent.supervisor.pulse import Pulse, Standstill

STOP_SECS: Final = 25.0
"""How long a worker may take to stop: it sends what it can. Then it is killed, which loses nothing but time."""
OVER: Final = "over its limit"
HANDOVER_SECS: Final = 5.0
"""How long a new worker may take to fetch one handle."""
TRACE_SECS: Final = 2.0
"""How long a hung worker may take to write its trace."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Of a pipeline's input, which the worker cannot go on after."""

    pipeline: str
    version: str
    why: str


class Life:
    """`command` starts the worker; what it must know comes over the channel."""

    def __init__(self, command: Sequence[str], processes: Processes) -> None:
        self._processes = processes
        self._box_memory = processes.shared_memory("tailrace-black-box", blackbox.SIZE)
        self._box = blackbox.BlackBox(self._box_memory)
        self._trace = processes.shared_memory("tailrace-trace", 0)
        ours, theirs = processes.pair()
        ours.setblocking(False)
        self.channel = Channel(ours, processes)
        self.began_at = time.monotonic()
        with theirs:
            handle = theirs.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - our own worker
                [*command, "--channel", str(handle)], stdin=subprocess.DEVNULL, pass_fds=[handle], start_new_session=True
            )
        self.pid = self._process.pid
        self.version = ""
        self.at_work_at: float | None = None
        """Since when it is at work (monotonic); None before."""
        self.refused: int | None = None
        """The exit code of a worker that said why it cannot run."""
        self.failed: Failure | None = None
        """What it ends of, as it says itself."""
        self.ending = ""
        """Why the supervisor ends it, or nothing."""
        self.standstill: Standstill | None = None
        self._kill_at: float | None = None
        self._pulse = Pulse()
        self._excess = Excess()
        self._bounds = Bounds()

    # --- messages ---------------------------------------------------------------------------------------------------------------
    def greet(self, hello: Mapping[str, Any], run: Mapping[str, Any], keeper: HandleKeeper, **news: object) -> bool:
        """Answer a worker's first word. False, and it is told, when we have no form in common."""
        self.version = str(hello.get("version", ""))
        if not isinstance(hello.get("form"), int) or int(hello["form"]) < FORM:
            self.channel.send("welcome", form=0)
            return False
        self.channel.send("welcome", [self._box_memory, self._trace], form=FORM, run=run, kept=len(keeper), **news)
        self.channel.settimeout(HANDOVER_SECS)  # more of them than a socket holds
        for key, handle in keeper.all():
            if not self.channel.send("kept", [handle], key=key):
                break
        self.channel.settimeout(0)
        return True

    def beat(self, report: Mapping[str, Any]) -> None:
        """KeyError, TypeError, ValueError, OverflowError when it cannot be understood: then it counts as silence."""
        bounds = Bounds.of(report)
        self._pulse.beat(report)
        self._bounds = bounds

    def is_at_work(self) -> None:
        """It has started everything. It says so again when it has begun anew by itself: what it does since the first time counts."""
        if self.at_work_at is None:
            self.at_work_at = time.monotonic()
            self._excess.started()

    # --- watching ---------------------------------------------------------------------------------------------------------------
    def look(self) -> None:
        """Every second: end it when it hangs or stays over its limits; kill it when its time to end is over."""
        if self._kill_at is not None:
            if time.monotonic() >= self._kill_at:
                self._process.kill()
            return
        if (standstill := self._pulse.look()) is not None:
            self.standstill = standstill
            self.ending = f"hung: {standstill.part} for {standstill.for_secs:.0f} s"
            self._kill_at = time.monotonic() + TRACE_SECS
            self.signal(signal.SIGCONT)  # one that was stopped could not write its trace
            self.signal(signal.SIGABRT)
        elif (used := self._processes.usage(self.pid)) is not None and (why := self._excess.look(used, self._bounds)):
            self.stop(f"{OVER}: {why}")

    def stop(self, why: str) -> None:
        """Ask it to end in good order."""
        self.ending = self.ending or why
        if self._kill_at is None:
            self._kill_at = time.monotonic() + STOP_SECS
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    # --- the end ----------------------------------------------------------------------------------------------------------------
    @property
    def exit_code(self) -> int | None:
        """None while it runs; -N when signal N ended it."""
        return self._process.poll()

    @property
    def worked_for(self) -> float:
        """Seconds."""
        return time.monotonic() - self.at_work_at if self.at_work_at is not None else 0.0

    def crash(self) -> crash.Crash:
        """What is known about its end."""
        code = self.exit_code or 0
        why = self.ending or (f"killed by {_name_of(-code)}" if code < 0 else f"exit code {code}")
        if self.failed is not None and not self.ending:
            why += f", because the input of the pipeline `{self.failed.pipeline}` failed: {self.failed.why}"
        trace, work = crash.read_trace(self._trace), self._box.at_work()
        return crash.Crash(self.pid, self.version, why, time.monotonic() - self.began_at, trace, work, self._pulse.last)

    def close(self) -> None:
        self.channel.close()
        self._box.close()
        os.close(self._box_memory)
        os.close(self._trace)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

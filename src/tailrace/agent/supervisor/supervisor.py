"""The supervisor's loop: starts the worker, hears it, watches it, starts the next one, until it is told to stop."""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from tailrace.agent.platform import Processes
from tailrace.agent.platform.systemd import Notifier
from tailrace.agent.supervisor import crash, quarantine, record
from tailrace.agent.supervisor.channel import close
from tailrace.agent.supervisor.keeper import MOST, HandleKeeper
from tailrace.agent.supervisor.life import OVER, Failure, Life
from tailrace.agent.supervisor.order import Order
from tailrace.agent.supervisor.pauses import Pauses
from tailrace.agent.supervisor.quarantine import Suspect
from tailrace.agent.supervisor.said import Said
from tailrace.agent.supervisor.versions import Versions
from tailrace.errors import StateError

LOOK_SECS: Final = 1.0
GOOD_SECS: Final = 60.0
"""A version whose worker has been at work for so long is a good one."""
BAD_STARTS: Final = 3
"""So many ends of a version before it was at work for GOOD_SECS, and the last good one takes its place."""
NEWS: Final = 20
"""Ends of workers that the next one is told of, for its alarms."""
MOST_KIND: Final = 40
"""Characters of a message that is not understood."""
FORWARDED: Final = (signal.SIGUSR1, signal.SIGUSR2)


class Supervisor:
    """Of one home."""

    def __init__(self, order: Order, processes: Processes) -> None:
        self._order = order
        self._home = order.home
        self._processes = processes
        self._versions = Versions(order.home)
        self._said = Said(order.home / "logs")
        self._keeper = HandleKeeper()
        self._pauses = Pauses()
        self._systemd = Notifier()
        self._life: Life | None = None
        self._start_at = 0.0
        self._news: list[dict[str, Any]] = []
        self._signals: list[int] = []
        self._stopping = False
        self._again = False
        """The worker is being replaced, not stopped."""
        self._was_at_work = False
        self._bad_starts = 0
        self._restarts = 0
        self._exit: int | None = None

    def run(self) -> int:
        """Until a signal comes; the exit code. BusyError when another supervisor has this home."""
        lock = self._processes.own(self._home / "agent" / "supervisor.lock")
        self._processes.name("tailrace-agent")
        with ExitStack() as stack:
            stack.callback(lock.release)
            stack.callback(self._systemd.close)
            woken = stack.enter_context(self._heard())
            self._begin()
            while self._exit is None:
                self._wait(woken)
                self._obey()
                self._look()
            record.remove(self._home)
        return self._exit

    # --- what happens -----------------------------------------------------------------------------------------------------------
    def _wait(self, woken: int) -> None:
        """Until a signal, a message or the end of standard input; at most LOOK_SECS."""
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        if self._order.stops_at_eof and not self._stopping:
            poll.register(0, select.POLLIN)
        if self._life is not None and self._life.channel.fileno() >= 0:
            poll.register(self._life.channel.fileno(), select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(LOOK_SECS * 1000)]
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
        if 0 in ready and woken != 0 and not os.read(0, 4096):
            self._signals.append(signal.SIGTERM)
        self._hear()

    def _hear(self) -> None:
        """All messages that are there."""
        life = self._life
        while life is not None and life.channel.fileno() >= 0:
            try:
                received = life.channel.receive()
            except BlockingIOError:
                return
            if received is None:
                life.channel.close()
                return
            message, handles = received
            try:
                self._take(life, message, handles)
            except (KeyError, TypeError, ValueError, OverflowError) as error:  # of another release, or out of its mind
                self._said.warning(f"the worker's message `{str(message.get('kind'))[:MOST_KIND]}` cannot be understood: {error!r}")
            close(handles)

    def _take(self, life: Life, message: dict[str, Any], handles: list[int]) -> None:
        """What is left of `handles` is closed by the caller. KeyError, TypeError, ValueError, OverflowError."""
        kind = message.get("kind")
        if kind == "keep" and len(handles) == 1:
            key = str(message["key"])
            if not self._keeper.keep(key, handles.pop()):
                self._said.warning(f"more than {MOST} deleted files are still being read: this one is not kept over the worker's end")
        elif kind == "let_go":
            self._keeper.let_go(str(message["key"]))
        elif kind == "beat":
            life.beat(message)
        elif kind == "hello":
            self._greet(life, message)
        elif kind == "at_work":
            self._at_work(life)
        elif kind == "refused":
            life.refused = int(message.get("exit", 1))
            self._said.kept(f"the worker cannot run: {message.get('why', '')}")
        elif kind == "failed":
            life.failed = Failure(str(message["pipeline"]), str(message["version"]), str(message.get("why", "")))

    def _greet(self, life: Life, hello: Mapping[str, Any]) -> None:
        aside = self._quarantine()
        run = {**self._order.run, "home": str(self._home)}
        if not life.greet(hello, run, self._keeper, news=self._news, quarantine=aside.told(), restarts=self._restarts):
            self._said.warning(f"the worker of version `{life.version}` speaks no form of messages that is known here")

    def _at_work(self, life: Life) -> None:
        life.is_at_work()
        self._was_at_work = True
        self._news.clear()
        self._said.info(f"the worker is at work  pid={life.pid} version={life.version}")
        self._systemd.ready(f"collecting, worker {life.pid}")
        self._record("at work")

    def _obey(self) -> None:
        """What signals asked for."""
        while self._signals:
            number = self._signals.pop(0)
            if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and sys.stderr.isatty()):
                self._stop()
            elif number == signal.SIGHUP:
                self._replace("asked to start anew")
            elif self._life is not None:
                self._life.signal(number)

    def _stop(self) -> None:
        if not self._stopping:
            self._said.info("stopping")
            self._systemd.stopping()
        self._stopping = True
        if self._life is not None:
            self._life.stop("stopped")
        else:
            self._exit = 0

    def _replace(self, why: str) -> None:
        if self._life is not None:
            self._again = True
            self._life.stop(why)

    # --- watching ---------------------------------------------------------------------------------------------------------------
    def _look(self) -> None:
        self._systemd.alive()
        life = self._life
        if life is None:
            if time.monotonic() >= self._start_at and self._exit is None:
                self._begin()
        elif life.exit_code is not None:
            self._hear()  # its last words
            self._ended(life)
        else:
            life.look()
            if life.worked_for >= GOOD_SECS:
                self._bad_starts = 0
                with contextlib.suppress(OSError):  # a full disk: the next look tries again
                    self._versions.became_good()

    def _begin(self) -> None:
        try:
            self._life = Life(self._versions.command(), self._processes)
        except OSError as error:
            self._said.warning(f"cannot start the worker: {error}")
            self._fall_back(0.0)
            self._start_at = time.monotonic() + self._pauses.after(0.0)
            return
        self._record("starting")

    def _ended(self, life: Life) -> None:
        """Its process is over: what that means, and when the next one starts."""
        self._life = None
        code, why = life.exit_code or 0, life.crash().why
        if self._stopping:
            self._exit = code if code >= 0 else 1
        elif life.refused is not None and not self._was_at_work:
            self._exit = life.refused  # it has said why, to whoever starts us
        elif code == 0 and (self._again or (life.at_work_at is not None and not life.ending)):
            self._start_at = 0.0
            self._said.info(f"the worker ended in good order and starts anew  why={why!r}")
        else:
            self._failed(life)
        life.close()
        self._again = False
        self._restarts += 1
        self._record("waiting")

    def _failed(self, life: Life) -> None:
        report, pause = life.crash(), 0.0
        if life.refused is None:
            if self._note(life, report):
                self._pauses.forget()
            self._fall_back(life.worked_for)
        if not life.ending.startswith(OVER) or life.exit_code != 0:
            pause = self._pauses.after(life.worked_for)
        self._start_at = time.monotonic() + pause
        self._said.warning(f"the worker ended: {report.why}; the next one starts in {pause:.1f} s")
        self._systemd.ready(f"the worker ended: {report.why}")  # the supervisor works, and tries again: systemd need not

    def _note(self, life: Life, report: crash.Crash) -> bool:
        """Write the report, and set aside what has killed too often; whether something was."""
        path, asides = "", list[Suspect]()
        try:
            path = str(crash.write(report, self._home))
            if suspects := _suspects(life, report):
                aside = self._quarantine()
                asides = aside.crashed(suspects)
                quarantine.save(aside, self._home)
        except OSError as error:
            self._said.warning(f"cannot write about the worker's end: {error}")
        for one in asides:
            what = f"the bytes {one.start} to {one.end} of its stream {one.stream}" if one.stream else "it"
            self._said.warning(f"the worker died of the pipeline `{one.pipeline}` {quarantine.CRASHES} times: {what} is set aside")
        self._news = [*self._news, {"why": report.why, "report": path, "set_aside": [one.pipeline for one in asides]}][-NEWS:]
        return bool(asides)

    def _fall_back(self, worked_for: float) -> None:
        self._bad_starts += worked_for < GOOD_SECS
        if self._bad_starts < BAD_STARTS:
            return
        with contextlib.suppress(OSError):
            bad = self._versions.current
            if version := self._versions.fall_back():
                self._bad_starts = 0
                self._pauses.forget()
                self._news = [*self._news, {"left": bad, "version": version}][-NEWS:]
                self._said.warning(f"the worker of version `{bad}` keeps dying: going back to `{version}`")

    # --- state ------------------------------------------------------------------------------------------------------------------
    def _quarantine(self) -> quarantine.Quarantine:
        """As it is on disk now: an administrator may have changed it. One that is damaged, or a newer release's, keeps no worker from
        starting."""
        try:
            return quarantine.load(self._home)
        except StateError as error:
            self._said.warning(f"what was set aside is not known any more: {error}")
            with contextlib.suppress(OSError):  # then the next word about it says the same again
                self._said.warning(f"it is kept as `{quarantine.set_aside(self._home)}`")
        except OSError as error:
            self._said.warning(f"what was set aside cannot be read: {error}")
        return quarantine.Quarantine()

    def _record(self, state: str) -> None:
        record.write(self._home, state=state, worker=self._life.pid if self._life is not None else 0, restarts=self._restarts)

    @contextmanager
    def _heard(self) -> Generator[int]:
        """Within it signals are noted, and end the wait: the handle that becomes readable."""

        def note(number: int, _frame: object) -> None:
            if number != signal.SIGCHLD:
                self._signals.append(number)

        readable, writable = os.pipe()
        os.set_blocking(readable, False)
        os.set_blocking(writable, False)
        signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, *FORWARDED):
            signal.signal(number, note)
        try:
            yield readable
        finally:
            signal.set_wakeup_fd(-1)
            os.close(readable)
            os.close(writable)


def _suspects(life: Life, report: crash.Crash) -> list[Suspect]:
    """What a worker died of. A kill from outside says nothing, and neither does a limit."""
    if life.standstill is not None:
        of, version = life.standstill.pipeline, life.standstill.version
        found = [Suspect.of(work) for work in report.at_work if of and work.pipeline == of]
        return found or ([Suspect(of, version, at=time.time())] if of else [])
    if life.failed is not None and life.exit_code and not life.ending:
        return [Suspect(life.failed.pipeline, life.failed.version, at=time.time())]
    died = life.exit_code is not None and life.exit_code < 0 and life.exit_code != -signal.SIGKILL
    return [Suspect.of(work) for work in report.culprits] if died and not life.ending else []

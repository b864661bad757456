"""Does what servers told this agent to do once, one thing after the other on a thread of its own, each at most once.

What was begun when the agent ended is not begun again: it goes on where it can be said how far it was (an import, a log level), is over
where the end was its purpose (a restart), and has failed otherwise.
"""

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from tailrace import telemetry
from tailrace.agent.bystander import bystander
from tailrace.agent.control.ledger import Ledger, State, Taken
from tailrace.errors import ApiError, TailraceError, UnreachableError
from tailrace.wire import commands as wire
from tailrace.wire.control import CommandDetail, ConfigInfo

LOOK_SECS: Final = 1.0
TOO_MANY, SERVER_ERROR = 429, 500
RETRY_SECS: Final = 5.0
"""Between two attempts to lay down a result."""
FORGET_SECS: Final = 3600.0
FOR_ONE_PROJECT: Final = ("import",)
"""All others concern the agent as a whole."""

log = telemetry.logger("agent.commands")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended. `result` is laid down with the server."""

    message: str
    result: bytes = b""


@dataclass(frozen=True, slots=True)
class AtWork:
    """A command with its detail, one of those of `wire.commands`. `here`: this process began with it, not one before."""

    command: Taken
    detail: Any
    here: bool = True


class Doer(Protocol):
    """One kind of command. TailraceError and OSError are its failure, with the reason."""

    def begin(self, at: "AtWork", /) -> Done | None:
        """None while it goes on."""
        ...

    def follow(self, at: "AtWork", /) -> Done | None:
        """What has become of one that was begun."""
        ...


class Commands:
    """`allowed`: kinds that the machine's administrator lets servers use. `lay_down` gives a result of a command to its server.
    `joined` counts the servers that the agent belongs to."""

    def __init__(
        self,
        ledger: Ledger,
        doers: Mapping[str, Doer],
        *,
        allowed: Sequence[str],
        lay_down: Callable[[Taken, bytes], None],
        joined: Callable[[], int] = lambda: 1,
    ) -> None:
        self._ledger = ledger
        self._doers = doers
        self._allowed = allowed
        self._lay_down = lay_down
        self._joined = joined
        self._changing = threading.Lock()
        self._wake = threading.Event()
        self._here: set[str] = set()
        """Begun by this process."""
        self._done: dict[str, tuple[Done, float]] = {}
        """What has ended and whose result is still to be laid down, and when that is tried next."""
        self.changes = 0
        """Counts what servers have to hear of."""

    def infos(self, server: str) -> list[ConfigInfo]:
        return self._ledger.infos(server)

    @property
    def is_busy(self) -> bool:
        """Whether something is going to end within moments."""
        return any(one.state == "taken" or self._kind(one) in ("sample", "diagnostics") for one in self._ledger.open)

    def take(self, server: str, commands: Sequence[CommandDetail]) -> None:
        """Durable on return. OSError when the disk is full: the server sends it again."""
        with self._changing:
            if self._ledger.take(server, commands):
                self.changes += 1
        self._wake.set()

    def heard(self, server: str, infos: Sequence[ConfigInfo]) -> None:
        """A server has answered to a beat with these."""
        with self._changing:
            self._ledger.heard(server, infos)

    def forget(self, joined: Sequence[str]) -> None:
        """OSError on a disk that cannot be written."""
        with self._changing:
            self._ledger.forget(joined)

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Within it commands are done. Whatever goes wrong in one, what is collected goes on."""
        try:
            with bystander("commands", self._run, waits=False):  # it may wait for the event loop, or a server
                yield
        finally:
            self._wake.set()

    def _run(self, over: threading.Event) -> None:
        while not over.is_set():
            for command in self._ledger.open:
                if not over.is_set():
                    self._look(command)
            self._wake.wait(LOOK_SECS if self._ledger.open else FORGET_SECS)
            self._wake.clear()

    def _look(self, command: Taken) -> None:
        try:
            done = self._done.get(command.id)
            if done is None:
                ended = self._advance(command)
                if ended is None:
                    return
                done = self._done[command.id] = ended, 0.0
            if time.monotonic() >= done[1]:
                self._finish(command, done[0])
        except (UnreachableError, ApiError) as error:
            self._done[command.id] = self._done[command.id][0], time.monotonic() + RETRY_SECS
            log.debug("cannot lay down a result yet", command=command.id, reason=error.message)
        except OSError as error:  # a full disk: what cannot be noted is not begun
            log.warning("cannot note how far a command is; it is tried again", command=command.id, reason=error.strerror or str(error))

    def _advance(self, command: Taken) -> Done | None:
        """Begin with it, or see what has become of it. What fails is over by that."""
        if command.state == "taken" and command.begin_before <= time.time():
            self._put(command, "failed", "it was too late to begin with it when this agent could")
            return None
        begins = command.state == "taken"
        if begins:
            command = self._put(replace(command, began_at=time.time()), "running")
            self._here.add(command.id)
        try:
            detail = wire.of(json.loads(command.detail))
        except (ValueError, RecursionError):
            self._put(command, "failed", "this release does not know the command")
            return None
        if refusal := self._refusal(detail.kind, begins=begins):
            self._put(command, "failed", refusal)
            return None
        if begins:
            log.info("a server has given a command", command=command.id, kind=detail.kind, project=command.project)
        return self._do(AtWork(command, detail, here=command.id in self._here), begins=begins)

    def _refusal(self, kind: str, *, begins: bool) -> str:
        if kind not in self._allowed:
            return f"the settings of the machine do not allow `{kind}` (`server_commands`)"
        if begins and kind not in FOR_ONE_PROJECT and self._joined() > 1:
            return f"this agent belongs to several servers, and `{kind}` concerns it as a whole: none of them may"
        return ""

    def _do(self, at: AtWork, *, begins: bool) -> Done | None:
        """What nobody foresaw is this command's failure, too, so that it does not stand in the way of others."""
        doer = self._doers[at.detail.kind]
        failure = "it went wrong in a way that is not foreseen; the log of the agent says how"
        try:
            done = doer.begin(at) if begins else doer.follow(at)
            failure = ""
        except (TailraceError, OSError) as error:
            failure = _reason(error)
            return None
        else:
            return done
        finally:
            if failure:
                self._put(at.command, "failed", failure)

    def _finish(self, command: Taken, done: Done) -> None:
        command = replace(command, state="running", began_at=command.began_at or time.time())
        if done.result:
            try:
                self._lay_down(command, done.result)
            except ApiError as error:
                if _is_passing(error):
                    raise
                self._put(command, "failed", f"the server does not take the result: {error.message}")
                return
        self._put(command, "done", done.message)

    def _put(self, command: Taken, state: State, message: str = "") -> Taken:
        with self._changing:
            put = self._ledger.put(replace(command, state=state, message=message))
            self.changes += 1
        if not put.is_open:
            self._done.pop(command.id, None)
            self._here.discard(command.id)
            log.info("a command is over", command=command.id, state=state, message=message)
        return put

    def _kind(self, command: Taken) -> str:
        try:
            return str(json.loads(command.detail)["kind"])
        except (ValueError, KeyError, TypeError):
            return ""


def _is_passing(error: ApiError) -> bool:
    """Whether the server may well take the same later."""
    return error.status >= SERVER_ERROR or error.status == TOO_MANY or error.error_code == "RequestTimeout"


def _reason(error: TailraceError | OSError) -> str:
    if isinstance(error, TailraceError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return f"{error.filename}: {(error.strerror or str(error)).lower()}" if error.filename else str(error)

"""The worker's side of its supervisor: the handshake, reports of progress, handles that outlive the worker. A worker that was started
alone has none of it, and works all the same."""

import contextlib
import faulthandler
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Container, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tailrace import __version__
from tailrace.agent.platform import processes
from tailrace.agent.supervisor.blackbox import AtWork, BlackBox, Slot
from tailrace.agent.supervisor.channel import FORM, Channel
from tailrace.agent.supervisor.quarantine import Quarantine
from tailrace.errors import StateError

BEAT_SECS: Final = 1.0
MOST_OWN: Final = 256
"""Handles of deleted files that this process holds a second time."""
ANSWER_SECS: Final = 30.0
SEND_SECS: Final = 1.0
"""A supervisor that takes no message for so long is asleep or gone: the worker goes on with its work."""
MOST_WHY: Final = 4000
"""Characters; far below what fits into a message."""
ORPHAN_SECS: Final = 30.0
"""So long a worker that has lost its supervisor may go on to read deleted files to their ends: nobody else has them."""
ORPHAN_LOOK_SECS: Final = 0.2
NOTICE_SECS: Final = 2.0
"""Within so long it notices that a file was deleted."""
LOCK_PATIENCE_SECS: Final = 50.0
"""A former supervisor's worker, if it has outlived it, is reading deleted files (ORPHAN_SECS), and stopping then."""


class Supervision:
    """Without a channel: alone."""

    def __init__(
        self, channel: Channel | None = None, welcome: Mapping[str, Any] | None = None, box: BlackBox | None = None, trace: int = -1
    ) -> None:
        words = welcome or {}
        self._channel = channel
        self._box = box
        self._sending = threading.Lock()
        self._former: dict[str, int] = {}
        self._kept: set[str] = set()
        self.run: Mapping[str, Any] = words.get("run", {})
        """What the supervisor was told to run."""
        self.news: list[Mapping[str, Any]] = list(words.get("news", []))
        """How workers before this one ended: `why`, `report`, `set_aside`."""
        self.restarts = int(words.get("restarts", 0))
        self.is_at_work = False
        """Whether everything was started once."""
        self.quarantine = Quarantine.of(words["quarantine"]) if words.get("quarantine") else Quarantine()
        self.lock_patience_secs = LOCK_PATIENCE_SECS if channel is not None else 0.0
        if trace >= 0:
            faulthandler.enable(trace)
        for _ in range(int(words.get("kept", 0))):
            self._take_former()

    @classmethod
    def by(cls, descriptor: int) -> "Supervision":
        """Shake hands over an inherited channel. StateError when the other end is no supervisor that we understand."""
        connection = socket.socket(fileno=descriptor)
        connection.set_inheritable(False)
        connection.settimeout(ANSWER_SECS)
        channel = Channel(connection, processes())
        channel.send("hello", form=FORM, version=__version__, pid=os.getpid())
        try:
            received = channel.receive()
        except TimeoutError:
            received = None
        if received is None:
            raise StateError("nobody answers on the channel to the supervisor", hint="start the agent with `tailrace agent run`")
        welcome, handles = received
        if welcome.get("form") != FORM or len(handles) != 2:
            raise StateError(
                f"the supervisor does not know the form {FORM} of the messages that this worker speaks", hint="restart the agent's service"
            )
        try:
            return cls(channel, welcome, BlackBox(handles[0]), handles[1])
        finally:
            os.close(handles[0])  # mapped by now
            connection.settimeout(SEND_SECS)

    @property
    def is_there(self) -> bool:
        """Whether somebody starts another worker when this one ends."""
        return self._channel is not None

    # --- handles ----------------------------------------------------------------------------------------------------------------
    def keep(self, stream: str, descriptor: int) -> None:
        """Hold the file of a stream until `let_go`, the supervisor too: the file has no name any more, and a session that begins anew, or
        the next worker, finds it nowhere else."""
        if stream in self._kept:
            return
        self._kept.add(stream)
        if len(self._former) < MOST_OWN:
            with contextlib.suppress(OSError):  # no handle is left: the supervisor's is
                self._former[stream] = os.dup(descriptor)
        self._send("keep", [descriptor], key=stream)

    def kept(self, stream: str) -> int | None:
        """A handle of the caller's own of a file that was kept, by this worker or one before it."""
        former = self._former.get(stream)
        return os.dup(former) if former is not None else None

    def let_go(self, stream: str) -> None:
        """Nothing more of this stream will be read."""
        if (former := self._former.pop(stream, None)) is not None:
            os.close(former)
        if stream in self._kept:
            self._kept.discard(stream)
            self._send("let_go", key=stream)

    def _take_former(self) -> None:
        assert self._channel is not None, "who has handles to give is there"
        try:
            received = self._channel.receive()
        except TimeoutError:
            return  # it did not get through: what is not there cannot be read
        if received is None:
            return
        message, handles = received
        if message.get("kind") == "kept" and handles:
            self._former[str(message["key"])] = handles[0]
            self._kept.add(str(message["key"]))

    # --- progress ---------------------------------------------------------------------------------------------------------------
    def slot(self) -> Slot | None:
        """Where a lane notes what it works on."""
        return self._box.slot() if self._box is not None else None

    @property
    def ranges_at_work(self) -> list[AtWork]:
        """What the lanes work on now."""
        return self._box.at_work() if self._box is not None else []

    def at_work(self) -> None:
        """Everything has been started."""
        self._send("at_work")
        self.is_at_work = True

    def refused(self, exit_code: int, why: str) -> None:
        """This worker cannot run, and has said why on stderr; the supervisor's log keeps it."""
        self._send("refused", exit=exit_code, why=why[:MOST_WHY])

    def failed(self, pipeline: str, version: str, why: str) -> None:
        """This worker is about to end because of a pipeline."""
        self._send("failed", pipeline=pipeline[:MOST_WHY], version=version, why=why[:MOST_WHY])

    @contextmanager
    def beating(
        self, report: Callable[[], Mapping[str, object]], stop: Callable[[], None], behind: Callable[[Container[str]], bool]
    ) -> Generator[None]:
        """Within it a thread reports every second. `stop` is called when the supervisor is gone, because nobody watches such a worker; not
        before deleted files are read to their ends, which the supervisor's end has left to this process alone: `behind` says of some
        streams whether any of them has more to read."""
        if self._channel is None:
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(report, stop, behind, over), name="beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(BEAT_SECS)

    def _beat(
        self,
        report: Callable[[], Mapping[str, object]],
        stop: Callable[[], None],
        behind: Callable[[Container[str]], bool],
        over: threading.Event,
    ) -> None:
        gone = False
        while not gone:
            self._send("beat", [], **report())
            if over.wait(BEAT_SECS):
                return
            gone = self._is_gone()
        until, over_soon = time.monotonic() + ORPHAN_SECS, over.wait(NOTICE_SECS)
        while not over_soon and time.monotonic() < until and behind(self._kept):
            over_soon = over.wait(ORPHAN_LOOK_SECS)
        stop()

    def _is_gone(self) -> bool:
        """The supervisor sends nothing after its welcome: what can be read is its end."""
        assert self._channel is not None, "who beats has one"
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        return bool(poll.poll(0)) and self._channel.receive() is None

    def _send(self, kind: str, handles: list[int] | None = None, **values: object) -> None:
        if self._channel is not None:
            with self._sending:
                self._channel.send(kind, handles or [], **values)

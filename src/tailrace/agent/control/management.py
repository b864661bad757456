"""Lets the servers that the agent has joined manage it: a heartbeat every 10 s, at once when a server says that something changed.

One thread per server. It has no pause of its own: a server holds a beat to which there is nothing to say (ADR 36).
"""

import platform
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from tailrace import __version__, telemetry
from tailrace.agent.control.calls import Line
from tailrace.agent.control.commands import Commands
from tailrace.agent.control.heartbeat import Dialogue, full_state, is_whole, to_fetch
from tailrace.agent.control.remote import RemoteConfigs
from tailrace.agent.identity.identity import AgentIdentity, JoinedServer
from tailrace.agent.identity.proof import own_context
from tailrace.errors import TailraceError, UnreachableError
from tailrace.pipeline.labels import Machine
from tailrace.wire.control import (
    Attributes,
    ConfigDetail,
    ConfigInfo,
    FetchConfigResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    decode,
    encode,
)
from tailrace.wire.protobuf import WireError
from tailrace.wire.vitals import Vitals

BEAT_SECS: Final = 10.0
RETRY_SECS: Final = 5.0
MOST_BEATS: Final = 5
"""In a row: a server that is never content has to wait for the next turn."""
SETTLE_SECS: Final = 60.0
"""How long a new version is watched closely; after that at each beat."""
LOOK_SECS: Final = 0.1
LEAST_PAUSE_SECS: Final = 1.0
"""Between two beats to which there was nothing to say. A server of another make answers each at once: with such a one it is BEAT_SECS."""
HEARTBEAT, FETCH = "/Agent/Heartbeat", "/Agent/FetchConfig"
HELD: Final = f"{HEARTBEAT}?wait={BEAT_SECS:g}"
PROTOBUF: Final = "application/x-protobuf"

log = telemetry.logger("agent.management")


class Settings(Protocol):
    """What servers gave of settings, and what became of it. One thread at a time changes."""

    def infos(self, server: str) -> list[ConfigInfo]: ...
    def take(self, server: str, updates: Iterable[ConfigDetail]) -> None: ...
    def try_again(self) -> None: ...
    def belong_to(self, joined: Iterable[str]) -> None: ...


@dataclass(slots=True)
class _Contact:
    """With one server."""

    thread: threading.Thread
    dialogue: Dialogue = field(default_factory=Dialogue)
    made_of: JoinedServer | None = None
    lines: list[Line] = field(default_factory=list[Line])
    """To each of its addresses, the best one first."""
    is_content: bool = False
    """The server had nothing to say to the last beat: it may hold the next one."""
    holds: bool = True
    """It does so, as far as it is known."""

    @property
    def pause(self) -> float:
        """Seconds between two turns, at least."""
        if not self.is_content:
            return RETRY_SECS
        return LEAST_PAUSE_SECS if self.holds else BEAT_SECS


class Management:
    """`reload` makes what is to run run; `outcome` says why a pipeline does not, "" when it does, None while that is not known."""

    def __init__(
        self,
        identity: AgentIdentity,
        configs: RemoteConfigs,
        machine: Callable[[], Machine],
        *,
        machine_id: str,
        reload: Callable[[], None],
        outcome: Callable[[str], str | None],
        vitals: Callable[[], Vitals],
        commands: Commands,
        settings: Settings,
    ) -> None:
        self._identity = identity
        self._configs = configs
        self._machine = machine
        self._machine_id = machine_id
        self._reload = reload
        self._outcome = outcome
        self._vitals = vitals
        self._commands = commands
        self._settings = settings
        self._started = int(time.time())
        self._contacts: dict[str, _Contact] = {}
        self._applying = threading.Lock()
        self._over = threading.Event()

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Within it servers are listened to, those that are joined later as well."""
        thread = threading.Thread(target=self._watch, name="management", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()  # threads may be in a call of up to BEAT_SECS; they are daemons, and change nothing any more

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                self._forget()
            except (OSError, TailraceError) as error:  # a disk that cannot be written: another look tries again
                log.warning("cannot forget what servers gave", reason=str(error))
            for server in list(self._identity.servers):
                if server not in self._contacts:
                    thread = threading.Thread(target=self._run, args=(server,), name="heartbeat", daemon=True)
                    self._contacts[server] = _Contact(thread)
                    thread.start()
            self._over.wait(1.0)

    def _forget(self) -> None:
        """What servers gave to which the agent does not belong any more, and commands that are long over."""
        with self._applying:
            if self._configs.forget_servers(self._identity.servers):
                self._reload()
            self._settings.belong_to(self._identity.servers)
        self._commands.forget(list(self._identity.servers))

    def _run(self, server_id: str) -> None:
        contact = self._contacts[server_id]
        while not self._over.is_set():
            server = self._identity.servers.get(server_id)
            if server is None:
                break
            try:
                began = time.monotonic()
                self._beat(server, contact, HELD if contact.is_content else HEARTBEAT)
                self._try_again()
                self._watch_tried(server, contact)
                self._over.wait(max(0.0, began + contact.pause - time.monotonic()))
            except (TailraceError, OSError, WireError) as error:
                contact.dialogue.lost()
                contact.is_content = False
                log.debug("no heartbeat", server=server_id, reason=str(error))  # the keeper of keys tells people
                self._over.wait(RETRY_SECS)
        del self._contacts[server_id]

    def _beat(self, server: JoinedServer, contact: _Contact, target: str = HEARTBEAT) -> None:
        """Until the server knows what the agent runs: a beat whose answer changes that is followed by another one."""
        for _ in range(MOST_BEATS):
            with self._applying:
                state = self._state(server)
                request = contact.dialogue.beat(state)
            asked_at, may_hold = time.monotonic(), target == HELD
            answer = decode(HeartbeatResponse, self._call(server, contact, "POST", target, encode(request)))
            target = HEARTBEAT
            if not contact.dialogue.answered(answer):
                continue
            self._commands.heard(server.id, state.onetime_pipeline_configs)
            updates = answer.continuous_pipeline_config_updates, answer.instance_config_updates, answer.onetime_pipeline_config_updates
            contact.is_content = not any(updates)
            if contact.is_content:
                contact.holds = not may_hold or time.monotonic() - asked_at >= LEAST_PAUSE_SECS
                return
            if answer.onetime_pipeline_config_updates:
                self._commands.take(server.id, answer.onetime_pipeline_config_updates)
            pipelines, settings = self._whole(server, contact, answer)
            with self._applying:
                self._settings.take(server.id, settings)
            self._apply(server, pipelines)

    def _watch_tried(self, server: JoinedServer, contact: _Contact) -> None:
        """While versions are tried: tell the server as soon as one has shown whether it runs. One that waits for something stays tried.
        The same with commands that end within moments."""
        until, beat_at = time.monotonic() + SETTLE_SECS, time.monotonic() + BEAT_SECS
        told = self._commands.changes
        while (self._configs.trying() or self._commands.is_busy or told != self._commands.changes) and not self._over.is_set():
            if time.monotonic() >= until:
                return
            if self._settle() or told != self._commands.changes or time.monotonic() >= beat_at:
                told, beat_at = self._commands.changes, time.monotonic() + BEAT_SECS
                self._beat(server, contact)
            else:
                self._over.wait(LOOK_SECS)

    def _whole(self, server: JoinedServer, contact: _Contact, answer: HeartbeatResponse) -> tuple[list[ConfigDetail], list[ConfigDetail]]:
        """Pipelines and settings, each with its detail."""
        pipelines, settings = answer.continuous_pipeline_config_updates, answer.instance_config_updates
        asked = to_fetch(self._identity.agent_id, answer)
        if asked is None:
            return pipelines, settings
        fetched = decode(FetchConfigResponse, self._call(server, contact, "POST", FETCH, encode(asked)))
        return (
            [*(one for one in pipelines if is_whole(one)), *fetched.continuous_pipeline_config_updates],
            [*(one for one in settings if is_whole(one)), *fetched.instance_config_updates],
        )

    def _apply(self, server: JoinedServer, updates: list[ConfigDetail]) -> None:
        with self._applying:
            if self._configs.take(server.id, updates):
                log.info("the server has changed what this agent runs", configs=[one.name for one in updates])
                self._reload()

    def _settle(self) -> bool:
        """Whether any new version has shown what it does; those that cannot run make way for the ones before them."""
        with self._applying:
            known = [(one, failure) for one in self._configs.trying() if (failure := self._outcome(one.name)) is not None]
            back = [self._configs.outcome(one, failure) for one, failure in known]
            if any(back):
                self._reload()
            return bool(known)

    def _try_again(self) -> None:
        """What did not run: what it lacked may be there now."""
        with self._applying:
            self._settings.try_again()
            if self._configs.retry(self._outcome):
                self._reload()

    def _state(self, server: JoinedServer) -> HeartbeatRequest:
        machine = self._machine()
        attributes = Attributes(
            version=__version__.encode(),
            ip=machine.address.encode(),
            hostname=machine.host_name.encode("utf-8", "replace"),
            hostid=self._machine_id.encode(),
            extras={"os": platform.system().lower().encode(), "release": platform.release().encode()},
        )
        configs = self._configs.infos(server.id, self._outcome)
        ids = machine.user_defined_ids
        return full_state(
            self._identity.agent_id,
            attributes,
            user_defined_ids=ids,
            started=self._started,
            configs=configs,
            commands=self._commands.infos(server.id),
            settings=self._settings.infos(server.id),
            vitals=self._vitals(),
        )

    def _call(self, server: JoinedServer, contact: _Contact, method: str, target: str, body: bytes) -> bytes:
        """The first address that answers. UnreachableError, ApiError."""
        if contact.made_of != server:
            for line in contact.lines:
                line.close()
            tls = own_context(self._identity, server)
            contact.lines, contact.made_of = [Line(address, tls) for address in server.addresses], server
        last: TailraceError = UnreachableError("the server has told no address")
        for line in contact.lines:
            try:
                return line.exchange(method, target, body, media_type=PROTOBUF, timeout=BEAT_SECS * 2)
            except UnreachableError as error:
                last = error
        raise last

"""Keeps the agent's keys for data fresh: asks every joined server again and again, on a thread of its own, and takes on what it says.

With each answer come the keys that need renewal, the projects that the agent may write to, the roots to trust and the addresses of the
server. What a server refuses is a state of the agent: no key of that server is used, nothing is lost, and the agent goes on asking.
"""

import random
import ssl
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.control.calls import call
from tailrace.agent.identity.boot import Boot, settle
from tailrace.agent.identity.identity import AgentIdentity, Enrolment, JoinedServer, save
from tailrace.agent.identity.invitations import Invitations
from tailrace.agent.identity.joining import IDENTITY, join, join_anew, server_of
from tailrace.agent.identity.proof import own_context
from tailrace.errors import ApiError, TailraceError, UnreachableError

KEYS_PATH: Final = "/api/v1/agents/keys"
FIRST_RETRY_SECS: Final = 1.0
LONGEST_RETRY_SECS: Final = 30.0
LEAST_PAUSE_SECS: Final = 1.0
"""Between two rounds, however often a server refuses our keys."""
IDLE_SECS: Final = 20.0
"""Between two looks for invitations while no server is joined."""

REFUSALS: Final = {
    "AgentRevoked": (
        "AGENT_REVOKED_ALARM",
        "revoked",
        "the server has revoked this agent; it sends nothing",
        "`tailrace agent reinstate` on the server lets it in again",
    ),
    "AgentNotExist": (
        "AGENT_REVOKED_ALARM",
        "unknown to the server",
        "the server does not know this agent; it sends nothing",
        "enrol it again: `tailrace agent enroll`",
    ),
    "IdentityConflict": (
        "IDENTITY_CONFLICT_ALARM",
        "identity_conflict",
        "another agent has this one's id: its home was copied; it sends nothing and keeps its state",
        "give this one an id of its own: `tailrace agent enroll --new-id`",
    ),
}
"""Error code → alarm, state, message, remedy."""

log = telemetry.logger("agent.keeper")


@dataclass(slots=True)
class _KeyServer:
    """How it goes with one server."""

    answered_at: float = 0.0
    address: str = ""
    trouble: str = ""
    failures: int = 0
    certificate: str = ""
    roots: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    """Made of these two."""
    says_older: bool = False
    """It has said that the home is an older copy, so that it understands that this is known; an earlier release may not."""


class KeyKeeper:
    """`renamed` is called when the agent has another id, `widened` when it may write to another project, `moved` when it reaches one of its
    projects in another way, `rolled_back` before it gets the keys of a server that has heard of a later start of its home than this home
    has (its answer: whether the new epoch outlives this process; if not it is asked once more); all from the keeper's thread."""

    def __init__(
        self,
        identity: AgentIdentity,
        home: Path,
        boot: Boot,
        *,
        renamed: Callable[[], object],
        widened: Callable[[], object],
        moved: Callable[[], object],
        rolled_back: Callable[[], bool],
    ) -> None:
        self._identity = identity
        self._secret = home / "secret"
        self._state = home / "agent"
        self._boot = boot
        self._renamed = renamed
        self._widened = widened
        self._moved = moved
        self._rolled_back = rolled_back
        self._is_older, self._has_renewed = False, False
        """Whether a server has said that the home is an older copy, and whether that has been acted on."""
        self._renewal_lasts = False
        self._invitations = Invitations(home / "users")
        self._contacts: dict[str, _KeyServer] = {}
        self._busy = threading.Lock()
        self._wake = threading.Event()
        self._over = False
        self._settled = False
        """Whether every joined server has heard of this start."""
        self._then: Callable[[], object] | None = None
        """What is to follow the next round."""

    @property
    def boot_id(self) -> str:
        return self._boot.id

    @property
    def machine_id(self) -> str:
        return self._boot.machine_id

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Within it keys are kept. The first round is over when it begins, so that an agent whose server is there starts with its keys."""
        self.round()
        self._identity.on_refusal = self._wake.set
        thread = threading.Thread(target=self._run, name="keys", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over = True
            self._wake.set()
            thread.join()

    def enrol(self, address: str, token: str, *, new_id: bool = False) -> Enrolment:
        """Join a server while the agent runs, which takes it on a moment after this call. The errors of `join`."""
        with self._busy:
            before = self._ways()
            enrolment = (join_anew if new_id else join)(self._identity, self._secret, address, token)
            self._contacts.pop(enrolment.server, None)
            follows = self._renamed if new_id else self._moved if self._have_moved(before) else self._widened
            self._then = self._foremost((self._then, follows))
        self._wake.set()
        return enrolment

    def rows(self) -> list[dict[str, Any]]:
        """One per joined server: its state, its projects, until when their keys hold."""
        rows: list[dict[str, Any]] = []
        for server in list(self._identity.servers.values()):  # another thread may join one meanwhile
            contact = self._contacts.get(server.id, _KeyServer())
            ours = [one for one in self._identity.enrolments if one.server == server.id]
            state = self._identity.states.get(server.id, "not asked yet")
            rows.append(
                {
                    "server": server.id,
                    "address": contact.address or server.addresses[0],
                    "state": state or ("unreachable" if contact.trouble else "ok"),
                    "projects": sorted(one.project for one in ours),
                    "key_expires_at": min((one.expires_at for one in ours if one.has_key), default=0.0),
                    "answered_at": contact.answered_at,
                    "trouble": contact.trouble,
                }
            )
        return rows

    # --- rounds -----------------------------------------------------------------------------------------------------------------
    def round(self) -> None:
        """Ask every joined server once, after taking up invitations; and once more when the home turns out to be an older copy."""
        follows = self._ask_all()
        if self._is_older and not self._renewal_lasts:
            # Not within `_busy`: it waits for the end of a session, which waits for whoever is joining a server.
            self._renewal_lasts, self._has_renewed = self._rolled_back(), True
            follows = self._foremost((follows, self._ask_all()))
        if follows is not None:
            follows()

    def _ask_all(self) -> Callable[[], object] | None:
        """What is to follow."""
        with self._busy:
            before = self._ways()
            joined = self._invitations.take(partial(join, self._identity, self._secret), lambda: self._identity.taken)
            servers = list(self._identity.servers.values())
            wider = [self._ask(server) for server in servers]
            self._settle(servers)
            then, self._then = self._then, None
            moved = self._have_moved(before)
        follows = self._moved if moved else self._widened if joined or any(wider) else None
        return self._foremost((then, follows))

    def _foremost(self, wanted: Collection[Callable[[], object] | None]) -> Callable[[], object] | None:
        """The one that does what the others do, too."""
        return next((one for one in (self._renamed, self._moved, self._widened) if one in wanted), None)

    def _ways(self) -> dict[tuple[str, str], str]:
        """(Project, endpoint) → the server that it is known by."""
        return {(one.project, endpoint): one.server for one in self._identity.enrolments for endpoint in (one.endpoint, *one.formerly)}

    def _have_moved(self, before: Mapping[tuple[str, str], str]) -> bool:
        """Whether something that may be at work is reached by another server now."""
        after = self._ways()
        return any(after.get(way, server) != server for way, server in before.items())

    def _settle(self, servers: Sequence[JoinedServer]) -> None:
        if servers and not self._settled and all(self._contacts[server.id].answered_at for server in servers):
            self._settled = True
            settle(self._state, self._boot)

    def _run(self) -> None:
        while not self._over:
            self._wake.wait(self._pause())
            time.sleep(0 if self._over else LEAST_PAUSE_SECS)
            self._wake.clear()
            if not self._over:
                self.round()

    def _pause(self) -> float:
        """Until the next round: as the servers want it, with some jitter, sooner while one does not answer."""
        wanted = min((server.poll_secs for server in self._identity.servers.values()), default=IDLE_SECS)
        failures = max((contact.failures for contact in self._contacts.values()), default=0)
        if failures:
            wanted = min(wanted, LONGEST_RETRY_SECS, FIRST_RETRY_SECS * 2 ** min(failures, 6))
        return max(0.0, wanted * random.uniform(0.8, 1.0) - LEAST_PAUSE_SECS)  # noqa: S311 - spreads load, guards nothing

    def _ask(self, server: JoinedServer) -> bool:
        """One server; whether it gave a project that was not known before."""
        contact = self._contacts.setdefault(server.id, _KeyServer())
        try:
            answer = self._call(server, contact)
        except ApiError as error:
            self._refused(server, contact, error)
            return False
        except (TailraceError, OSError) as error:
            self._failed(server, contact, error)
            return False
        try:
            wider = self._take(server, contact, answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            self._failed(server, contact, UnreachableError(f"the answer of `{contact.address}` is not that of a Tailrace server"))
            return False
        if self._is_older and not self._has_renewed:
            return False  # its keys are for the next epoch: it is asked again
        contact.answered_at, contact.trouble, contact.failures = time.time(), "", 0
        self._resolve(server)
        if self._identity.states.get(server.id):
            log.info("the server gives this agent keys again", address=contact.address)
        self._identity.states = {**self._identity.states, server.id: ""}
        return wider

    def _call(self, server: JoinedServer, contact: _KeyServer) -> dict[str, Any]:
        """The answer of the first address that answers, beginning with the one that did so last."""
        held = {one.project: one.key_id for one in self._identity.enrolments if one.server == server.id and one.has_key}
        beat: dict[str, Any] = {
            "boot_id": self._boot.id,
            "previous_boot_ids": list(self._boot.before),
            "machine_id": self._boot.machine_id,
            "host_name": self._boot.host_name,
            "held": held,
        }
        if contact.says_older and self._renewal_lasts:  # what is told to be known is not told us again, also not after a kill
            beat["home_is_known_to_be_older"] = True
        context = self._context(server, contact)
        last: UnreachableError | None = None
        for address in sorted(server.addresses, key=lambda one: one != contact.address):
            try:
                answer = call(address, "POST", KEYS_PATH, beat, tls=context)
                contact.address = address
            except UnreachableError as error:
                last = last or error
            else:
                return answer
        raise last or UnreachableError("the server has told no address", hint="enrol the agent again: `tailrace agent enroll`")

    def _context(self, server: JoinedServer, contact: _KeyServer) -> ssl.SSLContext:
        roots = tuple(server.roots)
        if contact.tls is None or (contact.certificate, contact.roots) != (server.certificate, roots):
            contact.tls = own_context(self._identity, server)
            contact.certificate, contact.roots = server.certificate, roots
        return contact.tls

    # --- answers ----------------------------------------------------------------------------------------------------------------
    def _take(self, server: JoinedServer, contact: _KeyServer, answer: Mapping[str, Any]) -> bool:
        fresh = server_of(answer, str(answer["certificate"]) or server.certificate)
        fresh = replace(fresh, id=server.id)
        contact.says_older |= bool(answer.get("home_is_older"))
        if answer.get("home_is_older") and not self._has_renewed:
            message = "the home of this agent was restored from an older copy: it goes on where the server has its streams"
            telemetry.alarm("EXACTLY_ONCE_ALARM", message, address=server.addresses[0])
            self._is_older = True
            return False
        identity = self._identity
        projects = {str(one["project"]): [str(name) for name in one["logstores"]] for one in answer["projects"]}
        keys = {str(one["project"]): one for one in answer["keys"]}
        ours = {one.project: one for one in identity.enrolments if one.server == server.id}
        made = [self._enrolment(fresh, project, logstores, keys.get(project), ours.get(project)) for project, logstores in projects.items()]
        others = [one for one in identity.enrolments if one.server != server.id]
        for project in ours.keys() - projects.keys():
            telemetry.alarm("AGENT_REVOKED_ALARM", "the server has taken a project from this agent; nothing is sent to it", project=project)
        if fresh != server or [*others, *made] != identity.enrolments:
            identity.servers = {**identity.servers, server.id: fresh}
            identity.enrolments = [*others, *made]
            self._save()
        for project in projects.keys() - ours.keys():
            telemetry.resolved("AGENT_REVOKED_ALARM", project=project)
        return bool(projects.keys() - ours.keys())

    def _enrolment(
        self, server: JoinedServer, project: str, logstores: list[str], key: Mapping[str, Any] | None, known: Enrolment | None
    ) -> Enrolment:
        base = known or Enrolment(server.addresses[0], project, logstores, "", "", server.features, server.id)
        base = replace(base, logstores=logstores, features=list(server.features))
        if key is None:
            return base
        expires_at = time.time() + float(key["lives_secs"])
        return replace(base, key_id=str(key["key_id"]), key_secret=str(key["key_secret"]), expires_at=expires_at)

    def _refused(self, server: JoinedServer, contact: _KeyServer, error: ApiError) -> None:
        contact.failures += error.status >= 500
        contact.trouble = error.message
        refusal = REFUSALS.get(error.error_code)
        if refusal is None:
            telemetry.alarm("SEND_DATA_FAIL_ALARM", "the server gives no keys", address=contact.address, reason=error.message)
            return
        kind, state, message, hint = refusal
        self._identity.states = {**self._identity.states, server.id: state}
        telemetry.alarm(kind, message, address=contact.address or server.addresses[0], hint=hint)

    def _failed(self, server: JoinedServer, contact: _KeyServer, error: TailraceError | OSError) -> None:
        """The keys that are there stay in use: they are refused wherever they are not right."""
        contact.failures += 1
        contact.trouble = str(error)
        hint = error.hint if isinstance(error, TailraceError) else ""
        telemetry.alarm(
            "SEND_DATA_FAIL_ALARM", "cannot get keys from the server", address=server.addresses[0], reason=str(error), hint=hint
        )

    def _resolve(self, server: JoinedServer) -> None:
        """It answers, and lets this agent in: what was said of it is over."""
        for kind in ("SEND_DATA_FAIL_ALARM", *(refusal[0] for refusal in REFUSALS.values())):
            for address in server.addresses:
                telemetry.resolved(kind, address=address)

    def _save(self) -> None:
        try:
            save(self._identity, self._secret / IDENTITY)
        except OSError as error:  # a full disk: the keys are in memory, and asked for again after a restart
            log.warning("cannot keep the agent's identity", path=str(self._secret / IDENTITY), reason=error.strerror)

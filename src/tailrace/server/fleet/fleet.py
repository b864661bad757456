"""Enrolment and keys of agents. Whatever an agent gets here it gets over TLS, bound to its own key pair."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from tailrace import telemetry
from tailrace.errors import ApiError
from tailrace.server.auth.authority import Authority, pem_of, public_key_hash
from tailrace.server.auth.keys import new_agent_key
from tailrace.server.auth.vault import Vault
from tailrace.server.db.records import ALL_LOGSTORES, Agent, Grant, Key
from tailrace.server.db.roster import Roster
from tailrace.server.fleet.attempts import Attempts
from tailrace.server.fleet.boots import Boot, Boots, Verdict
from tailrace.server.fleet.tokens import genuine_token
from tailrace.server.settings import Settings

MISSED_POLLS = 3
"""An agent that has missed so many is no longer alive."""
KEPT_KEYS = 4
"""Keys of one agent and project that are valid at a time: an agent that restarts all the time must not fill the database."""

log = telemetry.logger("server.fleet")


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What a verified client certificate says: whose it is, and for which key."""

    agent_id: str
    public_key: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Joining:
    """An agent that asks to be let in."""

    agent_id: str
    token: str
    request: str
    """Certificate signing request, PEM: that it is signed proves the agent's key."""
    machine_id: str
    host_name: str
    address: str = ""
    """Where it asks from."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """`secret` is in clear, and seen this once."""

    key: Key
    secret: str
    lives_secs: int


class Fleet:
    """One per server."""

    def __init__(self, roster: Roster, vault: Vault, authority: Authority, settings: Settings) -> None:
        self._roster = roster
        self._vault = vault
        self._authority = authority
        self._key_secs = settings.agent_key_secs
        self._attempts = Attempts()
        self._boots = Boots(settings.agent_poll_secs * MISSED_POLLS + 5)

    async def enrol(self, joining: Joining, *, proven: str = "") -> tuple[Grant, str]:
        """The grant, and the agent's certificate as PEM. `proven` is the agent whose data key signed the request, if one did.

        Raises ApiError: 401 TokenInvalid, 403 AgentRevoked, 409 AgentExist when the id belongs to another key, 429 TooManyAttempts.
        """
        self._attempts.admit(joining.address)
        try:
            return await self._enrol(joining, proven)
        except ApiError:
            self._attempts.failed(joining.address)
            raise

    async def _enrol(self, joining: Joining, proven: str) -> tuple[Grant, str]:
        token = genuine_token(self._roster, joining.token)
        public_key = _requested_key(joining.request)
        fingerprint, now = public_key_hash(public_key), int(time.time())
        known = self._roster.agent(joining.agent_id)
        if known is not None and known.public_key != fingerprint and not (not known.public_key and proven == known.id):
            raise ApiError(409, "AgentExist", f"the id `{joining.agent_id}` belongs to an agent with another key")
        if known is not None and known.revoked is not None:  # no token undoes what an administrator has decided
            raise ApiError(403, "AgentRevoked", f"agent `{known.id}` was revoked")
        agent = known or Agent(joining.agent_id, now)
        agent = replace(agent, public_key=fingerprint, machine_id=joining.machine_id, host_name=joining.host_name)
        before = next((grant for grant in self._roster.grants(agent.id) if grant.project == token.project), None)
        grant = Grant(agent.id, token.project, _together(token.logstores, before.logstores if before else ()), now)
        await self._roster.enrol(agent, grant, token.id, now)
        log.info("enrolled an agent", agent=agent.id, project=token.project, host=joining.host_name, join_token_id=token.id)
        return grant, pem_of(self._authority.certify_agent(public_key, agent.id))

    def known(self, peer: PeerCertificate) -> Agent:
        """The agent behind a certificate, revoked or not. Raises ApiError 403 AgentRevoked when it has another key, 404 AgentNotExist."""
        agent = self._roster.agent(peer.agent_id)
        if agent is None:
            raise ApiError(404, "AgentNotExist", f"agent `{peer.agent_id}` is not enrolled here")
        if agent.public_key != peer.public_key:
            raise ApiError(403, "AgentRevoked", f"agent `{agent.id}` has another key now")
        return agent

    def admitted(self, peer: PeerCertificate) -> Agent:
        """As `known`, and not revoked. Raises ApiError 403 AgentRevoked, 404 AgentNotExist."""
        agent = self.known(peer)
        if agent.revoked is not None:
            raise ApiError(403, "AgentRevoked", f"agent `{agent.id}` was revoked")
        return agent

    async def announce(self, peer: PeerCertificate, boot: Boot, host_name: str) -> Agent:
        """The agent, which may have keys. Raises ApiError 403 AgentRevoked, 404 AgentNotExist, 409 IdentityConflict."""
        agent = self.admitted(peer)
        verdict = self._boots.judge(agent, boot)
        if verdict in (Verdict.NEW_CONFLICT, Verdict.OUSTS):
            telemetry.alarm(
                "IDENTITY_CONFLICT_ALARM", "two agents claim one id; one of them is turned away", agent=agent.id, host=host_name
            )
        if verdict is Verdict.NEW_CONFLICT:
            await self._roster.renew_agent(agent)
        if verdict in (Verdict.CONFLICT, Verdict.NEW_CONFLICT):
            raise ApiError(409, "IdentityConflict", f"another agent holds the id `{agent.id}`")
        if verdict is not Verdict.HOLDS:
            agent = replace(agent, boot_id=boot.id, host_name=host_name)
            await (self._roster.renew_agent(agent) if verdict is Verdict.OUSTS else self._roster.change_agent(agent))
        return agent

    def is_older(self, agent: Agent) -> bool:
        """Whether the home of its present start is an older copy, so that what it says it has sent may be less than what has arrived."""
        return self._boots.is_older(agent.id)

    async def keys(self, agent: Agent, held: Mapping[str, str]) -> list[IssuedKey]:
        """New keys for the projects whose key in `held` (project → key id) is not known, or is past half of its life."""
        now = int(time.time())
        issued: list[IssuedKey] = []
        for grant in self._roster.grants(agent.id):
            key = self._roster.key(held.get(grant.project, ""))
            fresh = key is not None and key.agent == agent.id and key.expires is not None and key.expires - now > self._key_secs / 2
            if not (fresh and key is not None and key.logstores == grant.logstores):
                issued.append(await self._issue(grant, now))
        return issued

    def renewed_certificate(self, peer: PeerCertificate, der: bytes) -> str:
        """A certificate under the present root for one that is under another, as PEM; empty when it is fine as it is."""
        if peer.issuer == self._authority.signer.certificate.subject.rfc4514_string():
            return ""
        return pem_of(self._authority.certify_agent(x509.load_der_x509_certificate(der).public_key(), peer.agent_id))

    async def _issue(self, grant: Grant, now: int) -> IssuedKey:
        key, secret = new_agent_key(self._vault, grant.agent, grant.project, grant.logstores, expires=now + self._key_secs)
        kept = [one.id for one in self._roster.agent_keys(grant.agent, grant.project) if (one.expires or 0) > now][-KEPT_KEYS + 1 :]
        await self._roster.add_key(key, gone=lambda one: one.id not in kept)
        return IssuedKey(key, secret, self._key_secs)


@lru_cache(maxsize=20_000)
def peer_certificate(der: bytes) -> PeerCertificate:
    """Of a certificate that the TLS handshake has verified."""
    certificate = x509.load_der_x509_certificate(der)
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return PeerCertificate(str(name.value), public_key_hash(certificate.public_key()), certificate.issuer.rfc4514_string())


def _requested_key(pem: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        valid = request.is_signature_valid
        key: Any = request.public_key()
    except (ValueError, InvalidSignature):
        valid, key = False, None
    if not valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise ApiError(400, "ParameterInvalid", "the certificate request is not signed by an elliptic-curve key")
    return key


def _together(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    both = {*first, *second}
    return ALL_LOGSTORES if set(ALL_LOGSTORES) & both else tuple(sorted(both))

"""Joining a server with a token: find the right server by the token's fingerprint, show it the token and a key of our own, keep its answer.

The private key is made here and stays here; the server signs a certificate for it, which opens the way to the short-lived keys for data.
"""

import hashlib
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tailrace.agent.control.calls import call
from tailrace.agent.identity.boot import host_name, machine_id
from tailrace.agent.identity.identity import AgentIdentity, Enrolment, JoinedServer, new_id, save
from tailrace.errors import ApiError, DamagedError, StateError, UnreachableError, UsageError
from tailrace.journal import write_private
from tailrace.pipeline.contract import Credentials
from tailrace.wire.endpoints import wrong_endpoint
from tailrace.wire.join_token import JoinToken, parse_token
from tailrace.wire.tls import client_context, unchecked_context

IDENTITY: Final = "agent.json"
ROOTS_PATH: Final = "/api/v1/roots"
ENROL_PATH: Final = "/api/v1/agents/enrol"
REMEDIES: Final = {
    "AgentRevoked": "on the server: `tailrace agent reinstate ID`; or join as an agent of its own: `tailrace agent enroll --new-id`",
    "TooManyAttempts": "wait a minute, then try again with a token that is valid",
    "TokenInvalid": "make a new one on the server: `tailrace agent token create`",
    "AgentExist": "this home is a copy, or was: `tailrace agent enroll --new-id` joins as an agent of its own",
}


def join(
    identity: AgentIdentity, secret: Path, address: str, token: str, *, invitation: str = "", proof: Credentials | None = None
) -> Enrolment:
    """Join the server at `address` with a join token. Without an address: one of the joined servers, if the token is for it.

    `secret` is the agent's directory of secrets; what is in it is durable on return. UsageError, UnreachableError, ApiError, StateError;
    then nothing has changed. `invitation` is the digest of the file that the token came in; `proof` a key for data that the agent has from
    a time before it had a key pair, which shows that the id is its own.
    """
    try:
        shown = parse_token(token)
    except ValueError as error:
        raise UsageError(str(error), hint="`tailrace agent token create` on the server prints one") from None
    address = _address(address) if address else _joined_address(identity, shown)
    root = _pinned(address, shown)
    key = identity.key or _new_key()
    answer = _ask(address, root, proof, _request(identity, key, shown))
    try:
        server = server_of(answer, str(answer["certificate"]))
        project, logstores, upgrade = str(answer["project"]), [str(one) for one in answer["logstores"]], dict(answer["upgrade_root"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreachableError(f"the answer of `{address}` is not that of a Tailrace server", hint="check the address") from error
    identity.key, identity.servers = key, {**identity.servers, server.id: server}
    identity.add(Enrolment(address, project, logstores, "", "", server.features, server.id))
    identity.taken = [*identity.taken, *([invitation] if invitation else [])]
    upgrade_root = secret / f"{server.id}.upgrade-root.json"
    if not upgrade_root.exists():  # what is once laid down is never replaced from the network
        write_private(upgrade_root, json.dumps(upgrade, indent=1))
    save(identity, secret / IDENTITY)
    return next(one for one in identity.enrolments if one.project == project and one.server == server.id)


def join_anew(identity: AgentIdentity, secret: Path, address: str, token: str) -> Enrolment:
    """The same with another id and another key: what the old ones had been given stays with whoever else has them."""
    known = list(identity.servers.values())
    fresh = AgentIdentity(new_id(), [])
    enrolment = join(fresh, secret, address or (known[0].addresses[0] if len(known) == 1 else ""), token)
    identity.enrolments, identity.servers, identity.key, identity.states = fresh.enrolments, fresh.servers, fresh.key, {}
    identity.agent_id = fresh.agent_id
    return enrolment


def server_of(answer: Mapping[str, Any], certificate: str) -> JoinedServer:
    """The facts about a server that come with each of its answers."""
    return JoinedServer(
        str(answer["server_id"]),
        [str(address).rstrip("/") for address in answer["addresses"]],
        [str(root) for root in answer["roots"]],
        certificate,
        [str(feature) for feature in answer["features"]],
        float(answer["poll_secs"]),
    )


def _address(text: str) -> str:
    url = text if "://" in text else f"https://{text}"
    if wrong := wrong_endpoint(url, "https"):
        raise UsageError(f"`{text}` is not an address of the form `https://host:9481`: {wrong}", hint="keys are given over TLS only")
    return f"https://{urlsplit(url).netloc}"


def _joined_address(identity: AgentIdentity, token: JoinToken) -> str:
    for server in identity.servers.values():
        if any(_fingerprint(root) == token.fingerprint for root in server.roots):
            return server.addresses[0]
    raise UsageError("the token is for a server that this agent does not know", hint="name its address with `--server`")


def _pinned(address: str, token: JoinToken) -> str:
    """The root certificate that the token names, from the server itself: nothing else is believed until it is there."""
    answer = call(address, "GET", ROOTS_PATH, tls=unchecked_context())
    for root in answer.get("roots", []):
        try:
            if _fingerprint(str(root)) == token.fingerprint:
                return str(root)
        except ValueError:
            continue
    raise UnreachableError(
        f"the server at `{address}` is not the one that the token is for: none of its root certificates has the token's fingerprint",
        hint="check the address, and whether someone stands in between; nothing was sent to it",
    )


def _request(identity: AgentIdentity, key: str, token: JoinToken) -> dict[str, str]:
    return {
        "agent_id": identity.agent_id,
        "token": token.text,
        "certificate_request": _certificate_request(key, identity.agent_id),
        "machine_id": machine_id(),
        "host_name": host_name(),
    }


def _ask(address: str, root: str, proof: Credentials | None, document: Mapping[str, str]) -> dict[str, Any]:
    try:
        return call(address, "POST", ENROL_PATH, document, key=proof, tls=client_context([root]))
    except ApiError as error:
        if error.error_code in REMEDIES:
            raise StateError(f"the server did not let this agent in: {error.message}", hint=REMEDIES[error.error_code]) from error
        raise


def _new_key() -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - heavy, and needed only here
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    made = ec.generate_private_key(ec.SECP256R1())
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, pkcs8, plain).decode("ascii")


def _certificate_request(key: str, agent_id: str) -> str:
    from cryptography import x509  # noqa: PLC0415 - heavy, and needed only here
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError) as error:
        raise DamagedError(f"the agent's own key cannot be read ({error})", hint="join as an agent of its own: `--new-id`") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise DamagedError("the agent's own key is not of an elliptic curve", hint="join as an agent of its own: `--new-id`")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, agent_id)])
    request = x509.CertificateSigningRequestBuilder(name).sign(private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _fingerprint(root: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(root)).hexdigest()

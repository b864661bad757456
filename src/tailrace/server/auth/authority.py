"""The server's own certificate authority: a line of roots, each with its private key in a file of its own for the owner only.

`root-0001.pem` holds the first root: key, certificate. Every later root also has a *cross* certificate, its key signed by the root before
it, so that whoever knows only an older root can still verify what the new one has signed. A new root overlaps with the old one: agents are
told of it at once, it signs after `overlap`, and the old one is no longer given out after another `overlap`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tailrace.errors import DamagedError, StateError
from tailrace.journal import write_private

ROOT_LIFE = timedelta(days=3650)
RENEW_ROOT = ROOT_LIFE / 2
"""At this age a root gets its successor by itself."""
BACKDATED = timedelta(hours=1)
"""A certificate is valid from this long ago: clocks of agents may be a little behind."""


@dataclass(frozen=True, slots=True)
class Root:
    """One root. `cross` is its certificate under the root before it, None of the first."""

    number: int
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    cross: x509.Certificate | None

    @property
    def made_at(self) -> datetime:
        return self.certificate.not_valid_before_utc + BACKDATED

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower hex: what a join token carries."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def pem(self) -> str:
        return pem_of(self.certificate)


class Authority:
    """Signs certificates of this server and of its agents."""

    def __init__(self, roots: Sequence[Root], directory: Path, overlap: timedelta, clock: Callable[[], datetime]) -> None:
        self._roots = list(roots)
        self._directory = directory
        self._overlap = overlap
        self._clock = clock

    @property
    def signer(self) -> Root:
        """The newest root that agents have known for long enough; the first one at the beginning."""
        ready = [root for root in self._roots if root.made_at + self._overlap <= self._clock()]
        return ready[-1] if ready else self._roots[0]

    @property
    def known(self) -> list[Root]:
        """All that have not expired, the oldest first: with any of them what is signed now can be verified."""
        return [root for root in self._roots if root.certificate.not_valid_after_utc > self._clock()]

    @property
    def trusted(self) -> list[Root]:
        """Those that agents are told to trust: the signer, what comes after it, and what came just before it."""
        signer = self.signer
        retiring = signer.made_at + 2 * self._overlap > self._clock()
        return [root for root in self.known if root.number >= signer.number or (retiring and root.number == signer.number - 1)]

    @property
    def chain(self) -> list[x509.Certificate]:
        """What stands between a certificate of the signer and the first root, nearest first."""
        return [root.cross for root in reversed(self._roots[: self._roots.index(self.signer) + 1]) if root.cross is not None]

    def rotate(self) -> Root:
        """Make the next root. It signs after the overlap."""
        root = _new_root(self._roots[-1].number + 1, self._roots[-1], self._clock())
        _store(root, self._directory)
        self._roots.append(root)
        return root

    def rotate_if_due(self) -> Root | None:
        """Make the next root when the newest one is at half of its life."""
        return self.rotate() if self._roots[-1].made_at + RENEW_ROOT <= self._clock() else None

    def certify_server(self, key: CertificatePublicKeyTypes, names: Sequence[x509.GeneralName], life: timedelta) -> x509.Certificate:
        return self._certify(_name("tailrace server"), key, life, names, ExtendedKeyUsageOID.SERVER_AUTH)

    def certify_agent(self, key: CertificatePublicKeyTypes, agent_id: str) -> x509.Certificate:
        """Valid as long as its root: what it opens is decided by what the server knows of the agent, not by its dates."""
        return self._certify(_name(agent_id), key, ROOT_LIFE, (), ExtendedKeyUsageOID.CLIENT_AUTH)

    def _certify(
        self,
        subject: x509.Name,
        key: CertificatePublicKeyTypes,
        life: timedelta,
        names: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
    ) -> x509.Certificate:
        root, now = self.signer, self._clock()
        builder = _builder(subject, root.certificate.subject, key, now, min(now + life, root.certificate.not_valid_after_utc))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(root.key, hashes.SHA256())


def open_authority(directory: Path, overlap: timedelta, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Authority:
    """The authority whose roots lie in `directory`; its first root is made when there is none. StateError, DamagedError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    roots = [_load(path) for path in sorted(directory.glob("root-*.pem"))]
    if not roots:
        roots = [_new_root(1, None, clock())]
        _store(roots[0], directory)
    return Authority(roots, directory, overlap, clock)


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")  # fmt: skip


def public_key_hash(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of a public key's SubjectPublicKeyInfo, lower hex: by it an agent's key is known."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def _new_root(number: int, before: Root | None, now: datetime) -> Root:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"tailrace root {number} {x509.random_serial_number():x}"[:64])
    own = _root_builder(subject, subject, key, now, now + ROOT_LIFE).sign(key, hashes.SHA256())
    if before is None:
        return Root(number, key, own, None)
    cross = _root_builder(subject, before.certificate.subject, key, now, before.certificate.not_valid_after_utc)
    cross = cross.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(before.key.public_key()), critical=False)
    return Root(number, key, own, cross.sign(before.key, hashes.SHA256()))


def _root_builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    builder = _builder(subject, issuer, key.public_key(), now, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.add_extension(_key_usage(signs_certificates=True), critical=True)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - BACKDATED, until)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _store(root: Root, directory: Path) -> None:
    """In one file, so that a crash leaves all of it or nothing."""
    certificates = [root.certificate, *([root.cross] if root.cross else [])]
    write_private(directory / f"root-{root.number:04d}.pem", key_pem(root.key) + "".join(map(pem_of, certificates)))


def _load(path: Path) -> Root:
    if path.stat().st_mode & 0o077:
        raise StateError(f"the root key `{path}` can be read by others", hint=f"chmod 600 {path}")
    try:
        content = path.read_bytes()
        key = serialization.load_pem_private_key(content, None)
        certificate, *cross = x509.load_pem_x509_certificates(content)
        number = int(path.stem.removeprefix("root-"))
    except (ValueError, TypeError) as error:
        raise DamagedError(f"`{path}` does not hold a root of this server ({error})", hint="put it back from a backup") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DamagedError(f"`{path}` does not hold an elliptic-curve key", hint="put it back from a backup")
    return Root(number, key, certificate, cross[0] if cross else None)

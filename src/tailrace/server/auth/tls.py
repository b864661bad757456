"""The server's side of TLS: its certificate, renewed while it serves, and the roots by which it knows agents' certificates."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tailrace import telemetry
from tailrace.errors import TailraceError
from tailrace.journal import write_private
from tailrace.server.auth.authority import Authority, key_pem, pem_of

LOOK_AT_MOST_SECS = 3600.0
RETRY_SECS = 60.0

log = telemetry.logger("server.tls")


class Certificates:
    """Keeps one TLS context fresh: new connections get what is newest, those that are open stay as they are.

    `bundle` is a file with the roots to trust at present, for clients that want one.
    """

    def __init__(self, authority: Authority, file: Path, names: Sequence[str], life: timedelta, *, bundle: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.verify_mode = ssl.CERT_OPTIONAL  # agents show theirs to fetch keys, nobody else has one
        self._authority = authority
        self._file = file
        self._bundle = bundle
        self._names = general_names(names)
        self._life = life
        self._issued: x509.Certificate | None = None
        self._roots: list[int] = []
        self.refresh()

    def refresh(self) -> None:
        """Take on new roots, and a new certificate when a third of the present one's life is left, or its root no longer signs."""
        if (root := self._authority.rotate_if_due()) is not None:
            log.info("made a new root certificate; it signs after the overlap", root=root.number)
        new = [root for root in self._authority.known if root.number not in self._roots]
        if new:
            self.context.load_verify_locations(cadata="".join(root.pem for root in new))
            self._roots += [root.number for root in new]
        issued = self._issued
        if issued is None or issued.issuer != self._authority.signer.certificate.subject or self._left(issued) < self._life / 3:
            self._issue()
        self._publish()

    async def keep_fresh(self) -> None:
        """Until cancelled."""
        while True:
            pause = LOOK_AT_MOST_SECS
            if self._issued is not None:
                pause = min(pause, max(0.2, (self._left(self._issued) - self._life / 3).total_seconds()))
            await asyncio.sleep(pause)
            try:
                await asyncio.to_thread(self.refresh)
            except (OSError, TailraceError) as error:
                telemetry.alarm("SERVER_CERTIFICATE_ALARM", "cannot renew the server's certificate; it is tried again", reason=str(error))
                await asyncio.sleep(RETRY_SECS)

    def _issue(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        issued = self._authority.certify_server(key.public_key(), self._names, self._life)
        write_private(self._file, key_pem(key) + "".join(map(pem_of, [issued, *self._authority.chain])))
        self.context.load_cert_chain(self._file)
        self._issued = issued
        log.info("issued the server's certificate", until=issued.not_valid_after_utc.isoformat())

    def _publish(self) -> None:
        text = "".join(root.pem for root in self._authority.trusted)
        if not self._bundle.exists() or self._bundle.read_text("ascii") != text:
            write_private(self._bundle, text)  # nothing in it is secret; the home is its owner's all the same

    def _left(self, issued: x509.Certificate) -> timedelta:
        return issued.not_valid_after_utc - datetime.now(UTC)


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """An address is itself; a name brings `*.name`, under which projects are addressed."""
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found += [x509.DNSName(name), x509.DNSName(f"*.{name}")]
    return found


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_names(host: str) -> list[str]:
    """Names and addresses under which a listener on `host` can be reached, as far as this machine knows."""
    if host not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        return [host]
    families = (socket.AF_INET, socket.AF_INET6)
    found = [address.address for several in psutil.net_if_addrs().values() for address in several if address.family in families]
    addresses = sorted(address for address in found if "%" not in address)
    name = socket.gethostname().lower()
    return [*([name] if name.isascii() and name.replace("-", "").replace(".", "").isalnum() else []), *addresses]

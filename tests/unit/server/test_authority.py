"""The server's certificate authority: what its roots are, how one follows the other, and who can verify what meanwhile."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from tailrace import telemetry
from tailrace.errors import DamagedError, StateError
from tailrace.server.auth.authority import Authority, key_pem, open_authority, pem_of
from tailrace.server.auth.tls import Certificates, general_names, own_names

OVERLAP = timedelta(days=30)


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, clock: Clock) -> Authority:
    return open_authority(tmp_path / "ca", OVERLAP, clock)


def numbers(roots) -> list[int]:
    return [root.number for root in roots]


def handshake(authority: Authority, directory: Path, trusted: str, name: str) -> str:
    """What a client that trusts these roots sees on a server with a certificate of the present signer: "" or why it refuses."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.certify_server(key.public_key(), general_names(["logs.example.org", "10.0.0.7"]), timedelta(days=1))
    file = directory / "server.pem"
    file.write_text(key_pem(key) + "".join(map(pem_of, [issued, *authority.chain])))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    calling = ssl.create_default_context(cadata=trusted)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = calling.wrap_bio(to_client, to_server, server_hostname=name)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for step in (client.do_handshake, server.do_handshake, client.do_handshake):
        try:
            step()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""


def test_the_root_is_made_once_and_is_its_owners_alone(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    again = open_authority(tmp_path / "ca", OVERLAP, clock)
    assert again.signer.fingerprint == authority.signer.fingerprint
    assert (tmp_path / "ca" / "root-0001.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "ca" / "root-0001.pem").chmod(0o644)
    with pytest.raises(StateError, match="can be read by others"):
        open_authority(tmp_path / "ca", OVERLAP, clock)


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:100], lambda content: content[300:]])
def test_a_damaged_root_is_not_replaced(tmp_path: Path, authority: Authority, damage: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "ca" / "root-0001.pem"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedError, match="does not hold a root of this server"):
        open_authority(tmp_path / "ca", OVERLAP)


@pytest.mark.parametrize("name", ["logs.example.org", "shop.logs.example.org", "10.0.0.7"])
def test_a_certificate_holds_for_names_what_is_below_them_and_addresses(tmp_path: Path, authority: Authority, name: str) -> None:
    assert handshake(authority, tmp_path, authority.signer.pem, name) == ""


@pytest.mark.parametrize("name", ["logs.example.com", "a.shop.logs.example.org", "10.0.0.8"])
def test_another_name_is_refused(tmp_path: Path, authority: Authority, name: str) -> None:
    assert "mismatch" in handshake(authority, tmp_path, authority.signer.pem, name)


def test_another_authority_is_refused(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    other = open_authority(tmp_path / "other", OVERLAP, clock)
    assert "unable to get local issuer" in handshake(authority, tmp_path, other.signer.pem, "logs.example.org")


def test_a_new_root_is_told_of_first_signs_then_and_the_old_one_goes_last(authority: Authority, clock: Clock) -> None:
    authority.rotate()
    assert (authority.signer.number, numbers(authority.trusted)) == (1, [1, 2])
    clock.now += OVERLAP
    assert (authority.signer.number, numbers(authority.trusted)) == (2, [1, 2])
    clock.now += OVERLAP
    assert (authority.signer.number, numbers(authority.trusted)) == (2, [2])


def test_whoever_knows_any_root_verifies_what_is_signed_now(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    """An agent that was away through two rotations comes back with the first root."""
    clock.now -= 4 * OVERLAP
    first = open_authority(tmp_path / "long", OVERLAP, clock)
    for _ in range(2):
        first.rotate()
        clock.now += 2 * OVERLAP
    again = open_authority(tmp_path / "long", OVERLAP, clock)
    assert again.signer.number == 3
    assert [handshake(again, tmp_path, root.pem, "logs.example.org") for root in again.known] == ["", "", ""]


def test_a_root_has_its_successor_at_half_of_its_life(authority: Authority, clock: Clock) -> None:
    assert authority.rotate_if_due() is None
    clock.now += timedelta(days=3650 / 2)
    assert authority.rotate_if_due() is not None
    assert authority.rotate_if_due() is None


async def test_a_certificate_that_cannot_be_renewed_is_told_and_tried_again(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "tls").mkdir()
    certificates = Certificates(authority, tmp_path / "tls" / "server.pem", ["localhost"], timedelta(seconds=2), bundle=tmp_path / "ca.pem")
    (tmp_path / "tls" / "server.pem").unlink()
    (tmp_path / "tls").rmdir()
    (tmp_path / "tls").write_text("no directory any more")
    keeping = asyncio.create_task(certificates.keep_fresh())
    async with asyncio.timeout(30):
        while not any(alarm.kind == "SERVER_CERTIFICATE_ALARM" for alarm in telemetry.recent_alarms()):
            await asyncio.sleep(0.05)
    assert not keeping.done()
    keeping.cancel()


def test_an_agents_certificate_opens_nothing_as_a_servers(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.certify_agent(key.public_key(), "a1")
    usage = issued.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    assert [one.dotted_string for one in usage] == ["1.3.6.1.5.5.7.3.2"]


def test_a_listener_on_one_address_is_known_by_it() -> None:
    assert own_names("10.0.0.7") == ["10.0.0.7"]
    assert "127.0.0.1" in own_names("0.0.0.0")

"""The batch form: log groups of many streams in one request (docs/specs/batch-form.md).

Logtail's `SlsLogPackageList` with our identity in field 100. The log groups inside are passed on as they are, compressed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tailrace.batch.twin.varint import varint
from tailrace.errors import TailraceError
from tailrace.wire.identity import Identity
from tailrace.wire.protobuf import BYTES, FIXED64, VARINT, Value, WireError, delimited, fields, fixed64, number, prefix

MODE_HEADER = "x-log-mode"
MODE = "batch_group"

IDENTITY_FIELD = 100
EPOCH_SIZE = FINGERPRINT_SIZE = 16
WIRE_TYPES = {1: BYTES, 2: FIXED64, 3: VARINT, 4: VARINT, 5: VARINT, 6: VARINT, 7: VARINT, 8: BYTES, 9: VARINT, 10: VARINT}
REQUIRED = {1: "epoch", 2: "stream", 3: "sequence", 6: "start", 7: "end", 8: "fingerprint"}
_EPOCH, _FINGERPRINT = prefix(1, EPOCH_SIZE), prefix(8, FINGERPRINT_SIZE)
_SEQUENCE, _START, _END, _BELOW = (varint(field << 3) for field in (3, 6, 7, 9))
"""Before the numbers that every identity has: there may be a thousand in a request."""
COPIED_BYTES = 8192
"""Data shorter than this is copied: a piece of its own costs more."""
UINT32 = 0xFFFF_FFFF
INT32_MAX = 0x7FFF_FFFF


class PackageError(TailraceError):
    """A body that is no batch form (`reason` "malformed"), or one beyond a bound ("too_many", "too_large")."""

    code = "TR-PKG"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Package:
    """One compressed log group. `raw_size` is its size in bytes before compression, None when the sender did not say."""

    data: bytes
    raw_size: int | None
    identity: Identity | None = None


def encode(packages: Iterable[Package]) -> bytes:
    """The request's body. Its `x-log-bodyrawsize` is the sum of the raw sizes."""
    return b"".join(pieces(packages))


def pieces(packages: Iterable[Package]) -> list[bytes]:
    """The request's body in pieces that follow each other; large data of packages is among them as it is, not copied."""
    found: list[bytes] = []
    for package in packages:
        rest = b"" if package.raw_size is None else number(2, package.raw_size)
        if package.identity is not None:
            rest += delimited(IDENTITY_FIELD, encode_identity(package.identity))
        head = prefix(1, len(package.data))
        parts = [prefix(1, len(head) + len(package.data) + len(rest)) + head, package.data, rest]
        if len(package.data) < COPIED_BYTES:
            found.append(b"".join(parts))
        else:
            found += parts
    return found


def encode_identity(identity: Identity) -> bytes:
    """Fields in the order of their numbers; those that hold their default are left out."""
    parts = [_EPOCH, identity.epoch, fixed64(2, int(identity.stream, 16)), _SEQUENCE, varint(identity.sequence)]
    if identity.part:
        parts.append(number(4, identity.part))
    if identity.parts != 1:
        parts.append(number(5, identity.parts))
    parts += [_START, varint(identity.start), _END, varint(identity.end), _FINGERPRINT, identity.fingerprint]
    if identity.acknowledged_below:
        parts += [_BELOW, varint(identity.acknowledged_below)]
    if identity.ended:
        parts.append(number(10, 1))
    return b"".join(parts)


def decode(body: bytes, *, max_packages: int = 4096, max_raw_size: int = 31_457_280) -> list[Package]:
    """The packages of a request, in order. `max_raw_size` bounds the sum of the raw sizes, in bytes.

    Unknown fields are skipped, of a repeated single field the last one counts. Nothing is decompressed here. Raises PackageError.
    """
    packages: list[Package] = []
    total = 0
    try:
        for field, wire_type, value in fields(memoryview(body)):
            if field != 1:
                continue
            package = _decode_package(_view(wire_type, value, "a package"))
            packages.append(package)
            total += package.raw_size or 0
            if len(packages) > max_packages:
                raise PackageError("too_many", f"a request may carry {max_packages} packages, this one has more")
            if total > max_raw_size:
                raise PackageError("too_large", f"the packages exceed {max_raw_size} bytes before compression")
    except WireError as error:
        raise PackageError("malformed", f"cannot read the package list: {error}") from error
    return packages


def _decode_package(message: memoryview) -> Package:
    data: bytes | None = None
    raw_size: int | None = None
    identity: Identity | None = None
    for field, wire_type, value in fields(message):
        if field == 1:
            data = bytes(_view(wire_type, value, "the data of a package"))
        elif field == 2:
            if not isinstance(value, int) or wire_type != VARINT or value > INT32_MAX:
                raise WireError("the uncompressed size of a package is no size")
            raw_size = value
        elif field == IDENTITY_FIELD:
            identity = decode_identity(_view(wire_type, value, "the identity of a package"))
    if data is None:
        raise WireError("a package has no data")
    return Package(data, raw_size, identity)


def decode_identity(message: memoryview) -> Identity:
    """Raises WireError when a required field is missing or a value contradicts docs/specs/batch-form.md."""
    numbers: dict[int, int] = {4: 0, 5: 1, 9: 0, 10: 0}
    texts: dict[int, bytes] = {}
    for field, wire_type, value in fields(message):
        if field not in WIRE_TYPES:
            continue
        if wire_type != WIRE_TYPES[field]:
            raise WireError(f"field {field} of an identity has the wrong wire type")
        if isinstance(value, int):
            numbers[field] = value
        else:
            texts[field] = bytes(value)
    missing = [name for field, name in REQUIRED.items() if field not in numbers and field not in texts]
    if missing:
        raise WireError(f"an identity has no {' and no '.join(missing)}")
    if len(texts[1]) != EPOCH_SIZE or len(texts[8]) != FINGERPRINT_SIZE:
        raise WireError("epoch and fingerprint of an identity have 16 bytes")
    if numbers[6] > numbers[7]:
        raise WireError("the range of an identity ends before it starts")
    if not numbers[4] < numbers[5] <= UINT32:
        raise WireError(f"part {numbers[4]} of {numbers[5]} does not exist")
    return Identity(
        epoch=texts[1],
        stream=f"{numbers[2]:016X}",
        sequence=numbers[3],
        start=numbers[6],
        end=numbers[7],
        fingerprint=texts[8],
        part=numbers[4],
        parts=numbers[5],
        acknowledged_below=numbers[9],
        ended=bool(numbers[10]),
    )


def _view(wire_type: int, value: Value, what: str) -> memoryview:
    if wire_type != BYTES or isinstance(value, int):
        raise WireError(f"{what} has the wrong wire type")
    return value

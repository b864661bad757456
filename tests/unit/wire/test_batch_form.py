"""The batch form: what goes in comes out, foreign readers agree, and lies are refused."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.batch_form import Package, PackageError, decode, encode
from tailrace.wire.identity import Identity
from tailrace.wire.protobuf import delimited, fixed64, number

UINT64 = st.integers(0, 2**64 - 1)


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    start, end = sorted((draw(UINT64), draw(UINT64)))
    parts = draw(st.integers(1, 2**32 - 1))
    return Identity(
        epoch=draw(st.binary(min_size=16, max_size=16)),
        stream=f"{draw(UINT64):016X}",
        sequence=draw(UINT64),
        start=start,
        end=end,
        fingerprint=draw(st.binary(min_size=16, max_size=16)),
        part=draw(st.integers(0, parts - 1)),
        parts=parts,
        acknowledged_below=draw(UINT64),
        ended=draw(st.booleans()),
    )


PACKAGES = st.lists(st.builds(Package, st.binary(max_size=64), st.none() | st.integers(0, 1_000_000), st.none() | identities()), max_size=4)
ONE = Identity(bytes(16), "00000000000000AB", 31, 5, 9, bytes(range(16)))


def foreign_reader() -> type:
    """The specification's own message, built at run time for Google's protobuf."""
    file = descriptor_pb2.FileDescriptorProto(name="batch_form.proto", package="t", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in {
        "Identity": [
            ("epoch", 1, kinds.TYPE_BYTES, 2),
            ("stream", 2, kinds.TYPE_FIXED64, 2),
            ("sequence", 3, kinds.TYPE_UINT64, 2),
            ("part", 4, kinds.TYPE_UINT32, 1),
            ("parts", 5, kinds.TYPE_UINT32, 1),
            ("start", 6, kinds.TYPE_UINT64, 2),
            ("end", 7, kinds.TYPE_UINT64, 2),
            ("fingerprint", 8, kinds.TYPE_BYTES, 2),
            ("acknowledged_below", 9, kinds.TYPE_UINT64, 1),
            ("ended", 10, kinds.TYPE_BOOL, 1),
        ],
        "SlsLogPackage": [("data", 1, kinds.TYPE_BYTES, 2), ("uncompress_size", 2, kinds.TYPE_INT32, 1), ("identity", 100, None, 1)],
        "SlsLogPackageList": [("packages", 1, None, 3)],
    }.items():
        message = file.message_type.add(name=name)
        for field, position, kind, label in fields:
            added = message.field.add(name=field, number=position, label=label, type=kind or kinds.TYPE_MESSAGE)
            if kind is None:
                added.type_name = ".t.Identity" if field == "identity" else ".t.SlsLogPackage"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.SlsLogPackageList"))


READER = foreign_reader()


@given(PACKAGES)
def test_what_goes_in_comes_out(packages: list[Package]) -> None:
    assert decode(encode(packages), max_raw_size=10**9) == packages


@given(PACKAGES)
def test_googles_protobuf_reads_the_same(packages: list[Package]) -> None:
    seen = READER.FromString(encode(packages))
    assert [package.data for package in seen.packages] == [package.data for package in packages]
    for theirs, ours in zip(seen.packages, packages, strict=True):
        assert (theirs.uncompress_size if theirs.HasField("uncompress_size") else None) == ours.raw_size
        assert theirs.HasField("identity") == (ours.identity is not None)
        if ours.identity is not None:
            assert f"{theirs.identity.stream:016X}" == ours.identity.stream
            for name in ("epoch", "sequence", "start", "end", "fingerprint", "part", "acknowledged_below", "ended"):
                assert getattr(theirs.identity, name) == getattr(ours.identity, name), name
            assert (theirs.identity.parts or 1) == ours.identity.parts


@given(st.binary(max_size=60) | st.builds(lambda body, at, to: body[:at] + to + body[at + 1 :], st.just(encode([Package(b"x", 1, ONE)])),
       st.integers(0, 70), st.binary(max_size=2)))  # fmt: skip
def test_any_bytes_give_packages_or_a_refusal(body: bytes) -> None:
    try:
        packages = decode(body)
    except PackageError as error:
        reason = error.reason
    else:
        reason = ""
        assert decode(encode(packages)) == packages
    assert reason in ("", "malformed", "too_large", "too_many")


def test_a_stock_logtail_body_has_no_identity_and_unknown_fields_are_skipped() -> None:
    package = delimited(1, b"group") + number(2, 20) + delimited(77, b"unknown") + fixed64(78, 3)
    assert decode(number(9, 1) + delimited(1, package)) == [Package(b"group", 20, None)]


def test_the_pack_id_is_the_tags_value() -> None:
    assert ONE.pack_id == "00000000000000AB-1F"


IDENTITY = {1: delimited(1, bytes(16)), 2: fixed64(2, 7), 3: number(3, 1), 6: number(6, 0), 7: number(7, 1), 8: delimited(8, bytes(16))}


def wrapped(**changes: bytes) -> bytes:
    fields = {**IDENTITY, **{int(name[1:]): value for name, value in changes.items()}}
    return delimited(1, delimited(1, b"x") + delimited(100, b"".join(fields.values())))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\x0a\x05\x0a\x01", "runs past the end"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x08" + b"\xff" * 10, "longer than ten bytes"),
        (b"\x02\x00", "field number"),
        (number(1, 1), "a package has the wrong wire type"),
        (delimited(1, number(2, 3)), "a package has no data"),
        (delimited(1, delimited(1, b"") + number(2, 2**31)), "is no size"),
        (wrapped(_1=b"", _7=b""), "no epoch and no end"),
        (wrapped(_1=delimited(1, b"short")), "16 bytes"),
        (wrapped(_2=number(2, 7)), "field 2 of an identity has the wrong wire type"),
        (wrapped(_6=number(6, 9)), "ends before it starts"),
        (wrapped(_4=number(4, 1)), "part 1 of 1 does not exist"),
        (wrapped(_5=number(5, 0)), "part 0 of 0 does not exist"),
    ],
)
def test_a_malformed_body_says_what_is_wrong(body: bytes, message: str) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        decode(body)
    assert caught.value.reason == "malformed"


def test_the_bounds_hold_for_the_request_as_a_whole() -> None:
    body = encode([Package(b"", 600), Package(b"", 600)])
    assert len(decode(body, max_packages=2, max_raw_size=1200)) == 2
    with pytest.raises(PackageError) as caught:
        decode(body, max_packages=1)
    assert caught.value.reason == "too_many"
    with pytest.raises(PackageError) as caught:
        decode(body, max_raw_size=1199)
    assert caught.value.reason == "too_large"

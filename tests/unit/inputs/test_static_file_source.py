"""The bytes of a file that is read once: forward, packed or not, to the end that belongs to the run."""

import gzip
import os

import pytest
from backports import zstd

from tailrace.inputs.static_file.source import Source

TEXT = b"".join(b"line %07d\n" % number for number in range(60_000))
PACKED = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip of two members": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "zstd": zstd.compress(TEXT),
    "zstd of two frames": zstd.compress(TEXT[:1000]) + zstd.compress(TEXT[1000:]),
}


@pytest.fixture
def source(tmp_path):
    opened = []

    def open_(data: bytes, *, limit: int | None = None) -> Source:
        path = tmp_path / f"file{len(opened)}"
        path.write_bytes(data)
        opened.append(Source(os.open(path, os.O_RDONLY), len(data) if limit is None else limit))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def rest(source: Source, step: int = 77_777) -> bytes:
    pieces = []
    while piece := source.read(step):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED.keys())
def test_all_bytes_come_once_and_in_order(source, packed):
    one = source(packed)
    assert rest(one) == TEXT
    assert (one.offset, one.done_bytes) == (len(TEXT), len(packed))


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED.keys())
@pytest.mark.parametrize("offset", [0, 1, 999, 1000, 300_000, len(TEXT)])
def test_it_goes_on_at_any_offset_of_the_log(source, packed, offset):
    one = source(packed)
    one.skip_to(offset)
    assert rest(one) == TEXT[offset:]


def test_what_is_written_to_a_plain_file_later_does_not_belong_to_it(source):
    assert rest(source(TEXT, limit=1000)) == TEXT[:1000]


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_packed_file_that_is_cut_off_gives_what_is_whole_then_an_error(source, name):
    one = source(PACKED[name][: len(PACKED[name]) // 2])
    found = bytearray()

    def all_of_it():
        while piece := one.read(10_000):
            found.extend(piece)

    with pytest.raises(OSError, match="damaged or cut off"):
        all_of_it()
    assert found
    assert TEXT.startswith(found)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_damage_inside_is_an_error_and_no_crash(source, name):
    data = bytearray(PACKED[name])
    data[len(data) // 2 : len(data) // 2 + 50] = os.urandom(50)
    with pytest.raises(OSError, match="damaged or cut off"):
        rest(source(bytes(data)))


@pytest.mark.parametrize(("head", "name"), [(b"\xfd7zXZ\x00", "xz"), (b"BZh9", "bzip2"), (b"PK\x03\x04", "zip")])
def test_other_packings_are_named(source, head, name):
    with pytest.raises(OSError, match=f"packed with {name}"):
        source(head + b"x" * 100)

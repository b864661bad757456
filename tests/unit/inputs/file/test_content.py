"""What is packed in a copy is read up to where it is damaged, and no further."""

import gzip
import os
import random

import pytest
from backports import zstd

from tailrace.inputs.file.content import Content, unpacking
from tests.unit.inputs.file.following import RememberingLane

TEXT = b"".join(b"%06d %d\n" % (number, random.Random(number).getrandbits(64)) for number in range(40_000))


@pytest.fixture
def opened(tmp_path):
    made = []

    def open_(data: bytes) -> Content:
        (tmp_path / "a").write_bytes(data)
        descriptor = os.open(tmp_path / "a", os.O_RDONLY)
        made.append(Content(descriptor, RememberingLane().platform.identity(descriptor), unpacking(descriptor, lambda: None)))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def spoiled(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + b"\xff" * 64 + packed[middle + 64 :]


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
@pytest.mark.parametrize("damage", [spoiled, lambda packed: packed[: len(packed) // 2], lambda packed: packed[:-6] + b"\0" * 6])
def test_the_whole_prefix_comes_and_then_the_end(opened, pack, damage):
    content = opened(damage(pack(TEXT)))
    whole = content.read_at(4 * len(TEXT), 0)
    assert content.damage.startswith("the compressed file is damaged")
    if pack is gzip.compress:
        assert len(whole) > len(TEXT) // 3
    assert content.ends_at(len(whole))
    assert content.read_at(10, len(whole)) == b""
    if whole:
        assert content.read_at(10, len(whole) - 1) == whole[-1:]


def test_a_sound_copy_has_no_damage(opened):
    content = opened(gzip.compress(TEXT))
    assert content.read_at(len(TEXT) + 1, 0) == TEXT
    assert content.damage == ""


class InterruptedByOthersError(Exception):
    pass


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_what_goes_wrong_meanwhile_shifts_nothing(tmp_path, pack):
    steps = []

    def meanwhile():
        steps.append(1)
        if len(steps) == 2:
            raise InterruptedByOthersError

    (tmp_path / "a").write_bytes(pack(TEXT))
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    unpacked = unpacking(descriptor, meanwhile)
    with pytest.raises(InterruptedByOthersError):
        unpacked.read_at(len(TEXT), 0)
    assert unpacked.read_at(len(TEXT), 0) == TEXT
    unpacked.close()
    os.close(descriptor)

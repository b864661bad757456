"""How Logtail recognises files: MurmurHash3, against what another implementation of it (mmh3 5.1, seed 0xdeadbeaf) says."""

import pytest

from tailrace.agent.logtail.signature import signature

KNOWN = {
    b"": 0xDB2CBF84A07B70B6,
    b"a": 0x36D7003683944C80,
    b"line 0000\n": 0xFAC048B975BAFBFF,
    b"0123456789abcdef": 0x3F1586DCD5B307B7,
    b"x" * 17: 0xBC45F68C1FD9FD8F,
    (bytes(range(1, 128)) * 9)[:1024]: 0x8314DCD72869563A,
}


@pytest.mark.parametrize("head", KNOWN, ids=len)
def test_the_hash_of_a_files_head_is_logtails(head: bytes) -> None:
    assert signature(head) == KNOWN[head]

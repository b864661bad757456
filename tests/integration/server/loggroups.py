"""Log groups and batches made by hand, for writes that no SDK would send."""

import hashlib
import time
import zlib

import lz4.block
from aliyun.log.log_logs_pb2 import LogGroup

from tailrace.batch import compress
from tailrace.wire.batch_form import Package, encode
from tailrace.wire.identity import Identity

EPOCH = b"e" * 16


def log_group(text: str = "hello", *, age_secs: float = 0, events: int = 1) -> bytes:
    group = LogGroup()
    for number in range(events):
        log = group.Logs.add()
        log.Time = int(time.time() - age_secs)
        content = log.Contents.add()
        content.Key, content.Value = "text", f"{text} {number}"
    return group.SerializeToString()


def compressed(raw: bytes, compression: str) -> bytes:
    if compression == "lz4":
        return lz4.block.compress(raw, store_size=False)
    if compression == "deflate":
        return zlib.compress(raw)
    return compress(raw, "zstd") if compression == "zstd" else raw


def headers(raw_size: int | str, compression: str = "lz4", **more: str) -> dict[str, str]:
    found = {"content-type": "application/x-protobuf", "x-log-bodyrawsize": str(raw_size), "x-log-compresstype": compression}
    if not compression:
        del found["x-log-compresstype"]
    return {**found, **more}


def package(raw: bytes, stream: int, sequence: int, *, fingerprint: bytes | None = None) -> Package:
    digest = fingerprint or hashlib.md5(raw).digest()
    identity = Identity(EPOCH, f"{stream:016X}", sequence, sequence * 100, sequence * 100 + 100, digest)
    return Package(compressed(raw, "lz4"), len(raw), identity)


def batch(packages: list[Package]) -> tuple[bytes, dict[str, str]]:
    """Body and headers."""
    size = sum(each.raw_size or 0 for each in packages)
    return encode(packages), headers(size, **{"x-log-mode": "batch_group"})

"""Compression, and the hash of ranges: thin over the libraries, with bounds and one kind of error."""

import sys
import zlib
from typing import cast

import lz4.block
import xxhash

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from tailrace.batch.twin.errors import DecodeError

ZSTD_LEVEL = 1
LZ4_MOST_EXPANSION = 255
"""lz4 cannot expand a block further; a size that claims more is a lie, and nothing is allocated for it."""
LZ4_LEAST_MATCH = 4


def fingerprint(data: bytes) -> bytes:
    """See the contract."""
    return xxhash.xxh3_128_digest(data)


def compress(data: bytes, compression: str) -> bytes:
    """See the contract."""
    match compression:
        case "none":
            return bytes(data)
        case "lz4":
            return lz4.block.compress(data, store_size=False)
        case "zstd":
            return zstd.compress(data, ZSTD_LEVEL)
        case "deflate":
            return zlib.compress(data)
        case _:
            raise ValueError(f"the compression `{compression}` is not known")


def decompress(data: bytes, compression: str, *, max_size: int, raw_size: int | None = None) -> bytes:
    """See the contract."""
    if raw_size is not None and raw_size > max_size:
        raise DecodeError("too_large", f"{raw_size} bytes are announced, {max_size} are allowed")
    match compression:
        case "none":
            found = bytes(data)
        case "lz4":
            found = _decompress_lz4(data, raw_size)
        case "zstd":
            found = _decompress_zstd(data, max_size, raw_size)
        case "deflate":
            found = _decompress_deflate(data, max_size if raw_size is None else raw_size)
        case _:
            raise ValueError(f"the compression `{compression}` is not known")
    if len(found) > max_size and (raw_size is None or compression == "none"):
        raise DecodeError("too_large", f"the data exceeds {max_size} bytes")
    if raw_size is not None and len(found) != raw_size:
        raise _wrong_size(raw_size)
    return found


def _wrong_size(raw_size: int) -> DecodeError:
    return DecodeError("wrong_size", f"{raw_size} bytes are announced, but the data has another size")


def _decompress_lz4(data: bytes, raw_size: int | None) -> bytes:
    if raw_size is None:
        raise DecodeError("wrong_size", "lz4 needs the size before compression")
    try:
        if raw_size // LZ4_MOST_EXPANSION <= len(data):
            # One byte more than announced, so that data which holds more does not look right.
            return lz4.block.decompress(data, uncompressed_size=raw_size + 1)
    except lz4.block.LZ4BlockError:
        pass
    if _lz4_size(data) not in (None, raw_size):
        raise _wrong_size(raw_size)
    raise DecodeError("malformed", "the data is no lz4 block")


def _lz4_size(data: bytes) -> int | None:
    """What an lz4 block would decompress to, from its lengths alone; None when they do not add up."""
    at = size = 0
    try:
        while True:
            token = data[at]
            literals, at = _lz4_length(data, at + 1, token >> 4)
            at += literals
            size += literals
            if at >= len(data):
                return size if at == len(data) else None
            match, at = _lz4_length(data, at + 2, token & 15)
            size += match + LZ4_LEAST_MATCH
    except IndexError:
        return None


def _lz4_length(data: bytes, at: int, short: int) -> tuple[int, int]:
    if short < 15:
        return short, at
    while data[at] == 255:
        short += 255
        at += 1
    return short + data[at], at + 1


def _decompress_zstd(data: bytes, max_size: int, raw_size: int | None) -> bytes:
    """One frame; at most one byte more than allowed."""
    try:
        if zstd.get_frame_size(data) != len(data):
            raise DecodeError("malformed", "the data is not one zstd frame")
        # The stub denies it, but a frame need not say its size.
        declared = cast("int | None", zstd.get_frame_info(data).decompressed_size)
        if declared is not None and raw_size is not None and declared != raw_size:
            raise _wrong_size(raw_size)
        if declared is not None and declared > max_size:
            raise DecodeError("too_large", f"the data exceeds {max_size} bytes")
        limit = max_size if raw_size is None else raw_size
        decompressor = zstd.ZstdDecompressor()
        found = decompressor.decompress(data, max_length=limit + 1)
    except zstd.ZstdError as error:
        raise DecodeError("malformed", "the data is no zstd frame") from error
    return _whole(found, limit, ended=decompressor.eof)


def _decompress_deflate(data: bytes, limit: int) -> bytes:
    """One zlib stream; at most one byte more than `limit`."""
    decompressor = zlib.decompressobj()
    try:
        found = decompressor.decompress(data, limit + 1)
    except zlib.error as error:
        raise DecodeError("malformed", "the data is no zlib stream") from error
    return _whole(found, limit, ended=decompressor.eof and not decompressor.unused_data)


def _whole(found: bytes, limit: int, *, ended: bool) -> bytes:
    if len(found) <= limit and not ended:
        raise DecodeError("malformed", "the compressed data is cut, or something follows it")
    return found

"""Compression, and the hash of ranges: thin over the libraries, with bounds and one kind of error."""

import zlib

import lz4.block
import xxhash

try:
    from compression import zstd
except ImportError:
    from backports import zstd

from tailrace.batch.twin.errors import DecodeError

ZSTD_LEVEL = 1


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
    limit = max_size if raw_size is None else raw_size
    match compression:
        case "none":
            found = bytes(data)
        case "lz4":
            found = _decompress_lz4(data, raw_size)
        case "zstd":
            found = _decompress_zstd(data, limit)
        case "deflate":
            found = _decompress_deflate(data, limit)
        case _:
            raise ValueError(f"the compression `{compression}` is not known")
    if raw_size is None and len(found) > max_size:
        raise DecodeError("too_large", f"the data exceeds {max_size} bytes")
    if raw_size is not None and len(found) != raw_size:
        raise DecodeError("wrong_size", f"{raw_size} bytes are announced, but the data has another size")
    return found


def _decompress_lz4(data: bytes, raw_size: int | None) -> bytes:
    if raw_size is None:
        raise DecodeError("wrong_size", "lz4 needs the size before compression")
    try:
        return lz4.block.decompress(data, uncompressed_size=raw_size)
    except lz4.block.LZ4BlockError as error:
        raise DecodeError("malformed", "the data is no lz4 block of the announced size") from error


def _decompress_zstd(data: bytes, limit: int) -> bytes:
    """One frame; at most one byte more than `limit`."""
    decompressor = zstd.ZstdDecompressor()
    try:
        found = decompressor.decompress(data, max_length=limit + 1)
    except zstd.ZstdError as error:
        raise DecodeError("malformed", "the data is no zstd frame") from error
    return _whole(found, limit, ended=decompressor.eof and not decompressor.unused_data)


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

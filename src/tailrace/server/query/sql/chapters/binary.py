"""Hashes and other forms of bytes."""

from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "Binary, hashes and encodings",
    "Hashes give bytes: write `to_hex(md5(to_utf8(x)))`.",
    (
        Function("to_utf8(text)", "the bytes of a text", Type.UNKNOWN, "to_hex(to_utf8('a'))", "61"),
        Function("from_utf8(bytes)", "the text of bytes", Type.VARCHAR, "from_utf8(from_base64('YQ=='))", "a"),
        Function("to_hex(bytes)", "in hexadecimal", Type.VARCHAR, "to_hex(to_utf8('AB'))", "4142"),
        Function("from_hex(text)", "the other way round", Type.UNKNOWN, "from_utf8(from_hex('61'))", "a"),
        Function("to_base64(bytes)", "in base 64", Type.VARCHAR, "to_base64(to_utf8('a'))", "YQ=="),
        Function("from_base64(text)", "the other way round", Type.UNKNOWN, "from_utf8(from_base64('YQ=='))", "a"),
        Function("to_base64url(bytes)", "in base 64 for URLs", Type.VARCHAR, "to_base64url(to_utf8('a?>'))", "YT8-"),
        Function("from_base64url(text)", "the other way round", Type.UNKNOWN, "from_utf8(from_base64url('YT8-'))", "a?>"),
        Function("md5(bytes)", "MD5", Type.UNKNOWN, "to_hex(md5(to_utf8('a')))", "0CC175B9C0F1B6A831C399E269772661"),
        Function("sha1(bytes)", "SHA-1", Type.UNKNOWN, "to_hex(sha1(to_utf8('a')))", "86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8"),
        Function(
            "sha256(bytes)",
            "SHA-256",
            Type.UNKNOWN,
            "to_hex(sha256(to_utf8('a')))",
            "CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB",
        ),
        Function("sha512(bytes)", "SHA-512", Type.UNKNOWN, "length(to_hex(sha512(to_utf8('a'))))", "128"),
        Function("xxhash64(bytes)", "xxHash", Type.UNKNOWN, "to_hex(xxhash64(to_utf8('a')))", "D24EC4F1A98C6E5B"),
        Function("crc32(bytes)", "CRC-32 as a number", Type.BIGINT, "crc32(to_utf8('a'))", "3904355907"),
        Function(
            "hmac_md5(bytes, key)",
            "HMAC with MD5",
            Type.UNKNOWN,
            "to_hex(hmac_md5(to_utf8('a'), to_utf8('k')))",
            "DDCF3D210049E7135F61AFFAE73731CD",
        ),
        Function(
            "hmac_sha1(bytes, key)",
            "HMAC with SHA-1",
            Type.UNKNOWN,
            "to_hex(hmac_sha1(to_utf8('a'), to_utf8('k')))",
            "40E7D441CADB17B07F050341AA23A6820ED81C8B",
        ),
        Function(
            "hmac_sha256(bytes, key)",
            "HMAC with SHA-256",
            Type.UNKNOWN,
            "to_hex(hmac_sha256(to_utf8('a'), to_utf8('k')))",
            "78DA91511E675587F5B9DF78BEDEBAF5560DA2ABB88162EE875DCDF744951D9E",
        ),
        Function(
            "hmac_sha512(bytes, key)", "HMAC with SHA-512", Type.UNKNOWN, "length(to_hex(hmac_sha512(to_utf8('a'), to_utf8('k'))))", "128"
        ),
    ),
)

"""processor_md5, processor_base64_encoding, processor_base64_decoding and processor_encrypt."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline import registry

KEY_128, IV = "000102030405060708090a0b0c0d0e0f", "101112131415161718191a1b1c1d1e1f"


@pytest.mark.parametrize(
    ("type_name", "options", "value", "after"),
    [
        ("processor_md5", {"MD5Key": "m"}, "abc", [("s", "abc"), ("m", "900150983cd24fb0d6963f7d28e17f72")]),
        ("processor_md5", {"MD5Key": "s"}, "", [("s", "d41d8cd98f00b204e9800998ecf8427e")]),
        ("processor_base64_encoding", {"NewKey": "e"}, "hello", [("s", "hello"), ("e", "aGVsbG8=")]),
        ("processor_base64_encoding", {}, "hello", [("s", "aGVsbG8=")]),
        ("processor_base64_decoding", {"NewKey": "d"}, "aGVsbG8=", [("s", "aGVsbG8="), ("d", "hello")]),
        ("processor_base64_decoding", {}, "aGVsbG8=", [("s", "hello")]),
        ("processor_base64_decoding", {}, "", [("s", "")]),
    ],
)
def test_one_field_becomes_another(run, type_name, options, value, after):
    out = run(type_name, {"SourceKey": "s", **options}, {"s": value}, {"other": "x"})
    assert (out.events, out.failures) == ([after, [("other", "x")]], [])


@pytest.mark.parametrize(
    ("type_name", "options"),
    [("processor_md5", {"MD5Key": "m"}), ("processor_base64_encoding", {}), ("processor_base64_decoding", {})],
)
def test_events_without_the_field_count_as_failed_if_that_is_asked_for(run, type_name, options):
    out = run(type_name, {"SourceKey": "s", "NoKeyError": True, **options}, {"a": "1"}, {"a": "2"})
    assert out.failures == [(2, "has no field `s`", "")]
    assert len(out.events) == 2


@pytest.mark.parametrize("wrong", ["aGVsbG8", "a b=", "????", "aGVs=bG8="])
@pytest.mark.parametrize(("told", "failures"), [(False, 0), (True, 1)])
def test_what_is_no_base64_stays(run, wrong, told, failures):
    out = run("processor_base64_decoding", {"SourceKey": "s", "DecodeError": told}, {"s": wrong}, {"s": "QQ=="})
    assert out.events == [[("s", wrong)], [("s", "A")]]
    assert out.failures == [(1, "`s` is no Base64", wrong)] * failures


def decrypted(text: str, key: str, iv: str) -> bytes:
    """Written from the standard, not from the processor."""
    decryptor = Cipher(AES(bytes.fromhex(key)), CBC(bytes.fromhex(iv))).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(bytes.fromhex(text)) + decryptor.finalize()) + unpadder.finalize()


@pytest.mark.parametrize("key", [KEY_128, KEY_128 + IV[:16], KEY_128 + IV], ids=["AES-128", "AES-192", "AES-256"])
@pytest.mark.parametrize("value", ["", "short", "exactly 16 bytes", "longer than one block: é"])
@pytest.mark.parametrize("given", [{"IV": IV}, {}], ids=["an IV", "the default IV"])
def test_encrypting(run, key, value, given):
    options = {"SourceKeys": ["a", "b"], "EncryptionParameters": {"Key": key, **given}}
    ((_, first), (_, second), other) = run("processor_encrypt", options, {"a": value, "b": "x", "c": "y"}).events[0]
    assert decrypted(first, key, given.get("IV", "0" * 32)) == value.encode()
    assert decrypted(second, key, given.get("IV", "0" * 32)) == b"x"
    assert other == ("c", "y")
    assert first == first.lower()


def test_a_known_vector(run):
    """SP 800-38A, F.2.1: the first block of CBC-AES128."""
    options = {"Key": "2b7e151628aed2a6abf7158809cf4f3c", "IV": KEY_128}
    entry = registry.get("processor", "processor_encrypt")
    plugin = entry.cls(entry.config_model.model_validate({"SourceKeys": ["a"], "EncryptionParameters": options}))
    plugin.start(None)
    batch = EventBatch.from_events([(1, [(b"a", bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"))])])
    plugin.process(batch)
    assert batch.column(b"a")[0][:32] == b"7649abac8119b246cee98e9b12e9197d"


def test_a_key_file_goes_before_the_config(run, tmp_path: Path):
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"Key": KEY_128}))
    parameters = {"Key": "ff" * 16, "IV": IV, "KeyFilePath": str(file)}
    ((_, value),) = run("processor_encrypt", {"SourceKeys": ["a"], "EncryptionParameters": parameters}, {"a": "x"}).events[0]
    assert decrypted(value, KEY_128, IV) == b"x", "what the file lacks comes from the config"
    file.write_text(json.dumps({"Key": KEY_128, "IV": "00" * 16}))
    ((_, value),) = run("processor_encrypt", {"SourceKeys": ["a"], "EncryptionParameters": parameters}, {"a": "x"}).events[0]
    assert decrypted(value, KEY_128, "00" * 16) == b"x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the key file `{file}`: no such file or directory"),
        ("Key", "the key file `{file}` is not JSON"),
        ("[]", "the key file `{file}` holds no key"),
        ('{"Key": "00ff"}', "the key file `{file}` holds no key"),
    ],
)
def test_a_key_file_that_cannot_be_used_stops_the_start(run, tmp_path: Path, content, message):
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        run("processor_encrypt", {"SourceKeys": ["a"], "EncryptionParameters": {"KeyFilePath": str(file)}}, {"a": "x"})
    assert caught.value.message == message.format(file=file)
    assert "00ff" not in str(caught.value)


@pytest.mark.parametrize(("keep", "value"), [(False, b"ENCRYPT_ERROR"), (True, b"x")])
def test_a_value_that_cannot_be_encrypted(keep, value):
    entry = registry.get("processor", "processor_encrypt")
    parameters = {"SourceKeys": ["a"], "EncryptionParameters": {"Key": KEY_128}, "KeepSourceValueIfError": keep}
    plugin = entry.cls(entry.config_model.model_validate(parameters))
    told: list[Any] = []

    class Context:
        def failed(self, *counted: Any, alarm: str = "") -> None:
            told.append(counted)

    plugin.start(Context())
    plugin.encrypted = lambda _value: None  # the library fails for want of memory only, and that cannot be staged
    batch = EventBatch.from_events([(1, [(b"a", b"x")]), (2, [])])
    plugin.process(batch)
    assert batch.column(b"a") == [value, None]
    assert told == [("processor_encrypt", 1, "`a` cannot be encrypted", b"")], "and no sample: it would be the secret"


@pytest.mark.parametrize(
    ("parameters", "mistake"),
    [
        ({}, "Key: is missing (give `Key` or `KeyFilePath`)"),
        ({"Key": "00"}, "Key: is no key (a key is 32, 48 or 64 hex digits)"),
        ({"Key": "zz" * 16}, "Key: is no key (a key is 32, 48 or 64 hex digits)"),
        ({"Key": KEY_128, "IV": ""}, "IV: is no initialisation vector (it is 32 hex digits)"),
        ({"Key": KEY_128, "IV": " 0" * 16}, "IV: is no initialisation vector (it is 32 hex digits)"),
    ],
)
def test_refusals(refusals, parameters, mistake):
    found = refusals("processor_encrypt", {"SourceKeys": ["a"], "EncryptionParameters": parameters})
    assert found == [f"EncryptionParameters.{mistake}"]

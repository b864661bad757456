"""Every key of `flusher_sls` does what its sentence says: what is seen of a flusher by default, and with another value."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from tailrace.batch import EventBatch
from tailrace.flushers.sls import FlusherSls
from tailrace.flushers.sls.request import one_group, signed
from tests.unit.flushers.test_sls_flusher import IDENTITY, OWN_KEY, flusher

See = Callable[[FlusherSls], Any]


def headers(made: FlusherSls) -> dict[str, str]:
    """Of a request, as it would be signed."""
    batch = EventBatch.split_lines(b"x\n")
    content = one_group(made.encode(batch, IDENTITY)[0])
    key = made._key()
    assert key is not None
    return signed(made._address, content, key=key, now=datetime(2026, 1, 2, tzinfo=UTC))


def authorization(made: FlusherSls) -> str:
    return headers(made)["authorization"]


def shard_key(made: FlusherSls) -> str:
    batch = EventBatch.split_lines(b"x\n")
    batch.topic = b"t"
    return made.encode(batch, IDENTITY)[0].hash_key


# key → (value, what to look at, what is there by default, what then); a callable is asked whether it fits.
TABLE: dict[str, tuple[Any, See, Any, Any]] = {
    "Endpoint": ("https://logs.example:8443/", lambda one: one.target, "sls:http://127.0.0.1:1/demo/app", "sls:https://logs.example:8443/demo/app"),
    "Project": ("shop", lambda one: one._address.host, "demo.127.0.0.1", "shop.127.0.0.1"),
    "Logstore": ("web", lambda one: one._address.to_shard("").target, "/logstores/app/shards/lb", "/logstores/web/shards/lb"),
    "Region": ("cn-a", lambda one: authorization(one).partition("/20260102/")[2].split("/")[0], "local", "cn-a"),
    "CompressType": ("zstd", lambda one: headers(one)["x-log-compresstype"], "lz4", "zstd"),
    "AccessKeyId": ("other", lambda one: "other" in authorization(one), False, True),
    "AccessKeySecret": ("other", lambda one: one._key().key_secret, "secret", "other"),
    "SignVersion": ("v1", lambda one: authorization(one).split(" ")[0], "SLS4-HMAC-SHA256", "LOG"),
    "MaxSendRate": (1000, lambda one: one.limits.max_bytes_per_sec, 0, 1000),
    "Batch.MinSizeBytes": (10, lambda one: one.limits.max_bytes, 1_048_576, 10),
    "Batch.MinCnt": (10, lambda one: one.limits.max_events, 4096, 10),
    "Batch.TimeoutSecs": (3, lambda one: one.limits.linger, 0.2, 3),
    "Batch.MergeType": ("logstore", lambda one: one.limits.one_topic, True, False),
    "Proxy": ("http://p:1", lambda one: str(one._link._way()), "None", "p:1"),
    "ShardHashKeys": (["__topic__"], shard_key, "", "e358efa489f58062f10dd7316b65649e"),
}  # fmt: skip


@pytest.mark.parametrize("key", TABLE)
def test_a_key_does_what_it_says(key):
    value, see, default, then = TABLE[key]
    group, _, inner = key.rpartition(".")
    changed = {group: {inner: value}} if group else {key: value}
    endpoint = changed.pop("Endpoint", "http://127.0.0.1:1")
    assert see(flusher(**OWN_KEY)) == default
    assert see(flusher(endpoint, **{**OWN_KEY, **changed})) == then


def test_only_logs_are_sent():
    assert flusher(TelemetryType="logs", **OWN_KEY).config == flusher(**OWN_KEY).config
    with pytest.raises(ValidationError, match="TelemetryType"):
        flusher(TelemetryType="metrics", **OWN_KEY)

"""Sends log groups to a logstore, of Tailrace or of any other endpoint of the SLS API.

A Tailrace server that enrolled this agent gets many log groups per request, each with its identity, and stores each event exactly once. Any
other endpoint gets one log group per request, at least once.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.flushers.sls.answer import clock_offset, judge, server_ahead
from tailrace.flushers.sls.groups import bounded, halves, hash_key, whole
from tailrace.flushers.sls.link import CertificateError, Link
from tailrace.flushers.sls.request import Address, many_groups, one_group, signed
from tailrace.pipeline.config import OptionGroup, PluginConfig, Problem, Secret, has_reference, option
from tailrace.pipeline.contract import BatchLimits, Credentials, Delivery, FlusherContext, Group, Identity, Outcome, Payload
from tailrace.pipeline.registry import flusher
from tailrace.wire.batch_form import MODE
from tailrace.wire.endpoints import wrong_endpoint
from tailrace.wire.outward import outward
from tailrace.wire.proxy import wrong_proxy

PACK_ID = b"__pack_id__"
MOST_GROUPS = 1024
"""Log groups of one request in the batch form: thousands of files that grow by a line each make one group each. The server takes 4096."""
TAG = "__tag__:"
SECOND_NS = 1_000_000_000
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
HEADER_BREAK = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
RESERVED = frozenset(
    {"host", "content-length", "content-type", "content-md5", "authorization", "date", "connection", "transfer-encoding", "expect"}
)
"""Headers that are the request's own, in lower case."""


class Batch(OptionGroup):
    """When a request is sent."""

    min_size_bytes: int = option(
        1_048_576, doc="Size of a request before encoding that sends it at once.", unit="bytes", ge=1, le=10_485_760
    )
    min_cnt: int = option(4096, doc="Number of events that sends a request at once.", unit="events", ge=1, le=512_000)
    timeout_secs: float = option(
        0.2, doc="How long the first event waits for company while no request is under way; 1 s otherwise.", unit="seconds", ge=0, le=60
    )
    merge_type: Literal["topic", "logstore"] = option(
        "topic",
        doc="What goes into one request to a server that takes several log groups at once: `topic`, those of one topic, or `logstore`, all "
        "that wait. Events and their order are the same; where there are many topics, `logstore` makes fewer requests.",
    )


class SlsConfig(PluginConfig):
    """Where the logs go and how."""

    endpoint: str = option(doc="Address of the service; `https` when no scheme is given.", min_length=1, examples=["http://127.0.0.1:9480"])
    project: str = option(doc="Project of the logstore.", min_length=3, max_length=63)
    logstore: str = option(doc="Logstore that gets the events.", min_length=1, max_length=63)
    region: str = option("local", doc="Region that signature version 4 names; any text for a Tailrace server.", min_length=1)
    compress_type: Literal["lz4", "zstd", "none"] = option("lz4", doc="Compression of each log group.")
    access_key_id: str = option("", doc="Access key; without it the key that enrolment gave is used.")
    access_key_secret: Secret = option(Secret(), doc="Secret of the access key.", examples=["${env:SLS_KEY_SECRET}"])
    sign_version: Literal["v4", "v1"] = option("v4", doc="Version of the request signature.")
    max_send_rate: int = option(
        0, doc="Most bytes of events that are sent per second, before encoding; -1 or 0 is no limit.", unit="bytes per second", ge=-1
    )
    batch: Batch = option(factory=Batch, doc="When a request is sent.")
    telemetry_type: Literal["logs"] = option("logs", doc="What is sent.")
    shard_hash_keys: list[str] = option(
        factory=list,
        doc="Tags (`__hostname__`, `__path__` …), `__topic__` or `__source__` whose values choose the shard: log groups in which they are "
        "equal go to the same one. Empty leaves the choice to the service.",
        examples=[["__source__", "__topic__"]],
    )
    extra_headers: dict[str, str] = option(
        factory=dict,
        doc="Further headers of each request. They are not signed, and cannot replace one of its own.",
        examples=[{"x-team": "shop"}],
    )

    proxy: Secret = option(
        Secret(),
        doc="HTTP proxy that leads to the endpoint, `http://USER:PASSWORD@HOST:PORT`, or `none`; without it the agent's settings "
        "`http_proxy`, `https_proxy` and `no_proxy` hold, which are also environment variables.",
        examples=["http://proxy.example.org:3128", "none"],
    )

    def problems(self) -> Iterator[Problem]:
        if self.proxy and not has_reference(self.proxy.reveal()) and (wrong := wrong_proxy(self.proxy.reveal())):
            yield Problem("Proxy", wrong, "write it like `http://proxy.example.org:3128`")
        if bool(self.access_key_id) != bool(self.access_key_secret):
            missing = "AccessKeySecret" if self.access_key_id else "AccessKeyId"
            yield Problem(missing, "is missing: `AccessKeyId` and `AccessKeySecret` go together", "give both or neither")
        if not has_reference(self.endpoint) and (wrong := wrong_endpoint(self.url, "https", "http")):
            yield Problem("Endpoint", f"is no address: {wrong}", "write it like `http://127.0.0.1:9480`")
        for name, value in self.extra_headers.items():
            if not HEADER_NAME.fullmatch(name) or HEADER_BREAK.search(value):
                yield Problem(f"ExtraHeaders.{name}", "is no header of HTTP", "a name is letters, digits and dashes; a value is one line")
            elif name.lower() in RESERVED or name.lower().startswith(("x-log-", "x-acs-")):
                yield Problem(f"ExtraHeaders.{name}", "is a header that the request has itself", "remove it")

    @property
    def url(self) -> str:
        return (self.endpoint if "://" in self.endpoint else f"https://{self.endpoint}").rstrip("/")


@flusher("flusher_sls", stability="beta")
class FlusherSls:
    """Implements `Flusher`."""

    Config = SlsConfig

    def __init__(self, config: SlsConfig) -> None:
        self.config = config
        self.target = self.destination = self._at(config.url)
        self.formerly: Sequence[str] = ()
        self.limits = self._limits(many=False)
        self.recognises_repeats = False
        self._clock_offset = self._ahead = timedelta()
        self._opened = False
        self._context: FlusherContext | None = None
        self._link = self._link_to(config.url)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Endpoint": "http://127.0.0.1:9480", "Project": "demo", "Logstore": "app"}

    def start(self, context: FlusherContext) -> None:
        config = self.config
        self._context = context
        if self._key() is None and not context.why_no_key(config.url, config.project):
            raise ConfigError(
                f"there is no access key for project `{config.project}` at `{config.endpoint}`",
                hint="give the flusher `AccessKeyId` and `AccessKeySecret`, or enrol the agent there",
            )
        enrolled = context.credentials(config.url, config.project)
        # Under any other key the server would ignore the identities.
        self.recognises_repeats = enrolled == self._key() and context.offers(config.url, config.project, MODE)
        self.limits = self._limits(many=self.recognises_repeats)
        server = context.server(config.url, config.project) if self.recognises_repeats else None
        if server is not None:
            self.target = self._at(server.endpoints[0])
            self.destination = self._at(server.id)
            self.formerly = [self._at(endpoint) for endpoint in server.endpoints]
        moved = server is not None and not server.addresses  # one that has told its addresses is found by these
        self._link = self._link_to(server.endpoints[0] if server and moved else config.url)

    def encode(self, batch: EventBatch, identity: Identity, groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> list[Payload]:
        alone = not self.recognises_repeats and self.config.sign_version == "v4"
        digest = "sha256" if alone else "none"  # in company it would not be the digest of the whole body
        pack = (PACK_ID, identity.pack_id.encode())
        pieces = [piece for group in groups or whole(batch, farewell=identity.ended) for piece in bounded(group)]
        payloads: list[Payload] = []
        own_topic = batch.topic
        if self._ahead:
            ahead = round(self._ahead.total_seconds()) * SECOND_NS
            batch.set_times([time + ahead for time in batch.times])
        for part, group in enumerate(pieces):
            batch.topic = own_topic if group.topic is None else group.topic
            encoded = batch.encode(
                compression=self.config.compress_type,
                digest=digest,
                first=group.first,
                count=group.count,
                tags=[*group.tags, pack] if group.packed else group.tags,
                time_ns_part=nanoseconds,
            )
            named = replace(identity, part=part, parts=len(pieces)) if len(pieces) > 1 else identity
            key = group.hash_key or self._hash_key(batch, group)
            payloads.append(
                Payload(named, encoded.body, encoded.raw_size, self.config.compress_type, encoded.events, batch.topic, encoded.digest, key)
            )
        batch.topic = own_topic
        return payloads

    def divide(self, payload: Payload) -> list[Payload]:
        return halves(payload)

    def _hash_key(self, batch: EventBatch, group: Group) -> str:
        """Of a log group that no aggregator has given one, by `ShardHashKeys`."""
        if not self.config.shard_hash_keys:
            return ""
        known = {**dict([*batch.tags, *group.tags]), b"__topic__": batch.topic, b"__source__": batch.source}
        return hash_key([known.get(key.removeprefix(TAG).encode(), b"") for key in self.config.shard_hash_keys])

    async def open(self) -> None:
        self._link.open()
        self._opened = True

    async def send(self, payloads: Sequence[Payload]) -> Delivery:
        key = self._key()
        if not self._opened or key is None:
            return Delivery(Outcome.RETRY, "NoKey", self._why_no_key())
        content = many_groups(payloads) if self.recognises_repeats else one_group(payloads[0])
        config = self.config
        now = datetime.now(UTC) + self._clock_offset
        try:
            address = self._address.to_shard(payloads[0].hash_key)
            headers = signed(address, content, key=key, now=now)
            answer = await self._link.post(address.target, {**config.extra_headers, **headers}, content.pieces)
        except TimeoutError:
            return Delivery(Outcome.RETRY, "Timeout", "no answer in time")
        except CertificateError as error:
            return Delivery(Outcome.RETRY, "Certificate", f"{error}; {error.hint}")
        except OSError as error:
            return Delivery(Outcome.RETRY, "Network", str(error))
        self._clock_offset = clock_offset(answer) or self._clock_offset
        self._ahead = server_ahead(answer) if outward().adjusts_times else timedelta()
        delivery = judge(answer)
        if delivery.outcome is Outcome.UNAUTHORIZED and self._context is not None and not config.access_key_id:
            self._context.refused(config.url, config.project)
        return delivery

    async def close(self) -> None:
        await self._link.close()

    @property
    def _address(self) -> Address:
        config = self.config
        return Address(self._link.host, config.logstore, config.region, config.sign_version)

    def _link_to(self, url: str) -> Link:
        return Link(url, self.config.project, self._context, self.config.proxy.reveal())

    def _why_no_key(self) -> str:
        why = self._context.why_no_key(self.config.url, self.config.project) if self._context else ""
        return f"there is no access key: {why}" if why else "there is no access key any more"

    def _at(self, server: str) -> str:
        return f"sls:{server}/{self.config.project}/{self.config.logstore}"

    def _key(self) -> Credentials | None:
        config = self.config
        if config.access_key_id:
            return Credentials(config.access_key_id, config.access_key_secret.reveal())
        return self._context.credentials(config.url, config.project) if self._context else None

    def _limits(self, *, many: bool) -> BatchLimits:
        batch = self.config.batch
        return BatchLimits(
            batch.min_size_bytes,
            batch.min_cnt,
            MOST_GROUPS if many else 1,
            batch.timeout_secs,
            max_bytes_per_sec=max(0, self.config.max_send_rate),
            one_topic=batch.merge_type == "topic",
        )

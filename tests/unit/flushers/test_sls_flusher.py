"""flusher_sls: what goes over the wire, and what each answer means."""

import asyncio
import hashlib
import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.flushers import connection, names
from tailrace.flushers.connection import MAX_ANSWER_BYTES, Answer, HttpConnections
from tailrace.flushers.sls import FlusherSls, SlsConfig
from tailrace.flushers.sls.answer import clock_offset, judge
from tailrace.pipeline.contract import Credentials, Group, Identity, Outcome, ServerName
from tailrace.wire import batch_form
from tailrace.wire.signature import SignedRequest, parse_authorization, split_target, verify

IDENTITY = Identity(b"e" * 16, "00000000000000AA", 26, 0, 10, b"f" * 16)


class Enrolled:
    agent_id = "agent"
    known: ServerName | None = None
    why = ""
    refusals = 0
    context = None

    def __init__(self, key=None, features=()):
        self.key, self.features = key, features

    def credentials(self, endpoint, project):
        return self.key

    def offers(self, endpoint, project, feature):
        return feature in self.features

    def server(self, endpoint, project):
        return self.known

    def why_no_key(self, endpoint, project):
        return self.why

    def refused(self, endpoint, project):
        self.refusals += 1

    def tls(self, endpoint, project):
        return self.context


def flusher(endpoint="http://127.0.0.1:1", key=None, features=(), **options):
    made = FlusherSls(SlsConfig.model_validate({"Endpoint": endpoint, "Project": "demo", "Logstore": "app", **options}))
    made.start(Enrolled(key, features))
    return made


OWN_KEY = {"AccessKeyId": "id", "AccessKeySecret": "secret"}


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, "", Outcome.ACKNOWLEDGED),
        (401, "Unauthorized", Outcome.UNAUTHORIZED),
        (403, "Forbidden", Outcome.UNAUTHORIZED),
        (403, "WriteQuotaExceed", Outcome.THROTTLED),
        (429, "", Outcome.THROTTLED),
        (404, "LogStoreNotExist", Outcome.MISSING),
        (400, "PostBodyInvalid", Outcome.DATA),
        (400, "PostBodyTooLarge", Outcome.DATA),
        (400, "InvalidKey", Outcome.DATA),
        (400, "InvalidEncoding", Outcome.DATA),
        (413, "", Outcome.DATA),
        (400, "SomethingElse", Outcome.RETRY),
        (409, "IdentityForked", Outcome.FORK),
        (409, "Conflict", Outcome.RETRY),
        (500, "InternalServerError", Outcome.RETRY),
        (502, "", Outcome.RETRY),
        (503, "ServerBusy", Outcome.RETRY),
    ],
)
def test_answers(status, code, outcome):
    body = json.dumps({"errorCode": code, "errorMessage": "why"}).encode() if code else b"<html>"
    delivery = judge(Answer(status, {"retry-after": "7"}, body))
    assert delivery.outcome is outcome
    assert outcome is Outcome.ACKNOWLEDGED or delivery.retry_after == 7.0


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "86400"}, 3600.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:59:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "today"}, None),
        ({"retry-after": "Mon, 23 Nov 99999999999999999999 10:00:30 GMT"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
    ],
)
def test_how_long_a_target_wants_to_be_left_alone(told, seconds):
    assert judge(Answer(503, told, b"")).retry_after == seconds


def test_a_wrong_clock_is_corrected_by_the_servers():
    body = json.dumps({"errorCode": "RequestTimeExpired", "errorMessage": ""}).encode()
    ahead = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    assert clock_offset(Answer(400, {"date": ahead}, body)) == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=2))
    assert clock_offset(Answer(400, {"date": "soon"}, body)) is None
    assert clock_offset(Answer(200, {"date": ahead}, b"")) is None


@pytest.mark.parametrize(("events", "sizes"), [(1, [1]), (4096, [4096]), (4097, [2048, 2049]), (10_000, [3333, 3333, 3334])])
def test_a_range_is_cut_into_parts_of_at_most_4096_events(events, sizes):
    made = flusher(**OWN_KEY)
    batch = EventBatch.split_lines(b"".join(b"%d\n" % number for number in range(events)))
    payloads = made.encode(batch, IDENTITY)
    assert [one.events for one in payloads] == sizes
    assert [(one.identity.part, one.identity.parts) for one in payloads] == [(part, len(sizes)) for part in range(len(sizes))]
    decoded = [EventBatch.decode(one.body, compression="lz4", raw_size=one.raw_size) for one in payloads]
    assert [value for one in decoded for value in one.column(b"content")] == [b"%d" % number for number in range(events)]
    assert all((b"__pack_id__", b"00000000000000AA-1A") in one.tags for one in decoded)


def test_groups_become_log_groups_with_their_own_topic_tags_and_shard():
    made = flusher(**OWN_KEY)
    batch = EventBatch.split_lines(b"".join(b"%d\n" % number for number in range(5000)))
    batch.topic, batch.tags = b"own", [(b"t", b"1")]
    groups = [
        Group(0, 2, tags=((b"service", b"cart"),)),
        Group(2, 4997, topic=b"shop", hash_key="80" + "0" * 30),
        Group(4999, 1, packed=False),
    ]
    payloads = made.encode(batch, IDENTITY, groups)
    decoded = [EventBatch.decode(one.body, compression="lz4", raw_size=one.raw_size) for one in payloads]
    pack = (b"__pack_id__", b"00000000000000AA-1A")
    assert [(one.topic, one.tags) for one in decoded] == [
        (b"own", [(b"t", b"1"), (b"service", b"cart"), pack]),
        (b"shop", [(b"t", b"1"), pack]),
        (b"shop", [(b"t", b"1"), pack]),
        (b"own", [(b"t", b"1")]),
    ]
    assert [one.events for one in payloads] == [2, 2498, 2499, 1]
    assert [(one.identity.part, one.identity.parts) for one in payloads] == [(part, 4) for part in range(4)]
    assert [one.hash_key for one in payloads] == ["", *["80" + "0" * 30] * 2, ""]
    assert [one.topic for one in payloads] == [one.topic for one in decoded]
    assert batch.topic == b"own"
    assert made.encode(EventBatch.from_events([]), IDENTITY) == []


def test_tags_topic_and_source_may_choose_the_shard():
    made = flusher(ShardHashKeys=["__source__", "__tag__:__path__", "__topic__", "missing"], **OWN_KEY)
    batch = EventBatch.split_lines(b"x\ny\n")
    batch.topic, batch.source, batch.tags = b"t", b"10.0.0.1", [(b"__path__", b"/a")]
    groups = [Group(0, 1), Group(1, 1, hash_key="0" * 32)]
    key = hashlib.md5(b"10.0.0.1_/a_t_").hexdigest()
    assert [one.hash_key for one in made.encode(batch, IDENTITY, groups)] == [key, "0" * 32], "an aggregator's key goes before"
    assert flusher(**OWN_KEY).encode(batch, IDENTITY)[0].hash_key == ""


@pytest.mark.parametrize("version", ["v4", "v1"])
async def test_a_hash_key_goes_into_the_signed_target_and_extra_headers_beside(version):
    async with Scripted(OK, OK) as server:
        endpoint = f"http://127.0.0.1:{server.port}"
        made = flusher(endpoint, SignVersion=version, ExtraHeaders={"x-team": "shop"}, **OWN_KEY)
        await made.open()
        batch = EventBatch.split_lines(b"x\n")
        for groups in ([Group(0, 1, hash_key="8" * 32)], []):
            assert (await made.send(made.encode(batch, IDENTITY, groups))).outcome is Outcome.ACKNOWLEDGED
        await made.close()
    first, second = (request.partition(b"\r\n\r\n") for request in server.requests)
    line, *lines = first[0].decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    method, target, _ = line.split(" ")
    assert (method, target) == ("POST", f"/logstores/app/shards/route?key={'8' * 32}")
    assert headers["x-team"] == "shop"
    signed = SignedRequest("POST", *split_target(target), headers, first[2])
    assert verify(signed, parse_authorization(headers["authorization"]), "secret")
    assert second[0].startswith(b"POST /logstores/app/shards/lb HTTP/1.1\r\n")


def test_repeats_are_known_only_under_the_enrolled_key():
    enrolled = {"key": Credentials("agent", "s"), "features": ("batch_group",)}
    assert flusher(**enrolled).recognises_repeats
    assert flusher(**enrolled).limits.max_payloads == 1024
    assert not flusher(**enrolled, **OWN_KEY).recognises_repeats
    assert not flusher(key=Credentials("agent", "s")).recognises_repeats
    assert flusher(**OWN_KEY).limits.max_payloads == 1


def test_without_any_key_it_says_what_to_do():
    with pytest.raises(ConfigError, match="there is no access key for project `demo`"):
        flusher()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"AccessKeyId": "x"}, "AccessKeySecret: is missing"),
        ({"Endpoint": "http://"}, "is no address: it names no host"),
        ({"Endpoint": "ftp://h"}, "is no address: it does not begin with `https://` or `http://`"),
        ({"Endpoint": "http://h:70000"}, "is no address: its host or its port is none"),
        ({"Endpoint": "http://h:api"}, "is no address: its host or its port is none"),
        ({"Endpoint": "http://[::1"}, "is no address: its host or its port is none"),
        ({"Endpoint": "http://a..b"}, "is no address: it names no host"),
        ({"Endpoint": "http://me:word@h"}, "is no address: it holds a user's name"),
        ({"Endpoint": "http://h/logs"}, "is no address: there is something behind"),
        ({"CompressType": "snappy"}, "CompressType"),
        ({"TelemetryType": "metrics"}, "TelemetryType"),
        ({"ExtraHeaders": {"Host": "x"}}, r"ExtraHeaders\.Host: is a header that the request has itself"),
        ({"ExtraHeaders": {"x-log-mode": "x"}}, r"ExtraHeaders\.x-log-mode: is a header that the request has itself"),
        ({"ExtraHeaders": {"x-a": "b\r\nc: d"}}, r"ExtraHeaders\.x-a: is no header of HTTP"),
        ({"ExtraHeaders": {"x a": "b"}}, r"ExtraHeaders\.x a: is no header of HTTP"),
    ],
)
def test_configs_that_cannot_work(options, problem):
    with pytest.raises(ValueError, match=problem):
        SlsConfig.model_validate({"Endpoint": "http://h", "Project": "demo", "Logstore": "app", **options})


async def test_no_server_is_a_reason_to_try_again():
    made = flusher(**OWN_KEY)
    await made.open()
    delivery = await made.send(made.encode(EventBatch.split_lines(b"x\n"), IDENTITY))
    assert (delivery.outcome, delivery.code) == (Outcome.RETRY, "Network")


def test_the_pieces_of_the_batch_form_are_the_form():
    packages = [batch_form.Package(b"x" * size, size, IDENTITY) for size in (0, 1, 127, 128, 70_000)]
    assert batch_form.decode(b"".join(batch_form.pieces(packages))) == packages


class Scripted:
    """A server that answers each request on a connection with the next bytes, then closes it."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.connections = 0
        self.requests = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.connection = HttpConnections("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *error):
        await self.connection.close()
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                writer.write(self.answers.pop(0))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def post(self, *body):
        return await self.connection.post("/p", {"host": "h"}, body)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_connections_are_kept():
    async with Scripted(OK, OK, OK) as server:
        for _ in range(3):
            assert (await server.post(b"a", b"b" * 100_000, b"c")).body == b"ok"
        assert server.connections == 1
        assert server.requests[0].endswith(b"content-length: 100002\r\n\r\na" + b"b" * 100_000 + b"c")


async def test_no_connection_outlives_its_age_so_that_a_name_is_looked_up_again(monkeypatch):
    async with Scripted(OK) as first, Scripted(OK) as second:
        found = [first, second]

        def look_up(host, port, **options):
            assert (host, port) == ("logs.example.org", 9480)
            return [(2, 1, 6, "", ("127.0.0.1", found.pop(0).port))]

        monkeypatch.setattr(names.socket, "getaddrinfo", look_up)
        monkeypatch.setattr(connection, "MAX_AGE_SECS", 0.0)
        connections = HttpConnections("logs.example.org", 9480)
        for _ in range(2):
            assert (await connections.post("/p", {"host": "h"}, [b"x"])).status == 200
        await connections.close()
        assert [len(first.requests), len(second.requests)] == [1, 1]


async def test_an_address_that_swallows_all_does_not_hide_the_others_of_the_name(monkeypatch):
    """As one of IPv6 without a route: a listener whose queue is full answers nothing."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        async with Scripted(OK) as server:

            def look_up(host, port, **options):
                return [(2, 1, 6, "", ("127.0.0.1", port)) for port in (full.getsockname()[1], server.port)]

            monkeypatch.setattr(names.socket, "getaddrinfo", look_up)
            monkeypatch.setattr(connection, "CONNECT_SECS", 1.0)
            connections = HttpConnections("logs.example.org", 9480)
            assert (await connections.post("/p", {"host": "h"}, [b"x"])).status == 200
            await connections.close()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n", 200, b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ],
)
async def test_forms_of_answers(answer, status, body):
    async with Scripted(answer, OK) as server:
        first = await server.post(b"x")
        assert (first.status, first.body) == (status, body)
        assert (await server.post(b"y")).body == b"ok"
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"]
)
async def test_a_connection_that_is_to_be_closed_is_not_kept(answer):
    async with Scripted(answer, OK) as server:
        assert (await server.post(b"x")).body == b"ok"
        assert (await server.post(b"y")).body == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_ANSWER_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"90000\r\n" + b" " * 0x90000 + b"\r\n90000\r\n",
        b"",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    ],
)
async def test_what_is_no_answer_is_an_error(answer):
    async with Scripted(answer) as server:
        with pytest.raises(OSError, match=r"connection ended|no HTTP"):
            await server.post(b"x")


async def test_an_answer_without_a_length_ends_with_its_connection():
    async with Scripted(b"HTTP/1.1 200 OK\r\n\r\n" + b"ok" * 200_000) as server:
        assert (await server.post(b"x")).body == b"ok" * 200_000


def test_streams_belong_to_the_server_whatever_its_address():
    made = FlusherSls(SlsConfig.model_validate({"Endpoint": "http://127.0.0.1:1", "Project": "demo", "Logstore": "app"}))
    context = Enrolled(Credentials("id", "secret"), [batch_form.MODE])
    context.known = ServerName("S", ["http://127.0.0.1:2", "http://127.0.0.1:1"])
    made.start(context)
    assert made.destination == "sls:S/demo/app"
    assert made.target == "sls:http://127.0.0.1:2/demo/app"
    assert made.formerly == ["sls:http://127.0.0.1:2/demo/app", "sls:http://127.0.0.1:1/demo/app"]

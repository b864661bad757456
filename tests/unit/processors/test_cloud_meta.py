"""processor_cloud_meta: what the metadata service says, as fields or inside JSON; and the service, asked over HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tailrace import telemetry
from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.processors.cloud_meta import plugin as face
from tailrace.processors.cloud_meta.members import with_members
from tailrace.processors.cloud_meta.service import TOKEN, Service
from tailrace.testing.clock import Clock

ID, ZONE, TAGS = "__cloud_instance_id__", "__cloud_zone__", "__cloud_instance_tags__"
MOCK = {"Platform": "mock", "Metadata": [ID, TAGS]}
TOLD = {"instance-id": "i-1", "zone-id": "z-2", "tags/instance/": "team\na b\n", "tags/instance/team": "shop", "tags/instance/a%20b": "c"}


class Cloud(ThreadingHTTPServer):
    """A metadata service that wants its token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.facts = dict(TOLD)
        self.readings = 0
        self.token = "secret"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Cloud

    def do_PUT(self) -> None:
        self.server.readings += 1
        self.say(self.server.token if self.path == "/latest/api/token" else None)

    def do_GET(self) -> None:
        wanted = self.path.removeprefix("/latest/meta-data/")
        self.say(self.server.facts.get(wanted) if self.headers[TOKEN] == "secret" else None)

    def say(self, text: str | None) -> None:
        self.send_response(404 if text is None else 200)
        body = (text or "").encode()
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Not into the tests' output."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def settled(service: Service) -> Service:
    if (reading := service._reading) is not None:
        reading.join()
    return service


def test_the_service_is_asked_with_its_token_and_what_it_lacks_is_left_out(cloud):
    assert dict(Service(cloud.url).facts()) == {ID: "i-1", ZONE: "z-2", f"{TAGS}_team": "shop", f"{TAGS}_a b": "c"}


def test_it_is_asked_again_when_what_it_said_is_old_and_not_before(cloud):
    service = Service(cloud.url, clock := Clock())
    service.facts()
    cloud.facts["zone-id"] = "z-3"
    clock.now = 29
    assert (settled(service).facts()[ZONE], settled(service).facts()[ZONE], cloud.readings) == ("z-2", "z-2", 1)
    clock.now = 61
    service.facts(fresh=False)
    assert cloud.readings == 1, "who read once asks no more"
    service.facts()
    assert (settled(service).facts()[ZONE], cloud.readings) == ("z-3", 2)


def test_what_was_known_stays_when_the_service_is_away(cloud):
    service = Service(cloud.url, clock := Clock())
    service.facts()
    cloud.shutdown()
    cloud.server_close()
    clock.now = 61
    service.facts()
    assert (settled(service).facts()[ID], bool(service.trouble)) == ("i-1", True)


@pytest.mark.parametrize("token", ["<html>\r\n<body>\r\nLog in", "\u00e9", "x" * 2000])
def test_something_else_that_answers_there_makes_it_no_instance(cloud, token):
    cloud.token = token
    service = Service(cloud.url, clock := Clock())
    assert (dict(service.facts()), service.trouble) == ({}, f"this is no ECS instance: what answers at `{cloud.url}` gives no token")
    cloud.token = "secret"
    clock.now = 301
    service.facts()
    assert settled(service).facts()[ID] == "i-1"


def test_whatever_is_wrong_with_an_answer_it_is_asked_again_later():
    service = Service("http://127.0.0.1:port", clock := Clock())  # a ValueError
    assert (dict(service.facts()), bool(service.trouble)) == ({}, True)
    clock.now = 301
    service.facts()
    assert settled(service)._due_at == 601


@pytest.mark.parametrize("platform", ["auto", "alibaba_cloud_ecs"])
def test_the_machines_facts_become_fields(run, cloud, monkeypatch, platform):
    monkeypatch.setattr(face, "SERVICE", Service(cloud.url))
    options = {"Platform": platform, "Metadata": [ZONE, TAGS, "__cloud_vpc_id__"], "RenameMetadata": {TAGS: "tag"}}
    assert run("processor_cloud_meta", options, {"a": "1"}).events == [[("a", "1"), (ZONE, "z-2"), ("tag_team", "shop"), ("tag_a b", "c")]]


def test_what_is_read_once_stays_as_it_was(run, cloud, monkeypatch):
    monkeypatch.setattr(face, "SERVICE", service := Service(cloud.url, clock := Clock()))
    entry = registry.get("processor", "processor_cloud_meta")
    once, again = (entry.cls(entry.config_model.model_validate({"Metadata": [ZONE], "ReadOnce": read_once})) for read_once in (True, False))
    assert [one.decide(EventBatch.from_events([(1, [])])) for one in (once, again)] == [b'{"__cloud_zone__":"z-2"}'] * 2
    cloud.facts["zone-id"] = "z-3"
    clock.now = 61
    again.process(EventBatch.from_events([(1, [])]))
    settled(service)
    assert [one.decide(EventBatch.from_events([(1, [])])) for one in (once, again)] == [
        b'{"__cloud_zone__":"z-2"}',
        b'{"__cloud_zone__":"z-3"}',
    ]


def test_a_range_that_is_sent_again_gets_what_it_got_before(cloud, monkeypatch):
    monkeypatch.setattr(face, "SERVICE", Service(cloud.url))
    entry = registry.get("processor", "processor_cloud_meta")
    plugin = entry.cls(entry.config_model.model_validate({"Metadata": [ZONE]}))
    batch = EventBatch.from_events([(1, [])])
    plugin.repeat(batch, json.dumps({ZONE: "of that time"}).encode())
    assert (batch.column(ZONE.encode()), cloud.readings) == ([b"of that time"], 0)


def test_a_service_that_does_not_answer_is_told_where_it_must_be_there(run, cloud, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(telemetry, "alarm", lambda kind, *_, **__: told.append(kind))
    cloud.shutdown()
    cloud.server_close()
    for platform in ("auto", "alibaba_cloud_ecs"):
        monkeypatch.setattr(face, "SERVICE", Service(cloud.url))
        assert run("processor_cloud_meta", {"Platform": platform, "Metadata": [ID]}, {"a": "1"}).events == [[("a", "1")]]
    assert told == ["CLOUD_META_ALARM"]


@pytest.mark.parametrize(
    ("path", "event", "after"),
    [
        ("", {"A": "{}"}, {"A": "{}", "zone": "zone_xxx"}),
        ("A", {"B": "{}"}, {"B": "{}", "A": '{"zone":"zone_xxx"}'}),
        ("A", {"A": '{ "n": 1.50, "s": "\\u00e9" }'}, {"A": '{ "n": 1.50, "s": "\\u00e9","zone":"zone_xxx" }'}),
        ("A.a.b", {"A": '{"a":{"b":{}}}'}, {"A": '{"a":{"b":{"zone":"zone_xxx"}}}'}),
        ("A.a.b.c", {"A": '{"a":{"b":{}}}'}, {"A": '{"a":{"b":{"c":{"zone":"zone_xxx"}}}}'}),
        ("A", {"A": '{"zone":"old","b":2}'}, {"A": '{"zone":"zone_xxx","b":2}'}),
    ],
)
def test_inside_json_all_else_stays_as_it_is(run, path, event, after):
    options = {"Platform": "mock", "Metadata": [ZONE], "RenameMetadata": {ZONE: "zone"}, "JSONPath": path}
    out = run("processor_cloud_meta", options, event)
    assert (dict(out.events[0]), out.failures) == (after, [])


@pytest.mark.parametrize("value", ["", "x", "[1]", "{", '{"a":1,}', '{"a" 1}', '{"A":[]} x', '{"a":{"zone":1}}}', "{,}"])
def test_what_is_no_object_stays_and_is_counted(run, value):
    out = run("processor_cloud_meta", {**MOCK, "JSONPath": "A"}, {"A": value or "null"})
    assert (out.events, out.failures[0][:2]) == ([[("A", value or "null")]], (1, "at `A` there is no JSON object"))


def test_an_object_on_the_way_that_is_none_is_left():
    assert with_members('{"a":7}', ["a"], {"b": "c"}) is None
    assert json.loads(with_members('{"a":{"x":1}}', ["a"], {"b": '\u00e9"'}) or "") == {"a": {"x": 1, "b": '\u00e9"'}}


def test_refusals(refusals):
    assert refusals("processor_cloud_meta", {"Metadata": ["__cloud_instance__"], "JSONPath": "a..b"}) == [
        "Metadata: `__cloud_instance__` is not known (did you mean `__cloud_instance_id__`?)",
        "JSONPath: `a..b` has an empty name (write it as `field` or `field.name.name`)",
    ]

"""What `query` of PullLogs leaves of a shard's events."""

import json

import pytest
from aliyun.log.proto import LogGroup

from tailrace.errors import ApiError
from tailrace.server.query.pulling import Pulled, Read, ShardReader, decode, encode
from tailrace.server.query.spl.program import Program
from tailrace.server.store.port import FieldIndex, Frontier, LineIndex
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

DOCUMENT = {"level": "warn", "n": 7, "deep": {"a": [1]}, "none": None, "a b": True}
LOGS = [
    Log({"status": "200", "uri": "/A", "j": json.dumps(DOCUMENT)}, source="10.0.0.1", topic="web", tags={"host": "a"}, group=0),
    Log({"status": "404", "uri": "/b"}, source="10.0.0.1", topic="web", tags={"host": "a"}, group=0),
    Log({"status": "x", "uri": "", "j": "{no"}, group=1),
    Log([("status", "500"), ("status", "501"), ("größe", "zwölf"), ("level", "plain")], group=2),
    Log({"bytes": b"\xff\x00", "status": "503"}, group=3),
]
ALL = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module", params=["indexed", "bare"])
def logs(engine: EngineThread, request: pytest.FixtureRequest) -> FilledLogstore:
    indexed = {"line": LineIndex(TOKENS), "fields": (FieldIndex("c1", "status", "long"),)}
    return engine.logstore(LOGS, **(indexed if request.param == "indexed" else {}))


def pull(logs: FilledLogstore, query: str, cursor: int = 0, count: int = 100) -> Pulled:
    async def frontier() -> Frontier:
        return Frontier(len(LOGS), 4, 4)

    reader = ShardReader(logs.table, 0, logs.queries.run, frontier)
    return logs.thread.run(reader.pull(encode(cursor), count, program=Program(query)))


def fields(pulled: Pulled) -> list[dict[str, str | bytes]]:
    """Of each event, in order."""
    groups = [LogGroup.FromString(group) for group in pulled.groups]
    return [{pair.Key: pair.Value for pair in log.Contents} for group in groups for log in group.Logs]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("*", ALL),
        ("", ALL),
        ("* | where true", ALL),
        ("* | where status = '404'", [1]),
        ("* | where cast(status as bigint) >= 500", [3, 4]),
        ("* | where uri is null", [3, 4]),
        ("* | where uri = '' or uri like '/%'", [0, 1, 2]),
        ("* | where not (uri = '/A')", [1, 2]),
        ("* | where regexp_like(uri, '^/[a-z]$')", [1]),
        ("* | where \"größe\" = 'zwölf'", [3]),
        ("* | where __topic__ = 'web' and \"__tag__:host\" = 'a'", [0, 1]),
        ("* | where __source__ = '10.0.0.1' | where status <> '200'", [1]),
        ("* | where STATUS = '404'", []),
        ("zwölf", [3]),
        ("uri:\"/A\" or uri:b | where status || 'x' = '404x'", [1]),
        ("* | extend n = cast(status as bigint) + 1 | where n = 405", [1]),
        ("* | project-rename code = status | where code = '404' and status is null", [1]),
        ("* | project uri | where status is null and uri = '/A'", [0]),
        ("* | project-away status | where status is null", ALL),
        ("* | parse-json j | where level = 'warn'", [0]),
        ("* | parse-json j | where level = 'plain'", [3]),
        ("* | parse-json j | where cast(n as bigint) = 7 and deep = '{\"a\":[1]}'", [0]),
        ("* | parse-json -prefix='j_' j | where j_level = 'warn' and level is null", [0]),
        ("* | where any_match(array['404', '503'], s -> s = status)", [1, 4]),
    ],
)
def test_what_is_kept(logs: FilledLogstore, query: str, kept: list[int]):
    expected = [dict(LOGS[place].fields).get("status") for place in kept]
    pulled = pull(logs, query + ("" if "project" in query else " | project status"))
    if "project" not in query:
        assert [event.get("status") for event in fields(pulled)] == [{"501": "500"}.get(str(each), each) for each in expected]
    assert pulled.read is not None
    assert pulled.read.kept == len(kept)
    assert decode(pulled.next) == 4


def test_stages_leave_the_fields_that_they_say(logs: FilledLogstore):
    first = "* | where status = '200' | "
    assert fields(pull(logs, first + "project uri, code = status")) == [{"uri": "/A", "code": "200"}]
    assert fields(pull(logs, first + "project-away j, uri")) == [{"status": "200"}]
    assert fields(pull(logs, first + "project-away j | project-rename uri = status, old = uri")) == [{"uri": "200", "old": "/A"}]
    assert fields(pull(logs, first + "project uri | extend twice = uri || uri, half = length(uri) / 2.0, no = nothing")) == [
        {"uri": "/A", "twice": "/A/A", "half": "1.0"}
    ]
    assert fields(pull(logs, first + "extend a = 1, a = a + 1 | extend b = array[a, 3] | project a, b")) == [{"a": "2", "b": "[2,3]"}]
    taken_apart = {"status": "200", "level": "warn", "n": "7", "deep": '{"a":[1]}', "a b": "true"}
    assert fields(pull(logs, first + "parse-json j | project-away j, uri")) == [taken_apart]
    assert fields(pull(logs, first + "parse-json -prefix='p.' j | project \"p.n\"")) == [{"p.n": "7"}]


def test_without_stages_an_event_is_as_it_was(logs: FilledLogstore):
    groups = [LogGroup.FromString(group) for group in pull(logs, "*").groups]
    assert [(pair.Key, pair.Value) for pair in groups[2].Logs[0].Contents] == list(LOGS[3].fields)
    assert (groups[0].Topic, groups[0].Source, [(tag.Key, tag.Value) for tag in groups[0].LogTags]) == ("web", "10.0.0.1", [("host", "a")])


def test_what_belongs_to_a_group_goes_when_it_is_not_named(logs: FilledLogstore):
    (group,) = (LogGroup.FromString(group) for group in pull(logs, "* | where status = '404' | project uri, __topic__").groups)
    assert (group.Topic, group.Source, len(group.LogTags)) == ("web", "", 0)


def test_bytes_pass_unchanged(logs: FilledLogstore):
    (group,) = pull(logs, "* | where status = '503' | project-away status").groups
    assert b"\xff\x00" in group


def test_an_answer_says_what_was_gone_through(logs: FilledLogstore):
    pulled = pull(logs, "* | parse-json j | where status <> '404'", count=2)
    size = sum(len(name) + len(str(value)) for log in LOGS[:3] for name, value in dict(log.fields).items())
    assert pulled.read == Read(groups=2, lines=3, size=size, kept=2, failed=1)
    assert (len(pulled.groups), decode(pulled.next)) == (2, 2)
    assert pull(logs, "* | where false").read == Read(groups=4, lines=5, size=pull(logs, "*").read.size, kept=0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("* | select count(*)", "`select` is no stage .* one of where, extend, project"),
        ("* | where", "`where` stands alone: expected what it is about"),
        ("* | where count(*) > 1", "`where` sees one event at a time: `count` goes over several"),
        ("* | where a in (select 1)", "one event at a time: no sub-queries"),
        ("* | where row_number() over () = 1", "one event at a time: no sub-queries, windows"),
        ("* | where a = 1) or (b = 2", "takes one expression"),
        ("* | where a +", "cannot read the SQL"),
        ("* | where t.a = 1", 'knows no tables: put double quotes .* `"t.a"`'),
        ("* | where url('http://x') = ''", "function `url` is not supported"),
        ("* | where sleep(3) = 0", "function `sleep` is not supported"),
        ("* | extend a", "cannot read `a` of `extend`: expected such as"),
        ("* | extend __source__ = 'x'", "`__source__` cannot be set"),
        ("* | project a b", "cannot read `a b` of `project`"),
        ("* | parse-csv a", "`parse-csv` is no stage"),
        ("a and | where true", "cannot read the search at character"),
        ("*" + " | where true" * 21, "21 stages: at most 20"),
        ("* " + " | extend a = concat(a, a, a, a, a, a, a, a, a, a)" * 5, "too many or too long"),
    ],
)
def test_what_cannot_be_run_is_refused_and_says_why(logs: FilledLogstore, query: str, told: str):
    with pytest.raises(ApiError, match=told) as raised:
        pull(logs, query)
    assert (raised.value.status, raised.value.error_code) == (400, "ParameterInvalid")

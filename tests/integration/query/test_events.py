"""Which events come back, in which order and form; counts over time; and what has just arrived."""

import time

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.histogram import Interval
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore, Log


@pytest.fixture(scope="module")
def ties(engine: EngineThread) -> FilledLogstore:
    """200 events, 20 per second, on two shards, given in no order."""
    order = [place * 77 % 200 for place in range(200)]
    logs = [Log({"id": str(n)}, time=START + n // 20, shard=n % 2, seq=n) for n in order]
    return engine.logstore(logs, line=LineIndex(TOKENS))


def test_an_event_comes_back_as_it_was_written(engine: EngineThread):
    log = Log([("b", "1"), ("a", b"\xff\x00x"), ("b", "2"), ("__topic__", "fake")], source="10.0.0.1", topic="web", tags={"host": "h1"})
    ((row),) = engine.logstore([log]).ask("*").rows
    expected = {"__time__": str(START), "__source__": "10.0.0.1", "__topic__": "web", "b": "1", "a": "\ufffd\x00x", "__tag__:host": "h1"}
    assert row == expected


def test_the_range_is_half_open(ties: FilledLogstore):
    found = ties.ask("*", start=START + 1, end=START + 2).rows
    assert {row["__time__"] for row in found} == {str(START + 1)}
    assert len(found) == 20


@pytest.mark.parametrize("reverse", [False, True])
def test_pages_neither_repeat_nor_lose_a_row(ties: FilledLogstore, reverse: bool):
    pages = [ties.ask("*", offset=offset, line=7, reverse=reverse).rows for offset in range(0, 210, 7)]
    ids = [row["id"] for page in pages for row in page]
    times = [int(row["__time__"]) for page in pages for row in page]
    assert sorted(map(int, ids)) == list(range(200))
    assert times == sorted(times, reverse=reverse)


def test_newest_first_is_the_exact_reverse(ties: FilledLogstore):
    ascending = ties.find("*", line=100) + ties.find("*", line=100, offset=100)
    descending = ties.find("*", line=100, reverse=True) + ties.find("*", line=100, offset=100, reverse=True)
    assert descending == ascending[::-1]


def test_topic_narrows(engine: EngineThread):
    logstore = engine.logstore([Log({"id": "1"}, topic="a"), Log({"id": "2"}, topic="b"), Log({"id": "3"})])
    assert logstore.find("*", topic="a") == ["1"]
    assert len(logstore.find("*")) == 3


def test_pack_meta(engine: EngineThread):
    ((row),) = engine.logstore([Log({"id": "1"}, shard=1)]).ask("* | with_pack_meta").rows
    assert row["__pack_meta__"] == "1|MTUwMDAwMDAwMDAwMDAwMDAwNw==|1|0"


@pytest.mark.parametrize(
    ("page", "code"), [({"line": 101}, "InvalidLine"), ({"line": -1}, "InvalidLine"), ({"offset": -1}, "InvalidOffset")], ids=str
)
def test_a_page_out_of_bounds_is_refused(ties: FilledLogstore, page: dict[str, int], code: str):
    with pytest.raises(ApiError) as raised:
        ties.ask("*", **page)
    assert (raised.value.status, raised.value.error_code) == (400, code)


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (-1, 5)])
def test_an_empty_range_is_refused(start: int, end: int):
    with pytest.raises(ApiError) as raised:
        Window(start, end)
    assert raised.value.error_code == "InvalidTimeRange"


def test_comparing_text_with_a_number_is_refused_at_its_place(engine: EngineThread):
    logstore = engine.logstore(fields=(FieldIndex("c1", "uri", "text", TOKENS), FieldIndex("c2", "n", "long")))
    with pytest.raises(ApiError, match="cannot compare `uri` with a number at character 3"):
        logstore.ask("a uri > 5")
    with pytest.raises(ApiError, match="at character 1: expected a number for `n`"):
        logstore.ask("n:abc")


def test_chinese_is_found_by_its_characters(engine: EngineThread):
    index = FieldIndex("c1", "msg", "text", (" ",), chinese=True)
    logs = [Log({"id": "1", "msg": "数据库连接失败"}), Log({"id": "2", "msg": "连接成功 error"}, time=START + 1)]
    for spec in ({"line": LineIndex((" ",), chinese=True)}, {"fields": (index,)}):
        logstore = engine.logstore(logs, **spec)
        assert logstore.find("连接") == ["1", "2"]
        assert logstore.find('#"连接失败"') == ["1"]
        assert logstore.find("ERROR") == ["2"]


def test_histogram_covers_the_range(ties: FilledLogstore):
    window = Window(START * NS, (START + 11) * NS)
    found = ties.thread.run(ties.queries.histogram(ties.table, "* | select 1", window))
    assert found.intervals == [Interval(START + second, START + second + 1, 20 if second < 10 else 0) for second in range(11)]


def test_arrivals_are_followed_without_gap_or_repeat(engine: EngineThread):
    logstore = engine.logstore([Log({"id": "old"})], line=LineIndex(TOKENS))
    rows, cursor = logstore.tail()
    assert rows == []
    logstore.add([Log({"id": str(n), "odd": str(n % 2)}, shard=n % 2) for n in range(10)])
    first, cursor = logstore.tail("odd:1", cursor, limit=2)
    second, cursor = logstore.tail("odd:1", cursor, limit=2)
    third, cursor = logstore.tail("odd:1", cursor, limit=2)
    assert [row["id"] for row in [*first, *second, *third]] == ["1", "3", "5", "7", "9"]
    assert logstore.tail("odd:1", cursor) == ([], cursor)


def test_a_hole_is_waited_for_and_then_passed(engine: EngineThread):
    logstore = engine.logstore([Log({"id": "0"}, seq=0)])
    _, cursor = logstore.tail()
    logstore.add([Log({"id": "3"}, seq=3)])
    waiting, cursor = logstore.tail("", cursor)
    logstore.add([Log({"id": "1"}, seq=1), Log({"id": "2"}, seq=2)])
    filled, cursor = logstore.tail("", cursor)
    logstore.add([Log({"id": "9"}, seq=9, received=time.time() - 29.9)])
    time.sleep(0.2)
    passed, _ = logstore.tail("", cursor)
    assert [sorted(row["id"] for row in rows) for rows in (waiting, filled, passed)] == [[], ["1", "2", "3"], ["9"]]


@pytest.mark.parametrize("cursor", ["x", "1", "1;a:b", "-1;", "1;0:-5", "1;0"])
def test_a_cursor_that_is_none_is_refused(ties: FilledLogstore, cursor: str):
    with pytest.raises(ApiError) as raised:
        ties.tail("", cursor)
    assert raised.value.error_code == "InvalidCursor"


def test_chinese_keeps_to_the_token_list_and_runs_stay_together(engine: EngineThread):
    texts = ["错误:连接超时 host=a-1", "连上了,接不通", "user:timeout"]
    logs = [Log({"id": str(place), "msg": text}, time=START + place) for place, text in enumerate(texts)]
    index = FieldIndex("c1", "msg", "text", TOKENS, chinese=True)
    for spec in ({"line": LineIndex(TOKENS, chinese=True)}, {"fields": (index,)}):
        logstore = engine.logstore(logs, **spec)
        assert logstore.find("连接") == ["0"]
        assert logstore.find("连 接") == ["0", "1"]
        assert logstore.find("timeout") == ["2"]
        assert logstore.find("msg:a-1 msg:超时") == ["0"]
        assert logstore.find("msg:超*") == ["0"]
        assert logstore.find("not msg:连?接 id:*") == ["0", "1", "2"]


def test_parts_of_a_json_field(engine: EngineThread):
    bodies = ['{"user":{"name":"Ann Lee","age":30},"ok":true}', '{"user":{"name":"Bob","age":"x"}}', "no json"]
    logs = [Log({"id": str(place), "req": body}, time=START + place) for place, body in enumerate(bodies)]
    parts = (FieldIndex("c2", "req.user.name", "text", TOKENS, parent="req"), FieldIndex("c3", "req.user.age", "long", parent="req"))
    for some in (parts, ()):
        logstore = engine.logstore(logs, fields=(FieldIndex("c1", "req", "json", TOKENS), *some))
        assert logstore.find("req.user.name: lee") == ["0"]
        assert logstore.find('req.user.name:#"Ann Lee"') == ["0"]
        assert logstore.find("req.user.age >= 30") == ["0"]
        assert logstore.find("req.ok: true") == ["0"]
        assert logstore.find("not req.user.name:*") == ["2"]
        assert logstore.find("ann") == ["0"]
    logstore = engine.logstore(logs, fields=(FieldIndex("c1", "req", "json", TOKENS), *parts))
    assert logstore.sql('select "req.user.name" as name, "req.user.age" + 1 as age from log order by __time__') == [
        ("Ann Lee", "31"),
        ("Bob", "null"),
        ("null", "null"),
    ]

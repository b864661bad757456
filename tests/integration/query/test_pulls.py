"""Cursors, PullLogs, contexts and topics as the official SDK makes them."""

import base64
import time
from typing import Any

import pytest
from aliyun.log import ListTopicsRequest, LogException, LogItem, PutLogsRequest

from tests.conftest import RunningServer
from tests.integration.query.logs import TOKENS

LOGSTORE = "pulled"


def e64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


INDEX = {"line": {"token": list(TOKENS)}, "keys": {"n": {"type": "long", "doc_value": True}}}
GROUPS = 6
STREAM = "00AB12CD34EF5678"


class Pulling:
    """Six groups of three logs each in shard 0, of one stream, and two more with another topic in shard 1."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.client = server, server.client()
        self.project = server.fresh_name("pulls")
        server.make_logstore(self.project, LOGSTORE, INDEX)
        self.began = int(time.time())
        for group in range(GROUPS):
            items = [LogItem(self.began, contents=[("n", str(group * 3 + n)), ("text", "größe")]) for n in range(3)]
            self.put(items, "web", "0" * 32, [("__pack_id__", f"{STREAM}-{group + 10:X}"), ("__path__", "/a.log")])
        for topic in ("app", "zoo"):
            self.put([LogItem(self.began, contents=[("n", "99")])], topic, "f" * 32)
        self._wait(3 * GROUPS + 2)

    def put(self, items: list[LogItem], topic: str, key: str, tags: list[tuple[str, str]] | None = None) -> None:
        self.client.put_logs(PutLogsRequest(self.project, LOGSTORE, topic, "10.0.0.1", items, hashKey=key, logtags=tags))

    def cursor(self, start: object, shard: int = 0) -> str:
        return self.client.get_cursor(self.project, LOGSTORE, shard, start).get_cursor()

    def pull(self, cursor: str, shard: int = 0, **options: Any) -> Any:
        return self.client.pull_logs(self.project, LOGSTORE, shard, cursor, **options)

    def _wait(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while self.client.get_log(self.project, LOGSTORE, self.began - 60, self.began + 60, size=100).get_count() != count:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="module")
def pulling(server: RunningServer) -> Pulling:
    return Pulling(server)


def numbers(answer: Any) -> list[str]:
    return [log["n"] for log in answer.get_flatten_logs_json()]


def test_everything_is_pulled_group_by_group(pulling: Pulling):
    cursor, end, sizes, found = pulling.cursor("begin"), pulling.cursor("end"), [], []
    while cursor != end:
        answer = pulling.pull(cursor, count=4)
        sizes.append(answer.get_loggroup_count())
        found += numbers(answer)
        cursor = answer.get_next_cursor()
    assert (sizes, found) == ([4, 2], [str(n) for n in range(3 * GROUPS)])
    assert pulling.pull(cursor).get_next_cursor() == cursor
    assert pulling.pull(cursor).get_loggroup_count() == 0


@pytest.mark.parametrize("compression", ["lz4", ""])
def test_a_group_comes_back_as_it_was_written(pulling: Pulling, compression: str):
    answer = pulling.pull(pulling.cursor("begin"), count=1, compress=bool(compression), accept_compress_type=compression)
    (group,) = answer.get_loggroup_json_list()
    assert (group["topic"], group["source"], len(group["logs"])) == ("web", "10.0.0.1", 3)
    assert (
        group["tags"] == {"__pack_id__": f"{STREAM}-A", "__path__": "/a.log"}
        or {"__path__": "/a.log"}.items() <= dict(group["tags"]).items()
    )
    assert answer.get_flatten_logs_json()[0]["text"] == "größe"


def test_an_end_cursor_is_reached_exactly(pulling: Pulling):
    begin = pulling.cursor("begin")
    end = pulling.pull(begin, count=3).get_next_cursor()
    answer = pulling.pull(begin, end_cursor=end)
    assert (answer.get_loggroup_count(), answer.get_next_cursor()) == (3, end)
    assert pulling.pull(pulling.cursor("end"), end_cursor=end).get_next_cursor() == end
    pulled = list(pulling.client.pull_log(pulling.project, LOGSTORE, 0, pulling.began - 60, pulling.began + 3600))
    assert sum(answer.get_log_count() for answer in pulled) == 3 * GROUPS


def test_times_and_cursors_fit_each_other(pulling: Pulling):
    begin, end = pulling.cursor("begin"), pulling.cursor("end")
    assert base64.b64decode(begin).startswith(b"15")
    assert pulling.cursor(pulling.began - 3600) == begin
    assert pulling.cursor(pulling.began + 3600) == end
    received = pulling.client.get_cursor_time(pulling.project, LOGSTORE, 0, begin).get_cursor_time()
    assert pulling.began - 2 <= received <= time.time() + 2
    before = pulling.client.get_previous_cursor_time(pulling.project, LOGSTORE, 0, begin).get_cursor_time()
    assert before == received
    assert pulling.client.get_previous_cursor_time(pulling.project, LOGSTORE, 0, end).get_cursor_time() >= received


def test_old_and_odd_cursors_are_taken_as_they_can_be(pulling: Pulling):
    assert numbers(pulling.pull(e64("1400000000000000000"), count=1)) == ["0", "1", "2"]
    assert pulling.pull(pulling.cursor("begin") + "\n", count=1).get_loggroup_count() == 1
    for cursor in ("nonsense", "", e64("x")):
        with pytest.raises(LogException) as raised:
            pulling.pull(cursor)
        assert raised.value.get_error_code() == "InvalidCursor", cursor
    with pytest.raises(LogException) as raised:
        pulling.cursor("begin", shard=9)
    assert raised.value.get_error_code() == "ShardNotExist"


def test_the_context_of_an_event(pulling: Pulling):
    found = pulling.client.get_log(pulling.project, LOGSTORE, pulling.began - 60, pulling.began + 60, query="n = 7 | with_pack_meta")
    (log,) = found.get_logs()
    contents = log.get_contents()
    answer = pulling.client.get_context_logs(
        pulling.project, LOGSTORE, contents["__tag__:__pack_id__"], contents["__pack_meta__"], back_lines=4, forward_lines=100
    )
    around = [(each.get_contents()["__index_number__"], each.get_contents()["n"]) for each in answer.get_logs()]
    assert around == [(str(n - 7), str(n)) for n in range(3, 3 * GROUPS)]
    assert (answer.get_total_lines(), answer.get_back_lines(), answer.get_forward_lines()) == (15, 4, 10)
    with pytest.raises(LogException, match="with_pack_meta"):
        pulling.client.get_context_logs(pulling.project, LOGSTORE, "x", "y", 1, 1)


def test_topics_come_page_by_page(pulling: Pulling):
    first = pulling.client.list_topics(ListTopicsRequest(pulling.project, LOGSTORE, None, 2))
    rest = pulling.client.list_topics(ListTopicsRequest(pulling.project, LOGSTORE, first.get_next_token(), 2))
    assert (first.get_topics(), rest.get_topics(), rest.get_next_token()) == (["app", "web"], ["zoo"], "")


def test_a_query_leaves_of_a_shard_what_it_says(pulling: Pulling):
    cursor, end, found = pulling.cursor("begin"), pulling.cursor("end"), []
    while cursor != end:
        answer = pulling.pull(
            cursor, count=4, query="* | where cast(n as bigint) % 5 = 0 | extend half = cast(n as bigint) / 5 | project n, half"
        )
        assert answer.get_raw_log_group_count_before_query() > 0
        assert answer.get_raw_size_before_query() > answer.get_loggroup_count()
        found += [(log["n"], log["half"]) for log in answer.get_flatten_logs_json()]
        cursor = answer.get_next_cursor()
    assert found == [(str(n), str(n // 5)) for n in range(0, 3 * GROUPS, 5)]
    with pytest.raises(LogException, match="`select` is no stage"):
        pulling.pull(end, query="* | select 1")
    with pytest.raises(LogException, match="keeps no `processor`"):
        pulling.pull(end, processor="mine")

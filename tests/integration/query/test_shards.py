"""Shards as the official SDK lists, splits and merges them, while logs are written."""

import threading
import time
from typing import Any

import pytest
from aliyun.log import GetHistogramsRequest, LogException, LogItem, PutLogsRequest

from tests.conftest import RunningServer
from tests.integration.query.logs import TOKENS

INDEX = {"line": {"token": list(TOKENS)}, "keys": {"n": {"type": "long", "doc_value": True}}}
FIRST, MIDDLE, LAST = "0" * 32, "8" + "0" * 31, "f" * 32
QUARTER, LOW, HIGH = "4" + "0" * 31, "1" + "0" * 31, "5" + "0" * 31


class Cut:
    """A logstore of two shards."""

    def __init__(self, server: RunningServer) -> None:
        self.client, self.project = server.client(), server.fresh_name("cut")
        server.make_logstore(self.project, "logs", INDEX)

    def put(self, n: int, key: str | None) -> None:
        item = LogItem(int(time.time()), contents=[("n", str(n))])
        self.client.put_logs(PutLogsRequest(self.project, "logs", "", "10.0.0.1", [item], hashKey=key))

    def shards(self) -> list[tuple[int, str, str, str]]:
        return described(self.client.list_shards(self.project, "logs"))

    def settle(self, count: int) -> None:
        """Until so many logs are readable."""
        deadline = time.monotonic() + 60
        wanted = GetHistogramsRequest(self.project, "logs", int(time.time()) - 600, int(time.time()) + 600)
        while self.client.get_histograms(wanted).get_total_count() != count:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def read(self, shard: int, cursor: str = "") -> list[int]:
        """All that is in a shard, perhaps after a cursor."""
        cursor = cursor or self.client.get_begin_cursor(self.project, "logs", shard).get_cursor()
        found: list[int] = []
        while True:
            answer = self.client.pull_logs(self.project, "logs", shard, cursor)
            found += [int(log["n"]) for log in answer.get_flatten_logs_json()]
            if answer.get_next_cursor() == cursor:
                return found
            cursor = answer.get_next_cursor()


@pytest.fixture
def cut(server: RunningServer) -> Cut:
    return Cut(server)


def described(answer: Any) -> list[tuple[int, str, str, str]]:
    return [(each["shardID"], each["status"], each["inclusiveBeginKey"], each["exclusiveEndKey"]) for each in answer.get_shards_info()]


def test_writes_by_key_go_to_the_halves_after_a_split_and_to_the_whole_after_a_merge(cut: Cut):
    cut.put(1, LOW)
    answer = cut.client.split_shard(cut.project, "logs", 0, QUARTER)
    children = [(2, "readwrite", FIRST, QUARTER), (3, "readwrite", QUARTER, MIDDLE)]
    assert described(answer) == [(0, "readonly", FIRST, MIDDLE), *children]
    assert cut.shards() == [(0, "readonly", FIRST, MIDDLE), (1, "readwrite", MIDDLE, LAST), *children]
    cut.put(2, LOW)
    cut.put(3, HIGH)
    cut.put(4, LAST)
    merged = cut.client.merge_shard(cut.project, "logs", 3)
    assert described(merged) == [(4, "readwrite", QUARTER, LAST), (1, "readonly", MIDDLE, LAST), (3, "readonly", QUARTER, MIDDLE)]
    cut.put(5, HIGH)
    cut.put(6, LAST)
    cut.settle(6)
    assert [cut.read(shard) for shard in range(5)] == [[1], [4], [2], [3], [5, 6]]
    assert cut.client.get_logstore(cut.project, "logs").get_shard_count() == 2


def test_a_cursor_stays_good_when_its_shard_is_split(cut: Cut):
    for n in range(3):
        cut.put(n, LOW)
    cut.settle(3)
    cursor = cut.client.pull_logs(cut.project, "logs", 0, cut.client.get_begin_cursor(cut.project, "logs", 0).get_cursor(), count=1)
    cut.client.split_shard(cut.project, "logs", 0, QUARTER)
    assert cut.read(0, cursor.get_next_cursor()) == [1, 2]
    end = cut.client.get_end_cursor(cut.project, "logs", 0).get_cursor()
    assert cut.client.get_previous_cursor_time(cut.project, "logs", 0, end).get_cursor_time() > 0


def test_nothing_is_lost_or_out_of_place_when_shards_change_under_writes(cut: Cut):
    stop, written = threading.Event(), [0, 0]

    def write(writer: int) -> None:
        while not stop.is_set():
            cut.put(2 * written[writer] + writer, HIGH if writer else None)
            written[writer] += 1

    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for writer in writers:
        writer.start()
    changes = [
        lambda: cut.client.split_shard(cut.project, "logs", 0, QUARTER),
        lambda: cut.client.split_shard(cut.project, "logs", 3, "6" + "0" * 31),
        lambda: cut.client.merge_shard(cut.project, "logs", 2),
        stop.set,
    ]
    for done, change in enumerate(changes, 1):
        while written[1] < 5 * done and all(writer.is_alive() for writer in writers):
            time.sleep(0.01)
        change()
    for writer in writers:
        writer.join()
    cut.settle(sum(written))
    shards = cut.shards()
    found = {shard: cut.read(shard) for shard, *_ in shards}
    everything = sorted(n for numbers in found.values() for n in numbers)
    assert everything == sorted(2 * n + writer for writer in range(2) for n in range(written[writer]))
    holding = {shard for shard, _, begin, end in shards if begin <= HIGH < end}
    assert all(n % 2 == 0 for shard, numbers in found.items() if shard not in holding for n in numbers)
    # By key they were written one after the other: so they stand in each shard, and a later shard has the later ones.
    keyed = [n for shard in sorted(holding) for n in found[shard] if n % 2]
    assert keyed == sorted(keyed)


def test_what_cannot_be_split_or_merged_is_refused(cut: Cut):
    refusals = [
        (lambda: cut.client.split_shard(cut.project, "logs", 7, QUARTER), "ShardNotExist"),
        (lambda: cut.client.split_shard(cut.project, "logs", 1, QUARTER), "ParameterInvalid"),
        (lambda: cut.client.split_shard(cut.project, "logs", 0, "no key"), "ParameterInvalid"),
        (lambda: cut.client.merge_shard(cut.project, "logs", 1), "ParameterInvalid"),
    ]
    for work, code in refusals:
        with pytest.raises(LogException) as raised:
            work()
        assert raised.value.get_error_code() == code
    assert len(cut.shards()) == 2


def test_without_a_key_a_shard_is_split_evenly(server: RunningServer, cut: Cut):
    answer = server.request("POST", "/logstores/logs/shards/0?action=split&shardCount=4", project=cut.project)
    assert [each["inclusiveBeginKey"][:2] for each in answer.json()[1:]] == ["00", "20", "40", "60"]

"""Consumer groups: word for word by the SDK's calls, and with the official consumer library in processes that are killed."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aliyun.log import LogException, LogItem, PutLogsRequest

from tests.conftest import RunningServer

CONSUMER = "tests.integration.query.consumer"
WAIT_SECS = 120


class Consuming:
    """A logstore of four shards, and the consumers that were started on it."""

    def __init__(self, server: RunningServer, directory: Path) -> None:
        self.server, self.client, self.directory = server, server.client(), directory
        self.project = server.fresh_name("consume")
        self.client.create_project(self.project, "")
        self.client.create_logstore(self.project, "logs", shard_count=4)
        self.written = 0
        self.running: list[subprocess.Popen[bytes]] = []

    def write(self, requests: int, per_request: int) -> None:
        for _ in range(requests):
            items = [LogItem(int(time.time()), contents=[("n", str(self.written + n))]) for n in range(per_request)]
            self.client.put_logs(PutLogsRequest(self.project, "logs", "", "10.0.0.1", items))
            self.written += per_request

    def start(self, name: str, order: str = "any") -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if key.lower() != "no_proxy"}
        environment["http_proxy"] = self.server.endpoint
        words = [self.server.key_id, self.server.key_secret, self.project, "logs", "group", name, order, str(self.directory / name)]
        with (self.directory / f"{name}.stderr").open("ab") as errors:
            process = subprocess.Popen([sys.executable, "-m", CONSUMER, *words], env=environment, stderr=errors, stdout=errors)
        self.running.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        self.running.remove(process)

    def read(self) -> list[tuple[int, int]]:
        """(shard, number) of all that the consumers got, those of one consumer in their order."""
        lines = [line for path in self.directory.glob("[a-z]") for line in path.read_text().splitlines(keepends=True)]
        return [(int(shard), int(n)) for shard, n in (line.split() for line in lines if line.endswith("\n"))]

    def wait(self, least: int) -> None:
        deadline = time.monotonic() + WAIT_SECS * (1 + self.written // 20_000)
        while len({n for _, n in self.read()}) < least:
            errors = "".join(path.read_text()[-2000:] for path in self.directory.glob("*.stderr"))
            assert time.monotonic() < deadline, f"{len(self.read())} of {self.written}\n{errors}"
            assert all(process.poll() is None for process in self.running), errors
            time.sleep(0.2)


@pytest.fixture
def consuming(server: RunningServer, tmp_path: Path) -> Iterator[Consuming]:
    made = Consuming(server, tmp_path)
    yield made
    for process in list(made.running):
        made.stop(process)


def test_a_group_lives_and_dies(consuming: Consuming):
    client, place = consuming.client, (consuming.project, "logs")
    client.create_consumer_group(*place, "group", 30, True)
    with pytest.raises(LogException) as raised:
        client.create_consumer_group(*place, "group", 30)
    assert raised.value.get_error_code() == "ConsumerGroupAlreadyExist"
    client.update_consumer_group(*place, "group", timeout=60)
    body = consuming.server.request("GET", "/logstores/logs/consumergroups", project=consuming.project).json()
    assert body == [{"name": "group", "timeout": 60, "order": True}]
    client.delete_consumer_group(*place, "group")
    assert client.list_consumer_group(*place).get_count() == 0
    for work in (lambda: client.heart_beat(*place, "group", "a", []), lambda: client.get_check_point(*place, "group")):
        with pytest.raises(LogException) as raised:
            work()
        assert raised.value.get_error_code() == "ConsumerGroupNotExist"


def test_shards_are_shared_and_checkpoints_belong_to_their_holder(consuming: Consuming):
    client, place = consuming.client, (consuming.project, "logs", "group")
    client.create_consumer_group(*place, 30)
    assert client.heart_beat(*place, "a", []).get_shards() == [0, 1, 2, 3]
    assert client.heart_beat(*place, "b", []).get_shards() == []
    assert client.heart_beat(*place, "a", [0, 1, 2, 3]).get_shards() == [0, 1]
    client.heart_beat(*place, "a", [0, 1])
    assert client.heart_beat(*place, "b", []).get_shards() == [2, 3]
    (fresh,) = client.get_check_point(*place, 2).get_consumer_group_check_points()
    assert fresh == {"shard": 2, "checkpoint": "", "updateTime": 0, "consumer": "b"}
    cursor = client.get_end_cursor(*place[:2], 2).get_cursor()
    client.update_check_point(*place, 2, cursor, consumer="b", force_success=False)
    with pytest.raises(LogException) as raised:
        client.update_check_point(*place, 2, cursor, consumer="a", force_success=False)
    assert raised.value.get_error_code() == "ConsumerNotMatch"
    with pytest.raises(LogException) as raised:
        client.update_check_point(*place, 2, "no cursor", consumer="b")
    assert raised.value.get_error_code() == "InvalidShardCheckPoint"
    found = client.get_check_point(*place).get_consumer_group_check_points()
    assert [(each["shard"], each["checkpoint"], each["consumer"]) for each in found] == [
        (0, "", "a"), (1, "", "a"), (2, cursor, "b"), (3, "", "b"),
    ]  # fmt: skip
    assert abs(found[2]["updateTime"] / 1e6 - time.time()) < 600


def test_in_order_the_halves_come_after_the_whole_is_read(consuming: Consuming):
    client, place = consuming.client, (consuming.project, "logs", "group")
    consuming.write(8, 1)
    client.create_consumer_group(*place, 30, in_order=True)
    client.split_shard(*place[:2], 0, "2" + "0" * 31)
    assert client.heart_beat(*place, "a", []).get_shards() == [0, 1, 2, 3]
    end = _end(consuming, 0)
    client.update_check_point(*place, 0, end, consumer="a")
    until = time.monotonic() + 60
    while (shards := client.heart_beat(*place, "a", [0, 1, 2, 3]).get_shards()) == [0, 1, 2, 3] and time.monotonic() < until:
        time.sleep(0.2)  # what was written before is on its way into the engine
    assert shards == [1, 2, 3, 4, 5]
    client.update_consumer_group(*place, in_order=False)
    client.split_shard(*place[:2], 1, "6" + "0" * 31)
    assert client.heart_beat(*place, "a", [1, 2, 3, 4, 5]).get_shards() == [1, 2, 3, 4, 5, 6, 7]


def test_consumers_that_are_killed_and_shards_that_are_split_lose_nothing(consuming: Consuming):
    _check_everything_is_read(consuming, requests=20, per_request=500)
    assert consuming.written == 20_000


@pytest.mark.long
def test_a_million_logs(consuming: Consuming):
    _check_everything_is_read(consuming, requests=250, per_request=2000)
    assert consuming.written == 1_000_000


def test_in_order_each_key_is_read_as_it_was_written(consuming: Consuming):
    """One key's logs go from shard to shard as these are split and merged."""
    first = consuming.start("a", "order")
    keys = ["3" + "0" * 31, "b" + "0" * 31]
    for n in range(60):
        item = LogItem(int(time.time()), contents=[("n", str(n))])
        consuming.client.put_logs(PutLogsRequest(consuming.project, "logs", "", "10.0.0.1", [item], hashKey=keys[n % 2]))
        if n == 20:
            consuming.client.split_shard(consuming.project, "logs", 0, "2" + "0" * 31)
        if n == 40:
            consuming.client.merge_shard(consuming.project, "logs", 5)
    consuming.wait(60)
    consuming.stop(first)
    for parity in range(2):
        of_key = list(dict.fromkeys(n for _, n in consuming.read() if n % 2 == parity))
        assert of_key == list(range(parity, 60, 2))


def _check_everything_is_read(consuming: Consuming, *, requests: int, per_request: int) -> None:
    consuming.write(requests, per_request)
    first = consuming.start("a")
    consuming.wait(consuming.written // 10)
    consuming.stop(first)
    consuming.start("b")
    consuming.client.split_shard(consuming.project, "logs", 1, "6" + "0" * 31)
    consuming.write(requests, per_request)
    consuming.start("a")
    consuming.wait(consuming.written)
    times = Counter(n for _, n in consuming.read())
    assert sorted(times) == list(range(consuming.written))
    assert {shard for shard, _ in consuming.read()} == set(range(6))


def _end(consuming: Consuming, shard: int) -> Any:
    """The end cursor once what was written is readable."""
    deadline = time.monotonic() + WAIT_SECS
    while True:
        cursor = consuming.client.get_end_cursor(consuming.project, "logs", shard).get_cursor()
        begin = consuming.client.get_begin_cursor(consuming.project, "logs", shard).get_cursor()
        if consuming.client.pull_logs(consuming.project, "logs", shard, begin).get_log_count() == 2:
            return cursor
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_group_of_a_new_logstore_has_read_nothing_of_what_one_before_it_had(server: RunningServer):
    project, client = server.fresh_name("again"), server.client()
    answers: list[list[int]] = []
    for events in ([], [LogItem(int(time.time()), contents=[("n", "1")])]):
        client.create_project(project, "")
        client.create_logstore(project, "logs", shard_count=1)
        if events:
            client.put_logs(PutLogsRequest(project, "logs", "", "10.0.0.1", events))
        client.split_shard(project, "logs", 0, "8" + "0" * 31)
        client.create_consumer_group(project, "logs", "group", 60, False)
        answers.append(sorted(client.heart_beat(project, "logs", "group", "a", []).get_shards()))
        client.delete_project(project)
    assert answers == [[1, 2], [0, 1, 2]]

"""Write quotas: what is let in, what is refused, and when it is let in again."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from tailrace.errors import ApiError
from tailrace.server.db.records import Logstore, Project
from tailrace.server.query.allowance import allowance_of
from tailrace.server.quota import BURST_SECS, ProjectQuota, Quotas
from tailrace.server.settings import Settings
from tailrace.server.store.port import Package, TableSpec


class Server:
    """One project with two logstores, and a clock that stands still."""

    def __init__(self, *, project: dict | None = None, logstore: dict | None = None, **settings: int) -> None:
        self.now = 0.0
        unbounded = dict.fromkeys(("project_write_bytes_per_sec", "project_writes_per_sec", "shard_write_bytes_per_sec"), 0)
        self.quotas = Quotas(Settings(home=Path("/"), **{**unbounded, **settings}), lambda: self.now)
        self.project = Project(1, "web", "", 0, 0, {}, project or {})
        self.logstores = [Logstore(number, "web", f"l{number}", 1, 0, 0, TableSpec(number, 1), quota=logstore or {}) for number in (1, 2)]

    def write(self, size: int, *, to: int = 0, shards: list[int] | None = None) -> float | None:
        """None when it is let in, else after how many seconds it is worth another try."""
        shards = shards or [0]
        try:
            self.quotas.admit(self.project, self.logstores[to], [Package(b"", "none", size)] * len(shards), shards)
        except ApiError as error:
            return error.retry_after if (error.status, error.error_code) == (403, "WriteQuotaExceed") else -1.0
        return None


def test_over_time_as_much_is_let_in_as_the_quota_says() -> None:
    server = Server(logstore={"write_bytes_per_sec": 1000})
    let_in = 0
    for _ in range(1000):
        server.now += 0.1
        let_in += server.write(500) is None
    assert let_in * 500 == pytest.approx(100 * 1000 + BURST_SECS * 1000, rel=0.01)


def test_one_that_is_larger_than_the_quota_goes_through_and_others_wait_for_it() -> None:
    server = Server(logstore={"write_bytes_per_sec": 1000})
    assert server.write(13_000) is None
    assert server.write(1) == pytest.approx(10)
    server.now += 10.1
    assert server.write(1) is None


def test_what_is_told_is_when_it_works_again() -> None:
    server = Server(logstore={"write_bytes_per_sec": 100})
    server.write(1300)
    server.now += (server.write(1) or 0) + 0.01
    assert server.write(1) is None


def test_what_agents_say_about_themselves_is_not_the_projects() -> None:
    server = Server(project={"write_bytes_per_sec": 1000}, internal_log_write_bytes_per_sec=100)
    server.logstores[1] = replace(server.logstores[1], name="internal-diagnostic_log")
    assert server.write(4000, to=0) is None
    assert server.write(5000, to=1) is None, "the project's is used up"
    assert server.write(1, to=1) == pytest.approx((5000 - BURST_SECS * 100) / 100)
    server.now += 2
    assert server.write(1, to=0) is None, "the other's counts for itself"


def test_logstores_of_a_project_share_its_quota_and_have_their_own() -> None:
    shared = Server(project={"write_bytes_per_sec": 1000})
    assert [shared.write(4000, to=0), shared.write(1, to=1) is None] == [None, False]
    own = Server(logstore={"write_bytes_per_sec": 1000})
    assert [own.write(4000, to=0), own.write(1, to=1)] == [None, None]


def test_a_shard_has_a_quota_of_its_own() -> None:
    server = Server(logstore={"shard_write_bytes_per_sec": 1000})
    assert server.write(4000, shards=[0, 0]) is None
    assert server.write(1, shards=[1]) is None
    assert server.write(1, shards=[1, 0]) is not None


def test_a_write_that_one_bound_refuses_is_counted_by_none() -> None:
    server = Server(project={"write_bytes_per_sec": 1000}, logstore={"shard_write_bytes_per_sec": 100})
    assert server.write(400, shards=[0]) is None
    for _ in range(100):
        assert server.write(400, shards=[0]) is not None
    assert server.write(400, shards=[1]) is None


def test_writes_are_counted_too() -> None:
    server = Server(logstore={"writes_per_sec": 2})
    assert [server.write(1) is None for _ in range(8)] == [True] * 6 + [False] * 2


def test_what_was_set_stands_before_the_servers_default_and_zero_is_no_bound() -> None:
    assert Server(logstore_write_bytes_per_sec=10).write(100) is None
    refused = Server(logstore_write_bytes_per_sec=10)
    assert [refused.write(100), refused.write(1) is None] == [None, False]
    free = Server(logstore={"write_bytes_per_sec": 0}, logstore_write_bytes_per_sec=10)
    assert [free.write(100), free.write(1)] == [None, None]


def test_a_changed_quota_holds_at_once() -> None:
    server = Server(logstore={"write_bytes_per_sec": 10})
    server.write(1000)
    assert server.write(1) is not None
    server.logstores[0] = Logstore(1, "web", "l1", 1, 0, 0, TableSpec(1, 1), quota={"write_bytes_per_sec": 10_000})
    assert server.write(1) is None


def test_what_came_lately_is_shown_as_a_rate() -> None:
    server = Server()
    for _ in range(200):
        server.now += 0.1
        server.write(1000)
        server.write(1000, to=1)
    assert server.quotas.rates(server.project) == pytest.approx((20_000, 20), rel=0.05)
    assert server.quotas.rates(server.project, server.logstores[0]) == pytest.approx((10_000, 10), rel=0.05)
    server.now += 20
    assert server.quotas.rates(server.project) == (0, 0)


@pytest.mark.parametrize("quota", [{"query_secs": 0}, {"query_memory_bytes": 0}, {"query_memory_bytes": 1}])
def test_the_time_and_memory_of_a_query_are_never_none(quota: dict) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to"):
        ProjectQuota.model_validate(quota)


def test_what_was_stored_before_and_is_refused_now_counts_as_not_set() -> None:
    stored = {"query_secs": 0, "query_memory_bytes": 1, "query_rows": 0, "queries_at_once": 2}
    project = Project(1, "web", "", 0, 0, {}, stored)
    allowance = allowance_of(project, Settings(home=Path("/")))
    assert (allowance.seconds, allowance.memory, allowance.read_rows, allowance.at_once) == (60.0, 2 << 30, 0, 2)

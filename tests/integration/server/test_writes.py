"""PutLogs over a bare connection: every way to write, and every way to write wrongly (sls-api §2.1, docs/specs/batch-form.md)."""

import zlib
from pathlib import Path

import psutil
import pytest

from tailrace.wire.internal_logs import LOGSTORE
from tests.integration.server.loggroups import EPOCH, batch, compressed, headers, log_group, package

LB = "/logstores/access/shards/lb"


@pytest.fixture(scope="module")
def project(server) -> str:
    name = server.fresh_name("writes")
    server.make_logstore(name, "access")
    server.make_logstore(name, "audit")
    return name


@pytest.fixture(scope="module")
def key(server, project: str) -> tuple[str, str]:
    """Of an agent that may write to `access`."""
    return server.enrol(server.fresh_name("agent"), project, ["access"])


def write(server, project: str, body: bytes, sent: dict[str, str], target: str = LB, **options):
    return server.request("POST", target, project=project, body=body, headers=sent, **options)


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize("compression", ["lz4", "zstd", "deflate", ""])
def test_every_compression_is_taken(server, project: str, compression: str, version: str) -> None:
    raw = log_group(events=20)
    answer = write(server, project, compressed(raw, compression), headers(len(raw), compression), version=version)
    assert answer.status == 200, answer.body
    assert answer.body == b""
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("key", ["0", "1231231234", "ff" * 16])
def test_a_hash_key_may_be_short(server, project: str, key: str) -> None:
    raw = log_group()
    assert write(server, project, compressed(raw, "lz4"), headers(len(raw)), f"/logstores/access/shards/route?key={key}").status == 200


@pytest.mark.parametrize("query", ["", "?key=", "?key=xyz", "?key=" + "0" * 33])
def test_a_hash_key_is_hex(server, project: str, query: str) -> None:
    raw = log_group()
    answer = write(server, project, compressed(raw, "lz4"), headers(len(raw)), "/logstores/access/shards/route" + query)
    assert (answer.status, answer.code) == (400, "ParameterInvalid")


RAW = log_group(events=50)
LZ4 = compressed(RAW, "lz4")


@pytest.mark.parametrize(
    ("body", "sent", "status", "code"),
    [
        pytest.param(RAW[:-7], headers(len(RAW) - 7, ""), 400, "PostBodyInvalid", id="truncated"),
        pytest.param(b"not a log group", headers(15, ""), 400, "PostBodyInvalid", id="no-protobuf"),
        pytest.param(compressed(RAW[:-7], "lz4"), headers(len(RAW) - 7), 400, "PostBodyInvalid", id="truncated-then-compressed"),
        pytest.param(b"\xff\xff\xff\xff garbage", headers(200), 400, "PostBodyUncompressError", id="no-lz4"),
        pytest.param(b"garbage", headers(200, "zstd"), 400, "PostBodyUncompressError", id="no-zstd"),
        pytest.param(b"garbage", headers(200, "deflate"), 400, "PostBodyUncompressError", id="no-deflate"),
        pytest.param(LZ4, headers(len(RAW) + 5), 400, "InvalidBodyRawSize", id="says-more"),
        pytest.param(RAW, headers(len(RAW) + 5, ""), 400, "InvalidBodyRawSize", id="plain-says-more"),
        pytest.param(compressed(RAW, "zstd"), headers(len(RAW) - 5, "zstd"), 400, "InvalidBodyRawSize", id="says-less"),
        pytest.param(LZ4, headers("many"), 400, "InvalidBodyRawSize", id="size-is-no-number"),
        pytest.param(LZ4, headers("-5"), 400, "InvalidBodyRawSize", id="negative-size"),
        pytest.param(LZ4, headers(len(RAW), "snappy"), 400, "InvalidCompressType", id="unknown-compression"),
        pytest.param(LZ4, {"content-type": "application/x-protobuf", "x-log-compresstype": "lz4"}, 400, "MissingBodyRawSize", id="no-size"),
        pytest.param(RAW, {"x-log-bodyrawsize": str(len(RAW))}, 400, "MissingContentType", id="no-content-type"),
        pytest.param(RAW, {**headers(len(RAW), ""), "content-type": "application/json"}, 415, "InvalidContentType", id="json"),
        pytest.param(b"x" * 100, headers(1 << 30), 400, "PostBodyTooLarge", id="bomb-by-declaration"),
        pytest.param(b"x" * 100, headers(30_000_000), 400, "InvalidBodyRawSize", id="bomb-by-ratio"),
        pytest.param(
            log_group(age_secs=8 * 86_400), headers(len(log_group(age_secs=8 * 86_400)), ""), 400, "PostBodyInvalid", id="too-old"
        ),
        pytest.param(log_group(age_secs=-3600), headers(len(log_group(age_secs=-3600)), ""), 400, "PostBodyInvalid", id="from-the-future"),
    ],
)
def test_a_wrong_write_gets_its_code(server, project: str, body: bytes, sent: dict[str, str], status: int, code: str) -> None:
    answer = write(server, project, body, sent)
    assert (answer.status, answer.code) == (status, code)
    assert len(answer.json()["errorMessage"]) > 10


def test_a_lying_lz4_size_is_never_taken(server, project: str) -> None:
    """Less than there is: lz4 cannot tell this from damage, so either code is right."""
    answer = write(server, project, LZ4, headers(len(RAW) - 5))
    assert answer.status == 400
    assert answer.code in ("InvalidBodyRawSize", "PostBodyUncompressError")


def test_a_claim_costs_no_memory(server, project: str) -> None:
    """A gibibyte in 100 bytes."""
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    for kind in ("lz4", "zstd", "deflate"):
        assert write(server, project, b"x" * 100, headers(1 << 30, kind)).status == 400
    assert process.memory_info().rss - before < 8_000_000


def test_a_real_bomb_is_inflated_no_further_than_a_write_may_go(server, project: str) -> None:
    """A gibibyte of zeros, with its true size and with false ones. What is held at the most is a few times 30 MB, one per thread."""
    gibibyte = 1 << 30
    zstd = compressed(bytes(gibibyte), "zstd")
    deflate = zlib.compressobj(1)
    deflated = b"".join(deflate.compress(bytes(1 << 24)) for _ in range(64)) + deflate.flush()
    before = psutil.Process(server.process.pid).memory_info().rss
    for size in (gibibyte, 31_000_000, 1000):
        assert write(server, project, zstd, headers(size, "zstd")).status == 400
        assert write(server, project, deflated, headers(size, "deflate")).status == 400
    assert peak_memory(server.process.pid) - before < 400_000_000


def peak_memory(pid: int) -> int:
    """The most that a process has ever held, in bytes."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


class TestBatchForm:
    """Only keys of kind *agent* have identities."""

    def test_a_repeat_is_counted_and_stores_nothing(self, server, project: str, key: tuple[str, str]) -> None:
        first, second = package(log_group("one"), 1, 0), package(log_group("two"), 1, 1)
        assert write(server, project, *batch([first]), key=key).headers["x-log-duplicates"] == "0"
        answer = write(server, project, *batch([first, second]), key=key)
        assert (answer.status, answer.headers["x-log-duplicates"]) == (200, "1")
        assert write(server, project, *batch([first, second]), key=key).headers["x-log-duplicates"] == "2"

    def test_another_key_kind_has_no_identity(self, server, project: str) -> None:
        body, sent = batch([package(log_group("same"), 2, 0)])
        assert [write(server, project, body, sent).headers["x-log-duplicates"] for _ in range(2)] == ["0", "0"]

    def test_an_agent_makes_the_logstore_of_what_it_says_about_itself_and_nobody_else_does(self, server) -> None:
        project, other = (server.fresh_name("internal") for _ in range(2))
        for name in (project, other):
            server.make_logstore(name, "access")
        key, target = server.enrol(server.fresh_name("agent"), project, ["access"]), f"/logstores/{LOGSTORE}/shards/lb"
        body, sent = batch([package(log_group(), 1, 0)])
        assert write(server, project, body, sent, target).code == "LogStoreNotExist"
        assert write(server, other, body, sent, target, key=key).status == 401
        assert [write(server, project, body, sent, target, key=key).headers["x-log-duplicates"] for _ in range(2)] == ["0", "1"]
        keys = server.request("GET", f"/logstores/{LOGSTORE}/index", project=project).json()["keys"]
        assert {keys["alarm_type"]["type"], keys["memory"]["type"], keys["cpu"]["type"]} == {"text", "long", "double"}
        assert server.request("GET", f"/logstores/{LOGSTORE}", project=project, key=key).status == 401

    def test_other_content_under_one_identity_is_a_fork(self, server, project: str, key: tuple[str, str]) -> None:
        write(server, project, *batch([package(log_group("mine"), 3, 0)]), key=key)
        answer = write(server, project, *batch([package(log_group("other"), 3, 0, fingerprint=b"f" * 16)]), key=key)
        assert (answer.status, answer.code) == (409, "IdentityForked")

    def test_an_agents_backlog_may_be_old(self, server, project: str, key: tuple[str, str]) -> None:
        assert write(server, project, *batch([package(log_group(age_secs=90 * 86_400), 4, 0)]), key=key).status == 200

    def test_an_agent_that_lost_its_checkpoint_learns_where_it_was(self, server, project: str) -> None:
        key = server.enrol(server.fresh_name("agent"), project, ["access"])
        write(server, project, *batch([package(log_group(), 5, 0), package(log_group(), 5, 1), package(log_group(), 6, 0)]), key=key)
        answer = server.request("GET", "/api/v1/agents/streams", key=key)
        assert answer.json()["streams"] == {f"{5:016X}": 200, f"{6:016X}": 100}
        assert server.request("GET", f"/api/v1/agents/streams?epoch={'00' * 16}", key=key).json()["streams"] == {}

    def test_an_agent_that_cannot_read_a_range_again_learns_whether_it_arrived(self, server, project: str) -> None:
        key = server.enrol(server.fresh_name("agent"), project, ["access"])
        write(server, project, *batch([package(log_group(), 5, number) for number in (0, 1, 3)]), key=key)
        path, epoch = f"/api/v1/agents/streams/{5:016X}", EPOCH.hex()
        assert server.request("GET", f"{path}?epoch={epoch}", key=key).json() == {"stored": [[0, 200], [300, 400]]}
        assert server.request("GET", f"{path}?epoch={'00' * 16}", key=key).json() == {"stored": []}
        assert server.request("GET", f"{path}?epoch={epoch}").code == "ParameterInvalid"

    def test_an_agent_writes_to_its_logstores_only(self, server, project: str, key: tuple[str, str]) -> None:
        answer = write(server, project, *batch([package(log_group(), 7, 0)]), target="/logstores/audit/shards/lb", key=key)
        assert (answer.status, answer.code) == (401, "Unauthorized")
        assert server.request("GET", "/logstores/access", project=project, key=key).code == "Unauthorized"
        assert server.request("GET", "/", key=key).code == "Unauthorized"

    def test_the_sizes_of_the_packages_are_the_size_of_the_request(self, server, project: str, key: tuple[str, str]) -> None:
        body, sent = batch([package(log_group(), 8, 0)])
        wrong = {**sent, "x-log-bodyrawsize": str(int(sent["x-log-bodyrawsize"]) + 1)}
        assert write(server, project, body, wrong, key=key).code == "InvalidBodyRawSize"

    @pytest.mark.parametrize("body", [b"", b"\x0a\x05abc", b"\x0a\x02\x10\x05"])
    def test_what_is_no_batch_is_refused(self, server, project: str, key: tuple[str, str], body: bytes) -> None:
        answer = write(server, project, body, headers(0, **{"x-log-mode": "batch_group"}), key=key)
        assert (answer.status, answer.code) == (400, "PostBodyInvalid")

    def test_one_bad_package_refuses_all(self, server, project: str, key: tuple[str, str]) -> None:
        good, bad = package(log_group(), 9, 0), package(log_group()[:-3], 9, 1)
        assert write(server, project, *batch([good, bad]), key=key).code == "PostBodyInvalid"
        assert write(server, project, *batch([good]), key=key).headers["x-log-duplicates"] == "0"

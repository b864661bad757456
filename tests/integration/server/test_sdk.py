"""The official Python SDK, unmodified, against a real server."""

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from aliyun.log import IndexConfig, IndexKeyConfig, IndexLineConfig, LogException, LogItem, PutLogsRequest

VERSIONS = pytest.mark.parametrize("version", ["1", "4"])


@pytest.fixture
def project(server) -> str:
    name = server.fresh_name("sdk")
    server.client().create_project(name, "made by a test")
    return name


def put(client: Any, project: str, logstore: str, **options: Any) -> None:
    item = LogItem(timestamp=int(time.time()), contents=[("level", "info"), ("text", "größer <als> 日志")])
    client.put_logs(PutLogsRequest(project, logstore, "topic", "10.0.0.1", [item], **options))


@VERSIONS
def test_a_project_lives_and_dies(server, version: str) -> None:
    client, name = server.client(sign_version=version), server.fresh_name("life")
    client.create_project(name, "first words")
    client.update_project(name, "other words & ümläute")
    found = client.get_project(name)
    assert (found.get_status(), found.get_description()) == ("Normal", "other words & ümläute")
    assert name in [each["projectName"] for each in client.list_project(project_name_pattern=name).get_projects()]
    client.delete_project(name)
    with pytest.raises(LogException) as caught:
        client.get_project(name)
    assert caught.value.get_error_code() == "ProjectNotExist"
    assert len(caught.value.get_request_id()) == 24


@VERSIONS
def test_a_logstore_lives_and_dies(server, project: str, version: str) -> None:
    client = server.client(sign_version=version)
    client.create_logstore(project, "access", ttl=7, shard_count=3)
    client.update_logstore(project, "access", ttl=9, enable_tracking=True)
    found = client.get_logstore(project, "access")
    assert (found.get_ttl(), found.get_shard_count(), found.get_enable_tracking()) == (9, 3, True)
    shards = client.list_shards(project, "access").get_shards_info()
    assert [shard["shardID"] for shard in shards] == [0, 1, 2]
    assert (shards[0]["inclusiveBeginKey"], shards[-1]["exclusiveEndKey"]) == ("0" * 32, "f" * 32)
    client.delete_logstore(project, "access")
    assert client.list_logstore(project).get_logstores() == []
    with pytest.raises(LogException) as caught:
        client.get_logstore(project, "access")
    assert caught.value.get_error_code() == "LogStoreNotExist"


def test_a_list_is_paged_and_filtered(server, project: str) -> None:
    client = server.client()
    for number in range(5):
        client.create_logstore(project, f"store-{number}", shard_count=1)
    page = client.list_logstore(project, offset=1, size=2)
    assert (page.get_logstores(), page.get_count(), page.get_total()) == (["store-1", "store-2"], 2, 5)
    assert client.list_logstore(project, logstore_name_pattern="RE-3").get_logstores() == ["store-3"]
    assert client.list_logstore(project, size=-1).get_count() == 5


def test_an_index_comes_back_as_it_was_given(server, project: str) -> None:
    client = server.client()
    client.create_logstore(project, "access", shard_count=1)
    line = IndexLineConfig([" ", ",", "\n"], False, None, None)
    keys = {"level": IndexKeyConfig([" "], False, doc_value=True), "cost": IndexKeyConfig(index_type="long", doc_value=True)}
    client.create_index(project, "access", IndexConfig(7, line, keys))
    with pytest.raises(LogException) as caught:
        client.create_index(project, "access", IndexConfig(7, line, keys))
    assert caught.value.get_error_code() == "IndexAlreadyExist"
    read = client.get_index_config(project, "access")
    assert read.get_index_config().to_json() == IndexConfig(7, line, keys).to_json()
    assert (read.get_body()["index_mode"], read.get_body()["storage"]) == ("v2", "pg")
    client.update_index(project, "access", IndexConfig(7, None, keys))
    assert client.get_index_config(project, "access").get_index_config().line_config is None
    client.delete_index(project, "access")
    with pytest.raises(LogException) as caught:
        client.get_index_config(project, "access")
    assert caught.value.get_error_code() == "IndexConfigNotExist"


@VERSIONS
@pytest.mark.parametrize("options", [{}, {"compress": False}, {"hashKey": "1231231234"}], ids=["lz4", "plain", "by-key"])
def test_logs_are_taken(server, project: str, version: str, options: dict[str, Any]) -> None:
    client = server.client(sign_version=version)
    client.create_logstore(project, "access", shard_count=2)
    put(client, project, "access", **options)
    with pytest.raises(LogException) as caught:
        put(client, project, "missing", **options)
    assert caught.value.get_error_code() == "LogStoreNotExist"


def test_the_clients_environment_is_enough(server, project: str) -> None:
    """`http_proxy=<server>` and nothing else: no DNS, no patch (sls-api §1.1)."""
    program = (
        "import sys; from aliyun.log import LogClient; endpoint, key_id, secret, project = sys.argv[1:]\n"
        "client = LogClient(endpoint, key_id, secret)\n"
        "client.create_logstore(project, 'from-environment'); print(client.list_logstore(project).get_logstores())"
    )
    environment = {name: value for name, value in os.environ.items() if name.lower() not in ("no_proxy", "http_proxy")}
    environment["http_proxy"] = server.endpoint
    command = [sys.executable, "-c", program, "http://127.0.0.1:8080", server.key_id, server.key_secret, project]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.strip() == "['from-environment']", result.stderr

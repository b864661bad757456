"""What leaves the machine to find a fault from afar holds no secret."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from tailrace.agent.diagnostics import bundle as bundles
from tailrace.agent.settings import startup
from tailrace.agent.status.overview import Overview
from tailrace.errors import StateError
from tailrace.pipeline.loading import from_document
from tailrace.wire.commands import MAX_RESULT_BYTES

SECRET = "correct-horse-battery"
PIPELINE = {
    "configName": "app",
    "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/app.log"]}],
    "flushers": [
        {
            "Type": "flusher_sls",
            "Endpoint": "http://127.0.0.1:1",
            "Project": "shop",
            "Logstore": "app",
            "AccessKeyId": "LTAI",
            "AccessKeySecret": SECRET,
        }
    ],
}


def made(home: Path) -> dict[str, str]:
    data = bundles.bundle(home, Overview(), lambda: startup.load(home, environment={}), lambda: [from_document(PIPELINE, "app")])
    assert len(data) <= MAX_RESULT_BYTES
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_holds_what_helps_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(f"http_proxy: http://me:{SECRET}@proxy.example:3128\ncpu_usage_limit: 0.3\n")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "agent.json").write_text(SECRET)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "agent.log").write_text(f'{{"event": "x"}}\nAuthorization: Bearer {SECRET}\npassword={SECRET}\n')
    parts = made(tmp_path)
    assert set(parts) == {"status.json", "settings.json", "pipelines.json", "metrics.txt", "logs/agent.log"}
    assert SECRET not in "".join(parts.values())
    assert json.loads(parts["pipelines.json"])[0]["flushers"][0] == {**PIPELINE["flushers"][0], "AccessKeySecret": "***"}
    settings = {row["key"]: row for row in json.loads(parts["settings.json"])}
    assert (settings["cpu_usage_limit"]["value"], settings["cpu_usage_limit"]["origin"]) == (0.3, "agent.yaml")
    assert settings["http_proxy"]["value"] == "***"
    assert parts["logs/agent.log"].startswith('{"event": "x"}\n')


def test_of_long_logs_it_holds_the_end_and_less_of_it_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "agent.log").write_text("".join(f"line {number}\n" for number in range(200_000)))
    whole = made(tmp_path)["logs/agent.log"]
    assert (len(whole), whole.endswith("line 199999\n")) == (1_048_576, True)
    monkeypatch.setattr(bundles, "MAX_RESULT_BYTES", 60_000)
    assert 16_384 <= len(made(tmp_path)["logs/agent.log"]) <= 131_072
    monkeypatch.setattr(bundles, "MAX_RESULT_BYTES", 100)
    with pytest.raises(StateError, match="larger than 100 bytes"):
        made(tmp_path)

"""Exports: the same events in each format, whatever their number, at once or as a job."""

import asyncio
import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
from aliyun.log import LogItem, PutLogsRequest

from tailrace.errors import ApiError
from tailrace.server.query import exporting, exports
from tailrace.server.query.exporting import Export
from tailrace.server.query.exports import Exports
from tailrace.server.query.formats import Format
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import FieldIndex, TableSpec
from tailrace.testing.server import Answer
from tests.conftest import RunningServer, running_server
from tests.integration.query.logs import START, TOKENS, EngineThread, Log
from tests.integration.query.test_commands import COMMAND, Shell

INDEX = {"line": {"token": list(TOKENS)}, "keys": {"status": {"type": "long", "doc_value": True}}}
NASTY = ['say "hi", twice', "two\nlines", "größer 日志", "=1+1", "", "\x00\x7f"]


class Exporting(Shell):
    def __init__(self, server: RunningServer) -> None:
        super().__init__(server)
        self.began = int(time.time())
        items = [
            LogItem(self.began + place % 3, contents=[("status", str(place)), ("text", text)] + ([("odd", "1")] if place % 2 else []))
            for place, text in enumerate(NASTY)
        ]
        server.client().put_logs(PutLogsRequest(self.project, "access", "topic", "10.0.0.1", items, logtags=[("host", "a")]))
        self.wait_for("*")
        deadline = time.monotonic() + 20
        while len(self.get().body.splitlines()) < len(NASTY):
            assert time.monotonic() < deadline

    @property
    def base(self) -> str:
        return f"/projects/{self.project}/logstores/access"

    def get(self, **wanted: Any) -> Answer:
        query = urlencode({"from": self.began - 60, "to": self.began + 60, **wanted})
        return self.server.call("GET", f"{self.base}/export?{query}")

    def expected(self) -> list[dict[str, str]]:
        """In the order of time, those of one second as they were written."""
        places = sorted(range(len(NASTY)), key=lambda place: place % 3)
        same = {"__source__": "10.0.0.1", "__topic__": "topic", "__tag__:host": "a"}
        events = [{"__time__": str(self.began + place % 3), **same, "status": str(place), "text": NASTY[place]} for place in places]
        return [event | ({"odd": "1"} if place % 2 else {}) for place, event in zip(places, events, strict=True)]


@pytest.fixture(scope="module")
def exporting_shell(server: RunningServer) -> Exporting:
    return Exporting(server)


def test_json_has_each_event_as_it_is(exporting_shell: Exporting):
    answer = exporting_shell.get()
    assert [json.loads(line) for line in answer.body.splitlines()] == exporting_shell.expected()
    assert (answer.headers["content-type"], answer.status) == ("application/x-ndjson", 200)
    chosen = exporting_shell.get(fields="status, odd", query="status < 2").body
    assert [json.loads(line) for line in chosen.splitlines()] == [{"status": "0"}, {"status": "1", "odd": "1"}]


def test_csv_and_parquet_have_a_column_for_each_field_that_there_is(exporting_shell: Exporting):
    columns = ["__time__", "__source__", "__topic__", "__tag__:host", "status", "odd", "text"]
    text = exporting_shell.get(format="csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == columns
    assert rows == [dict.fromkeys(columns, "") | event for event in exporting_shell.expected()]
    table = pq.read_table(io.BytesIO(exporting_shell.get(format="parquet").body))
    assert table.column_names == columns
    events = [dict.fromkeys(columns) | event | {"__time__": int(event["__time__"])} for event in exporting_shell.expected()]
    assert table.to_pylist() == events


def test_the_result_of_sql_is_a_file_too(exporting_shell: Exporting):
    answer = exporting_shell.get(query="* | select status % 2 as odd, count(*) as n group by odd order by odd", format="csv")
    assert answer.body == b"odd,n\r\n0,3\r\n1,3\r\n"


def test_what_cannot_be_asked_is_refused_before_the_file_begins(exporting_shell: Exporting):
    assert exporting_shell.get(query="a and").code == "ParameterInvalid"
    assert exporting_shell.get(query="* | select nothing").code == "ParameterInvalid"
    assert exporting_shell.get(format="xml").code == "ParameterInvalid"
    assert exporting_shell.get(to=1).code == "InvalidTimeRange"
    assert exporting_shell.server.call("GET", f"/projects/{exporting_shell.project}/logstores/none/export?from=1&to=2").status == 404


def test_pages_follow_each_other_without_a_gap_or_a_repeat(engine: EngineThread, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "PAGE_ROWS", 7)
    logs = [Log({"id": str(n)}, time=START + n // 10, shard=n % 3) for n in range(100)]
    logstore = engine.logstore(logs)

    async def everything() -> list[bytes]:
        export = Export(logstore.queries, lambda: logstore.table, "logs", "*", Window(START * NS, (START + 100) * NS), "json")
        return [part async for part in export.parts()]

    parts = engine.run(everything())
    found = [json.loads(line)["id"] for part in parts for line in part.splitlines()]
    assert len(parts) == 16
    assert sorted(map(int, found)) == list(range(100))
    assert [int(each) // 10 for each in found] == sorted(int(each) // 10 for each in found)


def test_an_export_goes_on_when_the_index_changes(engine: EngineThread, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "PAGE_ROWS", 7)
    logs = [Log({"id": str(n), "cost": str(n)}, time=START + n) for n in range(50)]
    logstore = engine.logstore(logs, fields=(FieldIndex("c1", "cost", "long"),))
    tables = [logstore.table]

    async def everything() -> list[bytes]:
        window = Window(START * NS, (START + 100) * NS)
        export = Export(logstore.queries, lambda: tables[-1], "logs", "cost > 5", window, "json")
        found: list[bytes] = []
        async for part in export.parts():
            found.append(part)
            if len(found) == 3:
                await engine.engine.execute(f"ALTER TABLE ls_{logstore.table.logstore} DROP COLUMN c1 SETTINGS mutations_sync = 1")
                tables.append(TableSpec(logstore.table.logstore, 30))
        return found

    parts = engine.run(everything())
    assert [json.loads(line)["id"] for part in parts for line in part.splitlines()] == [str(n) for n in range(6, 50)]


def test_a_job_writes_a_file_that_is_fetched_and_removed(exporting_shell: Exporting):
    server, base = exporting_shell.server, exporting_shell.base
    wanted = {"from": exporting_shell.began - 60, "to": exporting_shell.began + 60, "format": "csv", "query": "*"}
    job = server.call("POST", f"{base}/exports", wanted).json()
    deadline = time.monotonic() + 30
    while (found := server.call("GET", f"{base}/exports/{job['id']}").json())["status"] != "done":
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    file = server.call("GET", f"{base}/exports/{job['id']}/data")
    assert file.body == exporting_shell.get(format="csv").body
    assert (found["rows"], found["bytes"]) == (len(NASTY), len(file.body))
    assert [each["id"] for each in server.call("GET", f"{base}/exports").json()] == [job["id"]]
    assert server.call("DELETE", f"{base}/exports/{job['id']}").status == 200
    assert server.call("GET", f"{base}/exports/{job['id']}").code == "ExportNotExist"
    assert list((server.home / "server" / "exports").iterdir()) == []


def test_a_job_of_before_a_restart_is_there_and_one_that_was_cut_off_has_failed(tmp_path: Path):
    home = tmp_path / "home"
    with running_server(home) as server:
        server.make_logstore("test", "logs", INDEX)
        base = "/projects/test/logstores/logs"
        job = server.call("POST", f"{base}/exports", {"from": 1, "to": 2, "query": "*"}).json()["id"]
        deadline = time.monotonic() + 30
        while server.call("GET", f"{base}/exports/{job}").json()["status"] != "done":
            assert time.monotonic() < deadline
    directory = home / "server" / "exports"
    document = json.loads((directory / f"{job}.json").read_text())
    (directory / "cut.json").write_text(json.dumps({**document, "id": "cut", "status": "running"}))
    (directory / "cut.part").write_text("half")
    with running_server(home) as server:
        found = {each["id"]: (each["status"], each["message"]) for each in server.call("GET", f"{base}/exports").json()}
        assert found == {job: ("done", ""), "cut": ("failed", "the server was restarted")}
        assert server.call("GET", f"{base}/exports/{job}/data").body == b""
        assert server.call("GET", f"{base}/exports/cut/data").code == "ExportNotDone"
        assert not (directory / "cut.part").exists()


def test_a_job_goes_with_its_logstore_and_is_not_shown_to_the_next_of_that_name(server: RunningServer):
    shell = Exporting(server)
    wanted = {"from": shell.began - 60, "to": shell.began + 60, "query": "*"}
    job = server.call("POST", f"{shell.base}/exports", wanted).json()["id"]
    deadline = time.monotonic() + 30
    while server.call("GET", f"{shell.base}/exports/{job}").json()["status"] != "done":
        assert time.monotonic() < deadline
    server.client().delete_project(shell.project)
    server.make_logstore(shell.project, "access", INDEX)
    assert server.call("GET", f"{shell.base}/exports").json() == []
    assert server.call("GET", f"{shell.base}/exports/{job}/data").code == "ExportNotExist"
    assert list((server.home / "server" / "exports").glob(f"{job}*")) == []


def _export(engine: EngineThread, statement: str, kind: Format = "json") -> Export:
    logstore = engine.logstore([Log({"id": "1"})])
    return Export(logstore.queries, lambda: logstore.table, "logs", statement, Window(START * NS, (START + 100) * NS), kind)


def test_a_result_of_sql_may_name_its_columns_as_it_likes(engine: EngineThread):
    export = _export(engine, "* | select 'noon' as __time__", "parquet")

    async def everything() -> bytes:
        return b"".join([part async for part in export.parts()])

    assert pq.read_table(io.BytesIO(engine.run(everything()))).to_pylist() == [{"__time__": "noon"}]


class Broken(Export):
    async def parts(self) -> AsyncIterator[bytes]:
        yield b"begun"
        raise ValueError("no such thing")


def test_a_job_that_breaks_in_any_way_has_failed(engine: EngineThread, tmp_path: Path):
    export = _export(engine, "*")

    async def job() -> tuple[str, str]:
        made = Exports(tmp_path)
        found = made.start("mine", 1, Broken(export.queries, export.now, "logs", "*", export.window, "json"))
        while found.status in ("waiting", "running"):
            await asyncio.sleep(0.01)
        return found.status, found.message

    assert engine.run(asyncio.wait_for(job(), 20)) == ("failed", "no such thing")


def test_a_job_that_the_disk_does_not_take_is_not_there(engine: EngineThread, tmp_path: Path):
    export = _export(engine, "*")

    async def start() -> int:
        made = Exports(tmp_path / "gone")
        with pytest.raises(ApiError, match="cannot begin an export"):
            made.start("mine", 1, export)
        return len(made.jobs(1))

    assert engine.run(start()) == 0


def test_each_project_has_a_number_of_jobs_of_its_own(engine: EngineThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exports, "MAX_JOBS", 1)
    export = _export(engine, "*")

    async def start() -> list[int]:
        made = Exports(tmp_path)
        made.start("mine", 1, export)
        with pytest.raises(ApiError, match="`mine` has 1 export jobs already"):
            made.start("mine", 2, export)
        made.start("theirs", 3, export)
        await made.close()
        return [len(made.jobs(logstore)) for logstore in (1, 2, 3)]

    assert engine.run(start()) == [1, 0, 1]


def test_the_command_writes_to_a_file_or_to_the_standard_output(exporting_shell: Exporting, tmp_path: Path):
    def export(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "export", *words]
        return subprocess.run(command, check=False, env=exporting_shell.environment, capture_output=True, text=True, timeout=60)

    shown = export("status < 2", "--fields", "status")
    assert (shown.stdout, shown.returncode) == ('{"status":"0"}\n{"status":"1"}\n', 0)
    target = tmp_path / "out.parquet"
    done = export("--format", "parquet", "--file", str(target))
    assert (pq.read_table(target).num_rows, done.returncode) == (len(NASTY), 0)
    assert "bytes to" in done.stderr
    refused = export("a and", "--file", str(tmp_path / "none"))
    assert refused.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.long
def test_an_export_of_any_length_needs_the_memory_of_a_page(engine: EngineThread):
    """Ten million rows through the real pages and formats, in a process that says what it held at most."""
    program = Path(__file__).with_name("export_memory.py")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=1800, check=True)
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["rows"] == 10_000_000
    assert report["grown_mb"] < 300

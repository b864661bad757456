"""A server whose metadata were lost, or are an older copy: no new logstore shows logs that are there already, perhaps another project's."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.conftest import RunningServer, running_server
from tests.integration.server.loggroups import compressed, headers, log_group

INDEX = {"line": {"token": [" "]}, "keys": {}}


def write(server: RunningServer, project: str, events: int) -> None:
    raw = log_group(events=events)
    answer = server.request("POST", "/logstores/access/shards/lb", project=project, body=compressed(raw, "lz4"), headers=headers(len(raw)))
    assert answer.status == 200, answer.body


def count(server: RunningServer, project: str) -> int:
    """Events of the project's logstore, over all times."""
    answer = server.request("GET", "/logstores/access?type=log&from=0&to=4000000000&query=*&line=100", project=project)
    assert answer.status == 200, answer.body
    return len(answer.json())


def wait_for(server: RunningServer, project: str, events: int) -> None:
    """What was written becomes searchable within seconds."""
    until = time.monotonic() + 20
    while count(server, project) < events and time.monotonic() < until:
        time.sleep(0.1)
    assert count(server, project) == events


def stored(home: Path, project: str, events: int) -> Path:
    """A home with one logstore whose events are in the engine, and its metadata."""
    with running_server(home) as server:
        server.make_logstore(project, "access", INDEX)
        write(server, project, events)
    return home / "server" / "meta.db"


def table(meta: Path, project: str) -> str:
    """Name of the engine's table of the one logstore of a project, as the metadata has it."""
    query = "SELECT logstores.id FROM logstores JOIN projects ON projects.id = project_id WHERE projects.name = ?"
    with closing(sqlite3.connect(meta)) as connection:
        ((number,),) = connection.execute(query, [project]).fetchall()
    return f'"ls_{number}"'


def alarms(home: Path) -> str:
    """What the server has told of tables that it does not know."""
    log = (home / "logs" / "server.log").read_text()
    return "\n".join(line for line in log.splitlines() if "STORE_UNKNOWN_TABLE_ALARM" in line)


def test_logs_of_a_lost_project_show_up_in_no_other(tmp_path: Path) -> None:
    meta = stored(tmp_path, "payroll", 5)
    assert alarms(tmp_path) == ""
    lost = table(meta, "payroll")
    for path in (meta, tmp_path / "secret" / "master.key", tmp_path / "secret" / "admin.json"):
        path.unlink()
    with running_server(tmp_path) as server:
        server.make_logstore("canteen", "access", INDEX)
        assert count(server, "canteen") == 0
        write(server, "canteen", 3)
        wait_for(server, "canteen", 3)
    assert lost in alarms(tmp_path)


def test_an_older_copy_of_the_metadata_gives_each_logstore_its_own_table(tmp_path: Path) -> None:
    meta = stored(tmp_path, "early", 2)
    shutil.copy(meta, tmp_path / "copy.db")
    with running_server(tmp_path) as server:
        server.make_logstore("between", "access", INDEX)
        write(server, "between", 4)
    lost, kept = table(meta, "between"), table(meta, "early")
    shutil.copy(tmp_path / "copy.db", meta)
    with running_server(tmp_path) as server:
        server.make_logstore("late", "access", INDEX)
        assert (count(server, "early"), count(server, "late")) == (2, 0)
    assert lost in alarms(tmp_path)
    assert kept not in alarms(tmp_path)

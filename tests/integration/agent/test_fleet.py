"""Three real agents: each runs what its groups say, whatever becomes of ids, homes and the server; nothing is lost or there twice."""

import os
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.integration.agent.fleet import PROJECT, Fleet, Machine, copy_home, three_agents, until

LONG_SECS = 600.0
pytestmark = pytest.mark.timeout(LONG_SECS)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with three_agents(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


def test_each_runs_exactly_the_configs_of_its_groups_and_an_id_that_moves_moves_it(fleet: Fleet) -> None:
    for machine in fleet.machines:
        machine.write(file="web" if "web" in machine.runs else "db")
    assert fleet.arrives() == (fleet.written, fleet.written)
    rows = fleet.rows()
    assert {name: row["groups"] for name, row in rows.items()} == {"ant": ["web"], "bee": ["web"], "cat": ["db"]}
    cat = fleet.machines[2]
    cat.carry("other-servers")
    fleet.settled({"web"}, {"web"}, set())
    assert fleet.rows()["cat"]["groups"] == []
    cat.write(file="db")
    cat.carry("db-servers")
    fleet.settled({"web"}, {"web"}, {"db"})
    assert fleet.arrives() == (fleet.written, fleet.written), "it goes on where it stood"


def stays_away(fleet: Fleet, secs: float) -> None:
    """The server, while agents write."""
    fleet.stop()
    began = time.monotonic()
    while time.monotonic() - began < secs:
        for machine in fleet.machines:
            machine.write(file="web" if machine.name != "cat" else "db")
        time.sleep(min(1.0, secs / 10))
    fleet.start()


def test_they_work_through_an_outage_of_the_server(fleet: Fleet) -> None:
    stays_away(fleet, 3.0)
    assert fleet.arrives() == (fleet.written, fleet.written)
    until(lambda: {row["status"] for row in fleet.rows().values()} == {"healthy"}, "all of them healthy")
    fleet.settled({"web"}, {"web"}, {"db"})


@pytest.mark.long
@pytest.mark.timeout(3 * LONG_SECS)
def test_they_work_through_ten_minutes_without_the_server(fleet: Fleet) -> None:
    stays_away(fleet, LONG_SECS)
    assert fleet.arrives() == (fleet.written, fleet.written)
    until(lambda: {row["status"] for row in fleet.rows().values()} == {"healthy"}, "all of them healthy")


def test_an_older_database_brings_its_configs_back_and_no_event_a_second_time(fleet: Fleet) -> None:
    fleet.stop()
    database = fleet.home / "server" / "meta.db"
    older = fleet.home.parent / "older.db"
    shutil.copyfile(database, older)  # of a server that has ended in good order: nothing is in the log beside it
    fleet.start()
    before = fleet.server.call("GET", f"/projects/{PROJECT}/configs").json()
    fleet.save("web", depth=3)
    ant = fleet.machines[0]
    until(lambda: fleet.rows()["ant"]["configs"] and "applied" in fleet.rows()["ant"]["configs"][0]["outcome"], "the newer version")
    ant.write()
    fleet.arrives()
    fleet.stop()
    for name in ("meta.db-wal", "meta.db-shm"):
        database.with_name(name).unlink(missing_ok=True)
    shutil.copyfile(older, database)
    os.chmod(database, 0o600)
    ant.write()
    fleet.start()
    assert fleet.server.call("GET", f"/projects/{PROJECT}/configs").json() == before
    ant.write()
    fleet.settled({"web"}, {"web"}, {"db"})
    assert fleet.arrives() == (fleet.written, fleet.written)
    until(lambda: fleet.rows()["ant"]["status"] == "healthy", "healthy")


@pytest.mark.long
def test_a_cloned_home_is_turned_away_and_shown_until_it_gets_an_id_of_its_own(fleet: Fleet) -> None:
    bee = fleet.machines[1]
    copy = Machine(fleet.directory / "copy", fleet, 8)
    copy_home(bee.home, copy.home)
    copy.settings(allowed_roots=[str(copy.logs)], working_ip=bee.address, working_hostname="copy")
    copy.start()
    try:
        until(lambda: copy.state == "identity_conflict", "the clone is turned away")
        (copy.logs / "web.log").write_text("not bee's\n")
        until(lambda: "another machine claims its id" in fleet.row("bee")["reason"], "the server shows it")
        bee.write()
        assert fleet.arrives() == (fleet.written, fleet.written), "the clone has sent nothing"
    finally:
        copy.stop()
    until(lambda: fleet.row("bee")["status"] == "healthy", "it is over")


@pytest.mark.parametrize("with_its_logs", [False, True])
def test_an_older_home_goes_on_at_what_is_stored(fleet: Fleet, with_its_logs: bool) -> None:
    """A snapshot that is restored, of a home alone or of the whole machine: what was sent since is neither lost nor there twice."""
    ant = fleet.machines[0]
    ant.write(100)
    fleet.arrives()
    ant.stop()
    older, log = fleet.directory / f"snapshot {with_its_logs}", ant.logs / "web.log"
    copy_home(ant.home, older)
    size = log.stat().st_size
    ant.start()
    for _ in range(3):
        ant.write(100)
        fleet.arrives()
    ant.stop()
    shutil.rmtree(ant.home)
    copy_home(older, ant.home)
    if with_its_logs:
        os.truncate(log, size)
    ant.start()
    ant.write(100)
    fleet.settled({"web"}, {"web"}, {"db"})
    assert fleet.arrives() == (fleet.written, fleet.written)
    fleet.save("web", depth=1 + with_its_logs)
    fleet.settled({"web"}, {"web"}, {"db"})
    ant.write(100)
    assert fleet.arrives() == (fleet.written, fleet.written), "a reload goes on where the reader stood, and not at the stored end again"
    until(lambda: fleet.rows()["ant"]["status"] == "healthy", "healthy")


def test_a_bad_version_stops_at_the_first_agent_although_the_server_is_killed_meanwhile(fleet: Fleet) -> None:
    bad = fleet.pipeline("web", processors=[{"Type": "processor_dict_map", "SourceKey": "content", "DictFilePath": "/no/such/file"}])
    body = {"config": "web", **bad, "stages": ["1"], "soak_secs": 1}
    begun = fleet.server.call("POST", f"/projects/{PROJECT}/rollouts", body)
    assert begun.status == 200, begun.body
    fleet.kill()
    fleet.start()
    path = f"/projects/{PROJECT}/rollouts/{begun.json()['id']}"
    until(lambda: fleet.server.call("GET", path).json()["state"] == "stopped", "it stops")
    stopped = fleet.server.call("GET", path).json()
    assert (stopped["agents"], stopped["stage"], [one["outcome"] for one in stopped["progress"]]) == (1, 1, ["failed"])
    fleet.settled({"web"}, {"web"}, {"db"})
    for machine in fleet.machines[:2]:
        machine.write()
    assert fleet.arrives() == (fleet.written, fleet.written), "the version before runs on all of them"
    assert fleet.server.call("POST", f"{path}/rollback").json()["state"] == "rolled back"
    until(lambda: {row["status"] for row in fleet.rows().values()} == {"healthy"}, "all of them healthy")

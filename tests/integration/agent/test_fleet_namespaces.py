"""The fleet on machines with networks of their own: each agent in a namespace, with the address that it has there. Needs root."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agent.fleet import NAMES, Fleet, Machine, three_agents

SERVER = "10.77.0.254"
BRIDGE = "tailrace-test"
LONG_SECS = 600.0
pytestmark = [pytest.mark.long, pytest.mark.timeout(LONG_SECS)]


def run(line: str, *, check: bool = True) -> None:
    subprocess.run(line.split(), check=check, capture_output=True)


class Networked(Machine):
    """It says no address: the server knows it by the one that its namespace has."""

    def __init__(self, directory: Path, fleet: Fleet, number: int) -> None:
        super().__init__(directory, fleet, number)
        self.endpoint = f"https://{SERVER}:{fleet.server.tls_port}"
        self.command = ["ip", "netns", "exec", f"tailrace-{self.name}", sys.executable, "-m", "tailrace.cli.main"]
        self.settings(allowed_roots=[str(self.logs)], working_hostname=self.name)

    def connect(self, to: str) -> None:
        run(f"ip link set t-{self.name} {to}")


def unplug() -> None:
    for name in NAMES:
        run(f"ip netns del tailrace-{name}", check=False)
    run(f"ip link del {BRIDGE}", check=False)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    unplug()
    try:
        for line in (f"link add {BRIDGE} type bridge", f"addr add {SERVER}/24 dev {BRIDGE}", f"link set {BRIDGE} up"):
            run(f"ip {line}")
        for number, name in enumerate(NAMES):
            inside = f"tailrace-{name}"
            run(f"ip netns add {inside}")
            run(f"ip link add t-{name} type veth peer name eth0 netns {inside}")
            run(f"ip link set t-{name} master {BRIDGE} up")
            for line in (
                f"addr add 10.77.0.{number + 1}/24 dev eth0",
                "link set eth0 up",
                "link set lo up",
                f"route add default via {SERVER}",
            ):
                run(f"ip -n {inside} {line}")
        with three_agents(tmp_path_factory.mktemp("networks"), Networked, tls_host=SERVER) as fleet:
            yield fleet
    finally:
        unplug()


def test_each_is_known_by_the_address_of_its_own_network_and_gets_the_configs_of_its_groups(fleet: Fleet) -> None:
    rows = fleet.rows()
    assert {name: row["addresses"] for name, row in rows.items()} == {name: [f"10.77.0.{at + 1}"] for at, name in enumerate(NAMES)}
    assert {name: row["groups"] for name, row in rows.items()} == {"ant": ["web"], "bee": ["web"], "cat": ["db"]}
    for machine in fleet.machines:
        machine.write(file="web" if "web" in machine.runs else "db")
    assert fleet.arrives() == (fleet.written, fleet.written)


def test_an_id_that_moves_moves_its_configs(fleet: Fleet) -> None:
    cat = fleet.machines[2]
    cat.carry("other-servers")
    fleet.settled({"web"}, {"web"}, set())
    cat.write(file="db")
    cat.carry("db-servers")
    fleet.settled({"web"}, {"web"}, {"db"})
    assert fleet.arrives() == (fleet.written, fleet.written)


def test_a_cable_that_is_pulled_out_for_a_while_loses_and_repeats_nothing(fleet: Fleet) -> None:
    ant = fleet.machines[0]
    assert isinstance(ant, Networked)
    ant.connect("down")
    for _ in range(10):
        ant.write(100)
        time.sleep(1)
    ant.connect("up")
    assert fleet.arrives() == (fleet.written, fleet.written)

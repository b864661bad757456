"""Three agents on homes of their own, with addresses, ids and machines of their own, and the server that manages them."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tailrace.agent.control.socket import ask
from tailrace.errors import TailraceError
from tests.conftest import running_server
from tests.integration.agent.running import Agent, wait_for

PROJECT = "fleet"
SETTINGS = {"agent_key_secs": 30, "agent_poll_secs": 2}
INDEX = {"line": {"token": [" "]}, "keys": {"content": {"type": "text", "token": [" "], "doc_value": True}}}
NAMES = ("ant", "bee", "cat")
PATIENCE_SECS = 120.0

AnyFleet = TypeVar("AnyFleet", bound="Fleet")


class Machine(Agent):
    """One agent: it reads below its own directory only, whatever its configs name."""

    def __init__(self, directory: Path, fleet: "Fleet", number: int) -> None:
        endpoint = f"https://127.0.0.1:{fleet.server.tls_port}"
        super().__init__(directory, endpoint, {"TAILRACE_MACHINE_ID": f"machine-{directory.name}"})
        self.fleet, self.name, self.address, self.written = fleet, directory.name, f"10.77.0.{number + 1}", 0
        self.settings(allowed_roots=[str(self.logs)], working_ip=self.address, working_hostname=self.name)

    @property
    def id(self) -> str:
        return str(json.loads((self.home / "secret" / "agent.json").read_text())["agent_id"])

    def join(self) -> None:
        token = self.fleet.server.call("POST", "/tokens", {"project": PROJECT}).json()["token"]
        command = [*self.command, "agent", "enroll", "--home", str(self.home), "--token", "-", "--server", self.endpoint]
        environment = {**os.environ, **self.environment}
        subprocess.run(command, input=token, capture_output=True, text=True, timeout=PATIENCE_SECS, check=True, env=environment)

    def carry(self, *ids: str) -> None:
        (self.home / "user_defined_id").write_text("\n".join(ids))

    def write(self, count: int = 10, *, file: str = "web") -> None:
        with (self.logs / f"{file}.log").open("a") as log:
            log.writelines(f"{self.name} {number:07d}\n" for number in range(self.written, self.written + count))
        self.written += count

    @property
    def runs(self) -> set[str]:
        """Configs that it has at work."""
        try:
            return {row["pipeline"].partition("@")[2] for row in ask(self.home / "run", {"ask": "pipelines"}) if row["state"] != "refused"}
        except TailraceError:
            return set()

    @property
    def state(self) -> str:
        try:
            return str(ask(self.home / "run", {"ask": "servers"})[0]["state"])
        except TailraceError:
            return ""


class Fleet:
    """`home` is the server's; it keeps its ports when it is started again."""

    index: Mapping[str, Any] = INDEX

    def __init__(self, directory: Path, machine: type[Machine] = Machine, **settings: Any) -> None:
        self._settings = {**SETTINGS, **settings}
        self._stack = ExitStack()
        self.home = directory / "server"
        self.home.mkdir()
        (self.home / "server.yaml").write_text(json.dumps(self._settings))
        self.server = self._stack.enter_context(running_server(self.home))
        self._ports = self.server.port, self.server.tls_port
        self.server.make_logstore(PROJECT, "app", self.index)
        self.machines = [machine(directory / name, self, number) for number, name in enumerate(NAMES)]
        self.directory = directory

    def start(self) -> None:
        """Again, on the same home and ports."""
        port, tls_port = self._ports
        (self.home / "server.yaml").write_text(json.dumps({**self._settings, "tls_port": tls_port}))
        self.server = self._stack.enter_context(running_server(self.home, port=port))

    def stop(self) -> None:
        self._stack.close()

    def kill(self) -> None:
        self.server.process.kill()
        self._stack.close()

    # --- configs and groups -----------------------------------------------------------------------------------------------------
    def group(self, name: str, *, ips: Any = (), ids: Any = ()) -> None:
        machines = {"machineIdentifyType": "ip" if ips else "userdefined", "machineList": list(ips or ids)}
        self._sls("POST", "/machinegroups", {"groupName": name, "groupType": "", "groupAttribute": {}, **machines})

    def pipeline(self, name: str, *, depth: int = 0, processors: Any = ()) -> dict[str, str]:
        """That reads `NAME.log` of each machine."""
        source = {"Type": "input_file", "FilePaths": [f"{self.directory}/*/logs/{name}.log"], "TailingAllMatchedFiles": True}
        document = {
            "inputs": [{**source, "MaxDirSearchDepth": depth}],
            "processors": list(processors),
            "flushers": [{"Type": "flusher_sls", "Logstore": "app"}],
        }
        return {"text": json.dumps({key: value for key, value in document.items() if value})}

    def save(self, name: str, *groups: str, **options: Any) -> None:
        answer = self.server.call("PUT", f"/projects/{PROJECT}/pipelines/{name}", self.pipeline(name, **options))
        assert answer.status == 200, answer.body
        for group in groups:
            self._sls("PUT", f"/machinegroups/{group}/configs/{name}")

    def _sls(self, method: str, path: str, document: object = None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"content-type": "application/json"} if body else {}
        answer = self.server.request(method, path, project=PROJECT, body=body, headers=headers)
        assert answer.status == 200, answer.body

    # --- what became of it ------------------------------------------------------------------------------------------------------
    def rows(self) -> dict[str, dict[str, Any]]:
        """By host name, as the server sees them."""
        rows = self.server.call("GET", f"/projects/{PROJECT}/agents").json()["agents"]
        return {row["host_name"]: row for row in rows}

    def row(self, name: str) -> dict[str, Any]:
        """Of one machine, whatever name another one has given its agent for the moment."""
        agent = next(one.id for one in self.machines if one.name == name)
        return next(row for row in self.rows().values() if row["agent_id"] == agent)

    def ask(self, statement: str) -> list[dict[str, str]]:
        """SQL over all events."""
        body = json.dumps({"from": 1, "to": 2**31, "query": f"* | {statement}", "line": 100, "offset": 0}).encode()
        answer = self.server.request(
            "POST", "/logstores/app/logs", project=PROJECT, body=body, headers={"content-type": "application/json"}
        )
        assert answer.status == 200, answer.body
        return answer.json()["data"]

    def count(self, what: str = "count(*)") -> int:
        return int(self.ask(f"select {what} as n")[0]["n"])

    @property
    def written(self) -> int:
        return sum(one.written for one in self.machines)

    def arrives(self) -> tuple[int, int]:
        """Waits until as many events are there as were written: how many, and how many different ones."""
        until(lambda: self.count() >= self.written, f"{self.written} events")
        return self.count(), self.count("count(distinct content)")

    def settled(self, *configs: set[str]) -> None:
        """Waits until each machine runs its configs."""
        for machine, wanted in zip(self.machines, configs, strict=True):
            until(lambda machine=machine, wanted=wanted: machine.runs == wanted, f"{machine.name} runs {wanted}: {machine.log()[-2000:]}")


def until(condition: Callable[[], object], what: str, **options: float) -> None:
    wait_for(condition, what, PATIENCE_SECS, **options)


def copy_home(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("run", "*.sock", "*.tmp"), dirs_exist_ok=True)


@contextmanager
def three_agents(directory: Path, machine: type[Machine] = Machine, **settings: Any) -> Iterator[Fleet]:
    """`ant` and `bee` in group `web` by address, `cat` in group `db` by id; each group with the config of its name."""
    with ended(Fleet(directory, machine, **settings)) as fleet:
        fleet.group("web", ips=[one.address for one in fleet.machines[:2]])
        fleet.group("db", ids=["db-servers"])
        fleet.save("web", "web")
        fleet.save("db", "db")
        fleet.machines[2].carry("db-servers")
        for machine in fleet.machines:
            machine.join()
            machine.start()
        fleet.settled({"web"}, {"web"}, {"db"})
        yield fleet


@contextmanager
def ended(fleet: AnyFleet) -> Iterator[AnyFleet]:
    """Whatever happens within it, its agents and its server come to their end."""
    try:
        yield fleet
    finally:
        for machine in fleet.machines:
            if machine.process is not None and machine.process.poll() is None:
                machine.process.terminate()
        for machine in fleet.machines:
            if machine.process is not None:
                machine.process.wait(60)
        fleet.stop()

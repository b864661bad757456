"""A server's fleet without its network, on a real database."""

from pathlib import Path
from typing import Any

from tailrace.server.auth.vault import open_vault
from tailrace.server.db.collection import Collection
from tailrace.server.db.records import Agent, Grant, MachineGroup, Project
from tailrace.server.db.roster import Roster
from tailrace.server.db.statements import insert_project
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet.commands import Commands
from tailrace.server.fleet.heartbeats import Heartbeats
from tailrace.server.fleet.instance_configs import InstanceConfigs
from tailrace.server.fleet.membership import Membership
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.roll import Roll
from tailrace.server.fleet.rollouts import Rollouts
from tailrace.server.fleet.waking import Waking
from tailrace.wire.control import (
    AgentCapability,
    Attributes,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestFlag,
    Tag,
)
from tailrace.wire.vitals import Vitals, encode
from tests.databases import open_for_test

PIPELINE = {"inputs": [{"Type": "input_file", "FilePaths": ["/var/log/*.log"]}], "flushers": [{"Type": "flusher_sls", "Logstore": "app"}]}
CLASSIC = {"inputType": "file", "inputDetail": {"logPath": "/a", "filePattern": "*"}, "outputDetail": {"logstoreName": "app"}}


class Bench:
    """A server's fleet without its network, on a real database."""

    def __init__(self, path: Path) -> None:
        self.transactions = Transactions(open_for_test(path))
        self.now = 1000.0
        self.waking, self.reports = Waking(), Reports(lambda: self.now)
        self.vault = open_vault(path.with_name("master.key"), create=True)
        self.roster, self.collection = Roster(self.transactions), Collection(self.transactions, self.vault, self.waking.changed)
        self.membership = Membership(self.collection, self.roster, self.reports)
        self.commands = Commands(self.transactions, self.vault, self.reports, self.waking, clock=lambda: self.now)
        self.settings = InstanceConfigs(self.transactions, self.waking)
        self.collection.dropped.append(self.settings.group_deleted)
        self.heartbeats = Heartbeats(
            self.collection,
            self.reports,
            self.membership,
            "https://logs.example:9481",
            roster=self.roster,
            waking=self.waking,
            commands=self.commands,
            settings=self.settings,
        )
        self.take(Rollouts(self.transactions, self.collection, self.reports, self.membership, self.waking, clock=lambda: self.now))
        self.roll = Roll(self.roster, self.collection, self.reports, self.membership, self.heartbeats)
        self.projects: dict[str, Project] = {}
        self.sequences: dict[str, int] = {}

    async def project(self, name: str, *agents: str) -> None:
        self.projects[name] = await self.transactions.run(insert_project, name, "", {}, 1)
        for agent in agents:
            known = self.roster.agent(agent) or Agent(agent, len(self.roster.agents()))
            await self.roster.enrol(known, Grant(agent, name, ("*",), 1))

    def take(self, rollouts: Rollouts) -> None:
        self.rollouts = rollouts
        self.heartbeats.version_for, rollouts.runs = rollouts.version_for, self.heartbeats.number

    async def join(self, agent: str, project: str) -> None:
        await self.roster.enrol(self.roster.known_agent(agent), Grant(agent, project, ("*",), 1))

    async def group(self, project: str, name: str, *machines: str, by: Any = "ip", topic: str = "") -> None:
        attribute = {"groupTopic": topic} if topic else {}
        await self.collection.create_group(self.projects[project], MachineGroup(0, project, name, by, machines, "", attribute, 0, 0))

    async def config(self, project: str, name: str, *groups: str, document: Any = None, form: Any = "pipeline") -> None:
        await self.collection.create_config(self.projects[project], name, form, document or PIPELINE, "key")
        for group in groups:
            await self.collection.apply(project, group, name)

    def beat(
        self,
        agent: str,
        *,
        ip: str = "",
        ids: tuple[str, ...] = (),
        system: str = "linux",
        held: Any = (),
        commands: Any = (),
        settings: Any = (),
        **more: Any,
    ) -> HeartbeatResponse:
        """One in full; `more` are vitals."""
        self.sequences[agent] = self.sequences.get(agent, -1) + 1
        beat = HeartbeatRequest(
            sequence_num=self.sequences[agent],
            instance_id=agent.encode(),
            attributes=Attributes(ip=ip.encode(), hostname=f"host-{agent}".encode(), extras={"os": system.encode()}),
            tags=[Tag("user_defined_id", one) for one in ids],
            capabilities=AgentCapability.CONTINUOUS | AgentCapability.INSTANCE | AgentCapability.ONETIME,
            continuous_pipeline_configs=list(held),
            instance_configs=list(settings),
            onetime_pipeline_configs=list(commands),
            flags=RequestFlag.FULL_STATE,
            opaque=encode(Vitals(**more)),
        )
        return self.heartbeats.answer(agent, beat)

    def short_beat(self, agent: str, *, skip: int = 1) -> HeartbeatResponse:
        self.sequences[agent] += skip
        return self.heartbeats.answer(agent, HeartbeatRequest(sequence_num=self.sequences[agent], instance_id=agent.encode()))

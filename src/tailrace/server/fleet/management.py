"""What manages the agents: one of each part, on the database and what it keeps of configs and groups."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tailrace.server.auth.vault import Vault
from tailrace.server.db.collection import Collection
from tailrace.server.db.roster import Roster
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet.commands import Commands
from tailrace.server.fleet.heartbeats import Heartbeats
from tailrace.server.fleet.instance_configs import InstanceConfigs
from tailrace.server.fleet.keeping import ReportKeeper
from tailrace.server.fleet.membership import Membership
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.roll import Roll
from tailrace.server.fleet.rollouts import Rollouts
from tailrace.server.fleet.waking import Waking


@dataclass(frozen=True, slots=True)
class Management:
    """Parts of a running server."""

    waking: Waking
    reports: Reports
    membership: Membership
    heartbeats: Heartbeats
    roll: Roll
    keeper: ReportKeeper
    rollouts: Rollouts
    commands: Commands
    settings: InstanceConfigs

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async with self.keeper.running(), self.rollouts.running(), self.commands.running():
            yield


async def open_management(
    transactions: Transactions, vault: Vault, roster: Roster, collection: Collection, waking: Waking, *, endpoint: str
) -> Management:
    """`endpoint` is where agents are told to send to."""
    reports = Reports()
    membership = Membership(collection, roster, reports)
    commands, settings = Commands(transactions, vault, reports, waking), InstanceConfigs(transactions, waking)
    await commands.open()
    await settings.open()
    collection.dropped.append(settings.group_deleted)
    heartbeats = Heartbeats(collection, reports, membership, endpoint, roster=roster, waking=waking, commands=commands, settings=settings)
    keeper = ReportKeeper(transactions, reports, roster)
    await keeper.open()
    for report in reports:  # they are kept apart from what became of commands: after a kill they may know more of it
        commands.recall(report)
    rollouts = Rollouts(transactions, collection, reports, membership, waking)
    await rollouts.open()
    heartbeats.version_for, rollouts.runs = rollouts.version_for, heartbeats.number
    roll = Roll(roster, collection, reports, membership, heartbeats)
    return Management(waking, reports, membership, heartbeats, roll, keeper, rollouts, commands, settings)

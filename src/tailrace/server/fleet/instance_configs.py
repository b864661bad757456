"""Settings of agents that machine groups give (`pipeline.agent_settings`): the instance configs of the ConfigServer protocol.

They concern an agent as a whole, so an agent that works for several projects gets them from none.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tailrace.errors import ApiError
from tailrace.pipeline.agent_settings import ServedSettings
from tailrace.pipeline.explain import findings
from tailrace.server.db.records import MachineGroup
from tailrace.server.db.tables import GroupSettingsRow
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.waking import Waking
from tailrace.wire.control import DELETED, AgentCapability, ConfigDetail


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """Of one machine group. `version` is 0 when it never had any; times are Unix seconds."""

    version: int = 0
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    author: str = ""
    saved: int = 0


class InstanceConfigs:
    """One per server. In memory for readers. Changing raises ApiError."""

    def __init__(self, transactions: Transactions, waking: Waking) -> None:
        self._run = transactions.run
        self._waking = waking
        self._changing = asyncio.Lock()
        self._all: dict[int, InstanceConfig] = {}
        """By the group's id. They go with it: another one may get the id."""
        self._deletions: Counter[int] = Counter()
        """How often a group of this id was deleted."""

    async def open(self) -> None:
        self._all = await self._run(_load)

    def of(self, group: MachineGroup) -> InstanceConfig:
        return self._all.get(group.id) or InstanceConfig()

    def group_deleted(self, group: MachineGroup) -> None:
        """The database has deleted its settings with it."""
        self._deletions[group.id] += 1
        self._all.pop(group.id, None)

    async def save(self, group: MachineGroup, values: Mapping[str, Any], author: str) -> InstanceConfig:
        """The next version; the same again makes none. 400 InvalidParameter with all mistakes, 404 MachineGroupNotExist."""
        _check(values)
        async with self._changing:
            known = self.of(group)
            if values == known.values:
                return known
            new = InstanceConfig(known.version + 1, values, author, int(time.time()))
            deletions = self._deletions[group.id]
            try:
                await self._run(_save, group.id, new)
            except IntegrityError:
                raise _no_group(group) from None
            if self._deletions[group.id] != deletions:
                raise _no_group(group)
            self._all[group.id] = new
        self._waking.changed(group.project)
        return new

    # --- heartbeats -------------------------------------------------------------------------------------------------------------
    def updates(self, report: Report, groups: Iterable[MachineGroup], *, projects: int) -> list[ConfigDetail]:
        """What differs from what an agent has; `projects` is how many it works for."""
        if not report.capabilities & AgentCapability.INSTANCE:
            return []
        wanted = self.wanted(groups) if projects == 1 else {}
        held = report.instance
        changed = [one for name, one in wanted.items() if name not in held or held[name].version != one.version]
        return [*changed, *(ConfigDetail(name, DELETED) for name in held if name not in wanted)]

    def wanted(self, groups: Iterable[MachineGroup]) -> dict[str, ConfigDetail]:
        """By the name that agents know it by, `project@group`."""
        found = ((group, self.of(group)) for group in groups)
        return {f"{group.project}@{group.name}": _detail(group, one) for group, one in found if one.values}


def _detail(group: MachineGroup, config: InstanceConfig) -> ConfigDetail:
    detail = json.dumps(config.values, sort_keys=True).encode()
    version = int.from_bytes(hashlib.sha256(detail).digest()[:8], "big") >> 1 or 1
    return ConfigDetail(f"{group.project}@{group.name}", version, detail, {"project": group.project.encode()})


def _check(values: Mapping[str, Any]) -> None:
    try:
        ServedSettings.model_validate(dict(values))
    except ValidationError as error:
        found = [(".".join(map(str, path)), message, hint) for path, message, hint in findings(error, ServedSettings)]
        text = "\n".join(f"{path}: {message}{f' ({hint})' if hint else ''}" for path, message, hint in found)
        raise ApiError(400, "InvalidParameter", text.encode("utf-8", "replace").decode()) from None  # halves of surrogate pairs


def _no_group(group: MachineGroup) -> ApiError:
    return ApiError(404, "MachineGroupNotExist", f"machine group `{group.name}` does not exist")


def _load(session: Session) -> dict[int, InstanceConfig]:
    rows = session.scalars(select(GroupSettingsRow))
    return {row.group_id: InstanceConfig(row.version, row.document, row.author, row.saved) for row in rows}


def _save(session: Session, group: int, config: InstanceConfig) -> None:
    values = dict(config.values)
    session.merge(GroupSettingsRow(group_id=group, version=config.version, document=values, author=config.author, saved=config.saved))
    session.flush()

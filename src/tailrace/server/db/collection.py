"""What agents are to collect: configs, machine groups, and which config is applied to which group. All of it in memory for readers, as
in the catalog; every change goes through the database before anyone sees it."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from tailrace import telemetry
from tailrace.errors import ApiError
from tailrace.server.auth.vault import Vault
from tailrace.server.db import collection_statements as statements
from tailrace.server.db.labels import label_of
from tailrace.server.db.records import Config, ConfigVersion, MachineGroup, Project
from tailrace.server.db.sealing import seal_clear_documents
from tailrace.server.db.transactions import Transactions
from tailrace.server.limits import check_room

Result = TypeVar("Result")

log = telemetry.logger("server.collection")


class Collection:
    """Reading never waits and never fails; changing raises ApiError with the SLS codes."""

    def __init__(self, transactions: Transactions, vault: Vault, changed: Callable[[str], None] = lambda _: None) -> None:
        """`vault` keeps the configs; `changed` is told the project of every change that agents have to learn of."""
        self._run = transactions.run
        self._vault = vault
        self._changed = changed
        self._changing = asyncio.Lock()
        self._configs: dict[str, dict[str, Config]] = {}
        self._groups: dict[str, dict[str, MachineGroup]] = {}
        self._applied: dict[int, set[int]] = {}
        """Group → configs, by their ids."""
        self._named: dict[str, dict[tuple[str, str], set[str]]] = {}
        """Project → (what machines are known by, machine) → groups."""
        self.dropped: list[Callable[[MachineGroup], None]] = []
        """Told of each group that is no more, with its project or alone."""
        self._deletions: Counter[str] = Counter()
        """How often a project of this name was deleted."""

    async def open(self) -> None:
        """Encrypts what a release before left in clear."""
        if sealed := await self._run(seal_clear_documents, self._vault):
            log.info("encrypted configs and documents that were stored in clear", documents=sealed)
        await self._run(self._load)

    # --- configs ----------------------------------------------------------------------------------------------------------------
    def config(self, project: str, name: str) -> Config:
        """Raises ApiError 404 ConfigNotExist."""
        found = self._configs.get(project, {}).get(name)
        if found is None:
            raise ApiError(404, "ConfigNotExist", f"config `{name}` does not exist")
        return found

    def configs(self, project: str) -> list[Config]:
        """By name."""
        found = self._configs.get(project, {})
        return [found[name] for name in sorted(found)]

    async def create_config(
        self, project: Project, name: str, form: Literal["classic", "pipeline"], document: Mapping[str, Any], author: str, *, most: int = 0
    ) -> Config:
        """`most` is how many there may be in the project; 0 is no bound."""
        async with self._changing:
            if name in self._configs.get(project.name, {}):
                raise ApiError(400, "ConfigAlreadyExist", f"config `{name}` already exists")
            check_room(self._configs.get(project.name, {}), most, f"configs in project `{project.name}`")
            now = _now()
            new = Config(0, project.name, name, form, 1, document, author, now, now)
            config = await self._in(project.name, statements.insert_config, self._vault, project.id, new)
            self._configs.setdefault(project.name, {})[name] = config
            return config

    async def change_config(
        self, project: str, name: str, document: Mapping[str, Any], author: str, *, expected: Config | None = None
    ) -> Config:
        """The next version; the same document again makes none. 409 ConfigChanged when it is no longer at version `expected`."""
        async with self._changing:
            config = self.config(project, name)
            if expected is not None and (config.id, config.version) != (expected.id, expected.version):
                raise ApiError(409, "ConfigChanged", f"config `{name}` was changed meanwhile: it is at version {config.version}")
            if json.dumps(document) != json.dumps(config.document):  # the order of keys counts: it comes back as it was saved
                new = ConfigVersion(config.version + 1, document, author, _now())
                config = await self._in(project, statements.change_config, self._vault, config, new)
                self._configs[project][name] = config
                self._changed(project)
            return config

    async def delete_config(self, project: str, name: str) -> None:
        """With all its versions, and from every group."""
        async with self._changing:
            config = self.config(project, name)
            await self._in(project, statements.delete_config, config.id)
            del self._configs[project][name]
            for applied in self._applied.values():
                applied.discard(config.id)
            self._changed(project)

    async def config_versions(self, project: str, name: str) -> list[ConfigVersion]:
        """The newest first."""
        return await self._run(statements.config_versions, self._vault, self.config(project, name).id)

    # --- machine groups ---------------------------------------------------------------------------------------------------------
    def group(self, project: str, name: str) -> MachineGroup:
        """Raises ApiError 404 MachineGroupNotExist."""
        found = self._groups.get(project, {}).get(name)
        if found is None:
            raise ApiError(404, "MachineGroupNotExist", f"machine group `{name}` does not exist")
        return found

    def groups(self, project: str) -> list[MachineGroup]:
        """By name."""
        found = self._groups.get(project, {})
        return [found[name] for name in sorted(found)]

    def groups_naming(self, project: str, addresses: Sequence[str], user_defined_ids: Sequence[str]) -> list[MachineGroup]:
        """Those that name a machine by one of these, by name."""
        named = self._named.get(project)
        if not named:
            return []
        labels = [*(_label("ip", one) for one in addresses), *(_label("userdefined", one) for one in user_defined_ids)]
        found: set[str] = set().union(*(named.get(label, ()) for label in labels))
        return [self._groups[project][name] for name in sorted(found)]

    async def create_group(self, project: Project, group: MachineGroup, *, most: int = 0) -> None:
        """The group's id and times are set here. `most` is how many there may be in the project; 0 is no bound."""
        async with self._changing:
            if group.name in self._groups.get(project.name, {}):
                raise ApiError(400, "MachineGroupAlreadyExist", f"machine group `{group.name}` already exists")
            check_room(self._groups.get(project.name, {}), most, f"machine groups in project `{project.name}`")
            now = _now()
            made = await self._in(project.name, statements.insert_group, project.id, replace(group, created=now, modified=now))
            self._put(made)

    async def change_group(self, project: str, name: str, change: Callable[[MachineGroup], MachineGroup]) -> None:
        """`change` gets the group as it is then: nobody's change is lost to another one's."""
        async with self._changing:
            known = self.group(project, name)
            changed = replace(change(known), id=known.id, project=project, name=name, created=known.created, modified=_now())
            await self._in(project, statements.change_group, changed)
            self._put(changed)
            self._changed(project)

    async def delete_group(self, project: str, name: str) -> None:
        async with self._changing:
            group = self.group(project, name)
            await self._in(project, statements.delete_group, group.id)
            self._unlist(self._groups[project].pop(name))
            self._drop(group)
            self._changed(project)

    # --- what is applied to what ------------------------------------------------------------------------------------------------
    def configs_of(self, group: MachineGroup) -> list[Config]:
        """By name."""
        applied = self._applied.get(group.id)
        return [config for config in self.configs(group.project) if config.id in applied] if applied else []

    def groups_of(self, config: Config) -> list[MachineGroup]:
        """By name."""
        return [group for group in self.groups(config.project) if config.id in self._applied.get(group.id, ())]

    async def apply(self, project: str, group_name: str, config_name: str) -> None:
        """Doing it again changes nothing."""
        async with self._changing:
            group, config = self.group(project, group_name), self.config(project, config_name)
            if config.id not in self._applied.get(group.id, ()):
                await self._in(project, statements.bind, group.id, config.id, _now())
                self._applied.setdefault(group.id, set()).add(config.id)
                self._changed(project)

    async def remove(self, project: str, group_name: str, config_name: str) -> None:
        """Doing it again changes nothing."""
        async with self._changing:
            group, config = self.group(project, group_name), self.config(project, config_name)
            await self._in(project, statements.unbind, group.id, [config.id])
            self._applied.get(group.id, set()).discard(config.id)
            self._changed(project)

    def project_deleted(self, project: str) -> None:
        """The catalog has deleted it in the database, and with it all that it holds."""
        self._deletions[project] += 1
        self._configs.pop(project, None)
        self._named.pop(project, None)
        for group in self._groups.pop(project, {}).values():
            self._drop(group)
        self._changed(project)

    def _drop(self, group: MachineGroup) -> None:
        """What hangs on its id, which another one may get."""
        self._applied.pop(group.id, None)
        for forget in self.dropped:
            forget(group)

    async def _in(self, project: str, statement: Callable[..., Result], *arguments: object) -> Result:
        """Run a change of what a project holds. ApiError 404 ProjectNotExist when the project is deleted meanwhile."""
        deletions = self._deletions[project]
        try:
            result = await self._run(statement, *arguments)
        except (IntegrityError, NoResultFound, StaleDataError) as error:
            raise _no_project(project) from error
        if self._deletions[project] != deletions:
            raise _no_project(project)
        return result

    def _put(self, group: MachineGroup) -> None:
        groups = self._groups.setdefault(group.project, {})
        if (known := groups.get(group.name)) is not None:
            self._unlist(known)
        groups[group.name] = group
        named = self._named.setdefault(group.project, {})
        for machine in group.machines:
            named.setdefault(_label(group.identify_by, machine), set()).add(group.name)

    def _unlist(self, group: MachineGroup) -> None:
        named = self._named[group.project]
        for label in {_label(group.identify_by, machine) for machine in group.machines}:
            named[label].discard(group.name)
            if not named[label]:
                del named[label]

    def _load(self, session: Session) -> None:
        for config in statements.configs(session, self._vault):
            self._configs.setdefault(config.project, {})[config.name] = config
        for group in statements.groups(session):
            self._put(group)
        for group_id, config_id in statements.bindings(session):
            self._applied.setdefault(group_id, set()).add(config_id)


def _label(identify_by: str, machine: str) -> tuple[str, str]:
    return identify_by, label_of(machine, is_address=identify_by == "ip")


def _no_project(project: str) -> ApiError:
    return ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")


def _now() -> int:
    return int(time.time())

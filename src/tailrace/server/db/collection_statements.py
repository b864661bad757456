"""What is asked of the metadata database about configs, machine groups and what is applied to what: one function per question or change."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tailrace.server.auth.vault import Vault
from tailrace.server.db.records import Config, ConfigVersion, MachineGroup
from tailrace.server.db.sealing import open_document, seal_document
from tailrace.server.db.tables import BindingRow, ConfigRow, ConfigVersionRow, MachineGroupRow, ProjectRow


def configs(session: Session, vault: Vault) -> list[Config]:
    found = session.execute(
        select(ConfigRow, ConfigVersionRow, ProjectRow.name)
        .join(ConfigVersionRow, (ConfigVersionRow.config_id == ConfigRow.id) & (ConfigVersionRow.version == ConfigRow.version))
        .join(ProjectRow, ProjectRow.id == ConfigRow.project_id)
    ).all()
    return [_config(row, version, open_document(vault, version), project) for row, version, project in found]


def groups(session: Session) -> list[MachineGroup]:
    found = session.execute(select(MachineGroupRow, ProjectRow.name).join(ProjectRow, ProjectRow.id == MachineGroupRow.project_id)).all()
    return [_group(row, project) for row, project in found]


def bindings(session: Session) -> list[tuple[int, int]]:
    """(group, config) each."""
    return [(row.group_id, row.config_id) for row in session.scalars(select(BindingRow))]


def insert_config(session: Session, vault: Vault, project: int, config: Config) -> Config:
    """`config` has no id yet."""
    row = ConfigRow(project_id=project, name=config.name, form=config.form, version=1, created=config.created, modified=config.created)
    session.add(row)
    session.flush()
    version = _add_version(session, vault, row, ConfigVersion(1, config.document, config.author, config.created))
    return _config(row, version, config.document, config.project)


def change_config(session: Session, vault: Vault, config: Config, new: ConfigVersion) -> Config:
    row = session.get_one(ConfigRow, config.id)
    row.version, row.modified = new.version, new.saved
    return _config(row, _add_version(session, vault, row, new), new.document, config.project)


def config_versions(session: Session, vault: Vault, config: int) -> list[ConfigVersion]:
    """The newest first."""
    rows = session.scalars(select(ConfigVersionRow).where(ConfigVersionRow.config_id == config).order_by(ConfigVersionRow.version.desc()))
    return [ConfigVersion(row.version, open_document(vault, row), row.author, row.saved) for row in rows]


def delete_config(session: Session, config: int) -> None:
    session.execute(delete(ConfigRow).where(ConfigRow.id == config))


def insert_group(session: Session, project: int, group: MachineGroup) -> MachineGroup:
    """`group` has no id yet."""
    row = MachineGroupRow(project_id=project, name=group.name, created=group.created)
    _write_group(row, group)
    session.add(row)
    session.flush()
    return _group(row, group.project)


def change_group(session: Session, group: MachineGroup) -> None:
    _write_group(session.get_one(MachineGroupRow, group.id), group)


def delete_group(session: Session, group: int) -> None:
    session.execute(delete(MachineGroupRow).where(MachineGroupRow.id == group))


def bind(session: Session, group: int, config: int, now: int) -> None:
    session.add(BindingRow(group_id=group, config_id=config, created=now))


def unbind(session: Session, group: int, configs: Sequence[int]) -> None:
    session.execute(delete(BindingRow).where(BindingRow.group_id == group, BindingRow.config_id.in_(configs)))


def _add_version(session: Session, vault: Vault, row: ConfigRow, new: ConfigVersion) -> ConfigVersionRow:
    sealed = seal_document(vault, row.id, new.version, new.document)
    version = ConfigVersionRow(config_id=row.id, version=new.version, document=sealed, author=new.author, saved=new.saved)
    session.add(version)
    return version


def _write_group(row: MachineGroupRow, group: MachineGroup) -> None:
    row.identify_by, row.machines, row.group_type = group.identify_by, list(group.machines), group.group_type
    row.attribute, row.modified = dict(group.attribute), group.modified


def _config(row: ConfigRow, version: ConfigVersionRow, document: Mapping[str, Any], project: str) -> Config:
    form = "classic" if row.form == "classic" else "pipeline"
    return Config(row.id, project, row.name, form, row.version, document, version.author, row.created, row.modified)


def _group(row: MachineGroupRow, project: str) -> MachineGroup:
    identify_by = "ip" if row.identify_by == "ip" else "userdefined"
    return MachineGroup(
        row.id, project, row.name, identify_by, tuple(row.machines), row.group_type, row.attribute, row.created, row.modified
    )

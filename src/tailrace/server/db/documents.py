"""What clients keep here for themselves, by kind and name, encrypted; and their tags: the server acts on none of it."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tailrace.errors import ApiError
from tailrace.server.auth.vault import Vault
from tailrace.server.db.records import Document, Project, Tag
from tailrace.server.db.sealing import open_content, seal_content
from tailrace.server.db.tables import DocumentRow, ProjectRow, TagRow
from tailrace.server.db.transactions import Transactions

MAX_DOCUMENTS = 10_000
"""Of one kind in a project."""
MAX_TAGS = 20
"""Of one resource, as the service has it."""


class Documents:
    """One per server; every call is a transaction."""

    def __init__(self, transactions: Transactions, vault: Vault) -> None:
        """`vault` keeps the documents."""
        self._run = transactions.run
        self._vault = vault

    async def documents(self, project: Project, kind: str) -> list[Document]:
        """By name."""
        return await self._run(_documents, self._vault, project.id, kind)

    async def document(self, project: Project, kind: str, name: str) -> Document | None:
        return await self._run(_document, self._vault, project.id, kind, name)

    async def insert(self, project: Project, kind: str, name: str, content: Mapping[str, Any]) -> bool:
        """Whether there was none of that name. Raises ApiError 400 where there are too many."""
        return await self._run(partial(_insert, content=content), self._vault, project.id, kind, name)

    async def change(self, project: Project, kind: str, name: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> bool:
        """Whether there is one; `change` makes the new content from the old, within one transaction."""
        return await self._run(partial(_change, change=change), self._vault, project.id, kind, name)

    async def delete(self, project: Project, kind: str, name: str) -> bool:
        """Whether there was one."""
        return await self._run(_delete, project.id, kind, name)

    async def tag(self, project: Project, kind: str, resources: Sequence[str], tags: Mapping[str, str]) -> None:
        """Raises ApiError 400 where a resource would have too many."""
        await self._run(_tag, project.id, kind, resources, tags)

    async def untag(self, project: Project, kinds: Collection[str], resources: Collection[str], keys: Collection[str] | None) -> None:
        """Take the tags with these keys away, or with None all of them."""
        await self._run(_untag, project.id, kinds, resources, keys)

    async def tags(self, kind: str, project: Project | None) -> list[Tag]:
        """All of resources of that kind, in order; in all projects where none is named."""
        return await self._run(_tags, kind, None if project is None else project.id)


def _documents(session: Session, vault: Vault, project: int, kind: str) -> list[Document]:
    wanted = select(DocumentRow).where(DocumentRow.project_id == project, DocumentRow.kind == kind).order_by(DocumentRow.name)
    return [Document(row.name, open_content(vault, row), row.created, row.modified) for row in session.scalars(wanted)]


def _row(session: Session, project: int, kind: str, name: str) -> DocumentRow | None:
    wanted = select(DocumentRow).where(DocumentRow.project_id == project, DocumentRow.kind == kind, DocumentRow.name == name)
    return session.scalar(wanted)


def _document(session: Session, vault: Vault, project: int, kind: str, name: str) -> Document | None:
    row = _row(session, project, kind, name)
    return None if row is None else Document(row.name, open_content(vault, row), row.created, row.modified)


def _insert(session: Session, vault: Vault, project: int, kind: str, name: str, *, content: Mapping[str, Any]) -> bool:
    if _row(session, project, kind, name) is not None:
        return False
    count = session.scalar(select(func.count()).where(DocumentRow.project_id == project, DocumentRow.kind == kind)) or 0
    if count >= MAX_DOCUMENTS:
        raise ApiError(400, "ParameterInvalid", f"a project has {MAX_DOCUMENTS:,} of these at most")
    now = _now()
    row = DocumentRow(project_id=project, kind=kind, name=name, created=now, modified=now)
    seal_content(vault, row, content)
    session.add(row)
    return True


def _change(
    session: Session, vault: Vault, project: int, kind: str, name: str, *, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> bool:
    row = _row(session, project, kind, name)
    if row is None:
        return False
    seal_content(vault, row, change(open_content(vault, row)))
    row.modified = _now()
    return True


def _delete(session: Session, project: int, kind: str, name: str) -> bool:
    row = _row(session, project, kind, name)
    if row is None:
        return False
    session.delete(row)
    return True


def _tag(session: Session, project: int, kind: str, resources: Sequence[str], tags: Mapping[str, str]) -> None:
    for resource in resources:
        for key, value in tags.items():
            session.merge(TagRow(project_id=project, type=kind, resource=resource, key=key, value=value))
        session.flush()
        mine = (TagRow.project_id == project, TagRow.type == kind, TagRow.resource == resource)
        if (session.scalar(select(func.count()).select_from(TagRow).where(*mine)) or 0) > MAX_TAGS:
            raise ApiError(400, "ParameterInvalid", f"`{resource}` would have more than {MAX_TAGS} tags")


def _untag(session: Session, project: int, kinds: Collection[str], resources: Collection[str], keys: Collection[str] | None) -> None:
    gone = delete(TagRow).where(TagRow.project_id == project, TagRow.type.in_(kinds), TagRow.resource.in_(resources))
    session.execute(gone if keys is None else gone.where(TagRow.key.in_(keys)))


def _tags(session: Session, kind: str, project: int | None) -> list[Tag]:
    wanted = select(TagRow).join(ProjectRow, ProjectRow.id == TagRow.project_id).where(TagRow.type == kind)
    wanted = wanted.where(TagRow.project_id == project) if project is not None else wanted
    return [Tag(row.type, row.resource, row.key, row.value) for row in session.scalars(wanted.order_by(TagRow.resource, TagRow.key))]


def _now() -> int:
    return int(time.time())

"""Everything that a query finds as one file: at once, or as a job whose file is fetched later."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from tailrace.server.api.v1.places import Exportable, Place, Readable
from tailrace.server.query.exporting import Export
from tailrace.server.query.exports import Job
from tailrace.server.query.formats import MEDIA_TYPES, Format
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import TableSpec

router = APIRouter(prefix="/projects/{project}/logstores/{logstore}", tags=["logs"])


class Wanted(BaseModel):
    """What is exported."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    query: str = Field("", description="Search, or `search | SQL`.")
    start: int = Field(alias="from", ge=0, le=1 << 33, description="Unix seconds.")
    end: int = Field(alias="to", ge=0, le=1 << 33, description="Unix seconds, not part of it.")
    format: Format = Field("json", description="`json` is one object per line.")
    fields: str = Field("", description="Names with commas between them; without, all that there are.")


class Exporting(BaseModel):
    """A job and what has become of it."""

    id: str
    status: str = Field(description="`waiting`, `running`, `done` or `failed`.")
    query: str
    format: str
    rows: int
    bytes: int
    created: int = Field(description="Unix seconds.")
    message: str = Field("", description="Why it failed.")


@router.get("/export")
async def export(place: Readable, wanted: Annotated[Wanted, Query()]) -> StreamingResponse:
    """The file itself, in the order of time. Its length is not known before its end: a connection that is cut has not brought all."""
    parts = _export(place, wanted, lambda: place.readable_by_now().table).parts()
    first = await anext(parts)
    headers = {"content-disposition": f'attachment; filename="{place.logstore.name}.{wanted.format}"'}
    return StreamingResponse(_all(first, parts), media_type=MEDIA_TYPES[wanted.format], headers=headers)


@router.post("/exports")
async def start_export(place: Exportable, wanted: Wanted) -> Exporting:
    """Write the file on the server, in the background: also when who has begun it may no longer read."""
    return _answer(place.server.exports.start(place.project.name, place.logstore.id, _export(place, wanted, lambda: place.by_now().table)))


@router.get("/exports")
async def list_exports(place: Readable) -> list[Exporting]:
    """The newest first."""
    return [_answer(job) for job in place.server.exports.jobs(place.logstore.id)]


@router.get("/exports/{job}")
async def get_export(place: Readable, job: str) -> Exporting:
    """How far it is."""
    return _answer(_job(place, job))


@router.get("/exports/{job}/data")
async def fetch_export(place: Readable, job: str) -> FileResponse:
    """The file of a job that is done; parts of it by `Range`."""
    found = _job(place, job)
    file = place.server.exports.file(found)
    return FileResponse(file, media_type=MEDIA_TYPES[found.format], filename=f"{place.logstore.name}.{found.format}")


@router.delete("/exports/{job}")
async def delete_export(place: Exportable, job: str) -> None:
    """End it if it still runs, and remove its file."""
    await place.server.exports.delete(_job(place, job))


async def _all(first: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in parts:
        yield part


def _job(place: Place, number: str) -> Job:
    return place.server.exports.job(place.logstore.id, number)


def _export(place: Place, wanted: Wanted, table: Callable[[], TableSpec]) -> Export:
    window = Window(wanted.start * NS, wanted.end * NS)
    columns = [name.strip() for name in wanted.fields.split(",") if name.strip()]
    return Export(place.queries, table, place.logstore.name, wanted.query, window, wanted.format, columns)


def _answer(job: Job) -> Exporting:
    return Exporting.model_validate(job, from_attributes=True)

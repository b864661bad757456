"""Fields of a logstore for the side bar, and completion of a query that is being typed."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from tailrace.server.api.v1.places import Place, Readable
from tailrace.server.query import completing
from tailrace.server.query.fields import Seen
from tailrace.server.query.search.lexer import split_statement
from tailrace.server.query.window import NS, Window

router = APIRouter(prefix="/projects/{project}/logstores/{logstore}", tags=["logs"])
RECENT_SECS = 900
"""Values are completed from what has been logged in that time."""
LONGEST_TYPED = 4096
"""Characters of a query that is completed."""


class Range(BaseModel):
    """Which events."""

    model_config = ConfigDict(populate_by_name=True)

    query: str = Field("", description="Search; an SQL part is ignored.")
    start: int = Field(alias="from", ge=0, le=1 << 33, description="Unix seconds.")
    end: int = Field(alias="to", ge=0, le=1 << 33, description="Unix seconds, not part of it.")

    @property
    def search(self) -> str:
        return split_statement(self.query)[0]

    @property
    def window(self) -> Window:
        return Window(self.start * NS, self.end * NS)


class KnownField(BaseModel):
    name: str
    type: str = Field(description="Of its index: text, long, double, json; empty without one.")
    events: int = Field(description="How many have it.")


class KnownFields(BaseModel):
    events: int
    fields: list[KnownField] = Field(description="The most frequent first.")


class Value(BaseModel):
    value: str
    events: int


class Statistics(BaseModel):
    events: int
    present: int = Field(description="How many have the field.")
    null_share: float = Field(description="Share of those that do not, from 0 to 1.")
    distinct: int = Field(description="Different values; above some ten thousands within about 1 %.")
    top: list[Value] = Field(description="The most frequent values.")


class Suggestion(BaseModel):
    text: str
    kind: completing.Kind


class Suggestions(BaseModel):
    start: int = Field(description="Where what is replaced begins, in characters from 0; it ends at the cursor.")
    items: list[Suggestion]


@router.get("/fields")
async def list_fields(place: Readable, wanted: Annotated[Range, Query()]) -> KnownFields:
    """The fields that the events of a search have."""
    events, known = await _seen(place, wanted).fields()
    return KnownFields(events=events, fields=[KnownField(name=one.name, type=one.type, events=one.events) for one in known])


@router.get("/fields/{field:path}")
async def field_statistics(place: Readable, field: str, wanted: Annotated[Range, Query()]) -> Statistics:
    """What stands in a field of the events of a search."""
    made = await _seen(place, wanted).statistics(field)
    return Statistics(
        events=made.events,
        present=made.present,
        null_share=1 - made.present / made.events if made.events else 0.0,
        distinct=made.distinct,
        top=[Value(value=value, events=events) for value, events in made.top],
    )


@router.get("/complete")
async def complete(
    place: Readable, query: Annotated[str, Query(max_length=LONGEST_TYPED)], position: Annotated[int | None, Query(ge=0)] = None
) -> Suggestions:
    """What may stand at the cursor, by default at the end."""
    made = completing.complete(place.logstore.table, query, len(query) if position is None else position)
    items = list(made.items)
    if made.field:
        now = int(time.time())
        recent = Window((now - RECENT_SECS) * NS, (now + 60) * NS)
        values = await Seen(place.queries, place.logstore.table, "", recent).values(made.field, made.prefix)
        items += [completing.value_item(value) for value in values]
    return Suggestions(start=made.start, items=[Suggestion(text=item.text, kind=item.kind) for item in items])


def _seen(place: Place, wanted: Range) -> Seen:
    return Seen(place.queries, place.logstore.table, wanted.search, wanted.window)

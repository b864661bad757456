"""A process that writes, searches and changes the index of one logstore all the time, until it is killed; says on stdout how it goes.

    python -m tests.integration.store.index_changer HOME SEED

Lines are `rows N` (durable and found), `index N` (which of DOCUMENTS was asked for), `in-use N`, and `wrong …` for an answer that is not
right.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tailrace.errors import TailraceError
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.database import open_database
from tailrace.server.db.index_builds import IndexBuilds
from tailrace.server.db.transactions import Transactions
from tailrace.server.query.service import Queries
from tailrace.server.query.window import ALL_TIME
from tailrace.server.store.embedded import EmbeddedStore
from tailrace.server.store.port import TableSpec, Write
from tests.integration.store.groups import plain

TEXT = {"type": "text", "token": [" "], "doc_value": True}
DOCUMENTS: list[dict[str, Any]] = [
    {"line": {"token": [" "]}, "keys": {"name": TEXT}},
    {"line": {"token": ["/"]}, "keys": {"name": {**TEXT, "token": ["/"]}, "status": {"type": "long", "doc_value": True}}},
    {"line": {"token": [" "], "caseSensitive": True}},
    {"keys": {"name": {**TEXT, "caseSensitive": True}, **{f"k{number}": TEXT for number in range(20)}}},
]


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[tuple[Catalog, EmbeddedStore]]:
    """A catalog with the logstore `access` in the project `web`; old indexes go at once when they are out of use."""
    store, transactions = EmbeddedStore(home), Transactions(open_database(home / "meta.db"))
    catalog = Catalog(transactions, store)
    catalog.builds = IndexBuilds(store, catalog.index_built, grace_secs=0.05)
    try:
        await catalog.open()
        if catalog.project("web") is None:
            await catalog.create_project("web", "", {})
            await catalog.create_logstore("web", "access", ttl=30, shard_count=2, options={}, index=DOCUMENTS[0])
        yield catalog, store
    finally:
        await catalog.stop()
        await store.close()
        transactions.close()


async def counted(store: EmbeddedStore, table: TableSpec) -> list[int]:
    """Every row is found by a word of any field, and by a field's."""
    queries, sql = Queries(store), "select count(*) as n"
    answers = [await queries.analyse(table, "access", search, sql, ALL_TIME) for search in ("common", "name: common")]
    return [int(answer.rows[0]["n"]) for answer in answers]


def in_use(catalog: Catalog) -> TableSpec:
    logstore = catalog.logstore("web", "access")
    assert logstore is not None
    return logstore.table


def tell(*words: object) -> None:
    print(*words, flush=True)


async def write(catalog: Catalog, store: EmbeddedStore) -> None:
    written = (await counted(store, in_use(catalog)))[0]
    while True:
        await store.commit(Write(in_use(catalog), [plain(["common"] * 20)]))
        written += 20
        await store.flush()
        tell("rows", written)


async def search(catalog: Catalog, store: EmbeddedStore) -> None:
    least = 0
    while True:
        try:
            found = await counted(store, in_use(catalog))
        except TailraceError as error:
            tell("wrong", error.message[:500])
            continue
        if min(found) < least:
            tell("wrong", found, "less than", least)
        least = max(least, min(found))


async def change(catalog: Catalog, seed: int) -> None:
    for number in count(seed):
        tell("index", number)
        await catalog.replace_index("web", "access", DOCUMENTS[number % len(DOCUMENTS)])
        await catalog.builds.wait(1, 600)
        tell("in-use", number)


async def main() -> None:
    async with opened(Path(sys.argv[1])) as (catalog, store):
        await catalog.builds.wait(1, 600)
        await asyncio.gather(write(catalog, store), search(catalog, store), change(catalog, int(sys.argv[2])))


if __name__ == "__main__":
    asyncio.run(main())

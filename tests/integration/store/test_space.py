"""Events that have to go while the engine merges: what is gone is told, whatever happens to the rest."""

from pathlib import Path

import pytest

from tailrace.server.store import space
from tailrace.server.store.port import Write
from tests.integration.store.groups import names, plain, spec
from tests.integration.store.test_embedded import open_embedded


async def test_a_part_that_was_merged_meanwhile_hides_nothing_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [spec(), spec()]
    async with open_embedded(tmp_path, tables) as store:
        for text in ("first", "second", "third"):
            for table in tables:
                await store.commit(Write(table, [plain([text])]))
            await store.flush()
        seen = await space.Space(store.engine)._parts()  # pyright: ignore[reportPrivateUsage]
        await store.engine.execute(f"OPTIMIZE TABLE ls_{tables[1].logstore} FINAL")

        async def before_the_merge(_: space.Space) -> list[space.Part]:
            return seen

        monkeypatch.setattr(space.Space, "_parts", before_the_merge)
        dropped = await store.trim({tables[1].logstore: 1, tables[0].logstore: 1}, 0)
        assert [(gone.logstore, gone.rows) for gone in dropped] == [(tables[0].logstore, 1)] * 2
        assert await names(store, tables[0]) == ["third"]
        assert await names(store, tables[1]) == ["first", "second", "third"]

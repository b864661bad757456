"""What a block brings along of indexed fields is what the engine would take from its rows."""

from pathlib import Path

from tailrace.batch import EventBatch
from tailrace.server.store.port import EngineQuery, FieldIndex, Package, Write
from tests.integration.store.groups import DELIMITERS, plain, spec
from tests.integration.store.test_embedded import open_embedded

INDEXED = (
    FieldIndex("c1", "n", "long"),
    FieldIndex("c2", "n2", "double"),
    FieldIndex("c3", "text", "text", DELIMITERS),
    FieldIndex("c4", "object", "json", DELIMITERS),
    FieldIndex("c5", "__source__", "text", DELIMITERS),
    FieldIndex("c6", "__tag__:host", "text", DELIMITERS),
    FieldIndex("c7", 'it\'s \\ "odd" \xff', "text", DELIMITERS),
    FieldIndex("c8", "text", "text", (" ",)),  # while its index is being changed
)
FROM_THE_ROW = (
    "toInt64OrNull(fields['n'])",
    "toFloat64OrNull(fields['n2'])",
    "fields['text']",
    "fields['object']",
    "source",
    "tags['host']",
    "fields['it\\'s \\\\ \"odd\" \\xC3\\xBF']",
    "fields['text']",
)
NUMBERS = [word.encode() for word in ("", "1", "-7", "+7", " 7", "7 ", "1.5", "1e3", "nan", "inf", "0x1f", str(2**63 - 1), str(2**63))]


def written() -> list[Package]:
    """Numbers of every kind, repeated and missing keys, more keys than a byte counts, events and groups without any field."""
    odd = 'it\'s \\ "odd" \xff'.encode()
    groups = [
        [(n, [(b"n", number), (b"n2", number), (b"text", b"a" * 200 * n)]) for n, number in enumerate(NUMBERS)],
        [
            (1, [(b"text", b"first"), (b"text", b"second"), (b"n", b"1"), (b"n", b"2")]),
            (2, []),
            (3, [(odd, b"\x00\xff"), (b"object", b"{}")]),
        ],
        [(1, [(b"k%d" % n, b"%d" % n) for n in range(600)] + [(b"text", b"behind many"), (odd, b"1")])],
        [(1, []), (2, [])],
    ]
    packages: list[Package] = []
    for events, tags in zip(groups, [[(b"host", b"one"), (b"host", b"two")], [(b"host", b"")], [], []], strict=True):
        batch = EventBatch.from_events(events)
        batch.source = b"10.0.0.%d" % len(packages)
        encoded = batch.encode(tags=tags)
        packages.append(Package(encoded.body, "lz4", encoded.raw_size))
    return packages


async def test_given_values_are_those_of_the_row(tmp_path: Path) -> None:
    table = spec(fields=INDEXED)
    async with open_embedded(tmp_path, [table]) as store:
        for package in written():
            await store.commit(Write(table, [package]))
        await store.flush()
        same = ", ".join(f"countIf({value} IS NOT DISTINCT FROM c{n})" for n, value in enumerate(FROM_THE_ROW, 1))
        answer = await store.query(EngineQuery(f"SELECT count(), {same}, countIf(c1 > 0), uniqExact(c7) FROM ls_{table.logstore}"))
        rows = len(NUMBERS) + 3 + 1 + 2
        assert answer.rows == [(rows, *[rows] * len(INDEXED), 4, 3)]


async def test_a_block_made_for_indexes_that_are_gone_goes_in_without_them(tmp_path: Path) -> None:
    table = spec(fields=INDEXED)
    async with open_embedded(tmp_path, [table]) as store:
        await store.commit(Write(table, [plain(["before"])]))
        await store.flush()
        await store.engine.execute(f"ALTER TABLE ls_{table.logstore} DROP INDEX i_c3, DROP COLUMN c3")
        await store.commit(Write(table, [plain(["after"])]))
        await store.flush()
        answer = await store.query(EngineQuery(f"SELECT fields['name'] FROM ls_{table.logstore} ORDER BY 1"))
        assert answer.rows == [("after",), ("before",)]
        assert not (tmp_path / "quarantine").exists()

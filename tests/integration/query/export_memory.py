"""Fills a table with ten million rows, exports them as JSON lines, and prints by how many MB this process grew meanwhile."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import psutil

from tailrace.server.query.exporting import Export
from tailrace.server.query.service import Queries
from tailrace.server.query.window import NS, Window
from tailrace.server.store.engine import Engine
from tailrace.server.store.port import TableSpec
from tailrace.server.store.schema import create_statement

START = 1_700_000_000
MILLION = 1_000_000


async def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        engine = Engine(Path(directory))
        await engine.open()
        table = TableSpec(1, 30)
        await engine.execute(create_statement(table))
        for first in range(0, rows, MILLION):
            await engine.execute(
                "INSERT INTO ls_1 (time, recv, shard, seq, fields) SELECT"
                f" fromUnixTimestamp64Nano(toInt64({START} + intDiv(number, 1000)) * 1000000000, 'UTC'), now64(3), number % 4, number,"
                f" map('n', toString(number), 'text', 'some words of a usual length') FROM numbers({first}, {min(MILLION, rows - first)})"
            )
        export = Export(Queries(engine), lambda: table, "logs", "*", Window(START * NS, (START + rows) * NS), "json")
        process, seen, least = psutil.Process(), 0, 0
        highest = 0
        async for part in export.parts():
            seen += part.count(b"\n")
            resident = process.memory_info().rss
            least, highest = least or resident, max(highest, resident)
        print(json.dumps({"rows": seen, "grown_mb": (highest - least) >> 20}))
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 10 * MILLION))

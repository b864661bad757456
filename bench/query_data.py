"""The logs of `query.py`: made by arithmetic on the event's number, so that the right answer of every query is known without asking.

nginx has 12 keys and ids of 32 hex digits in every event; app has 7 keys and messages of 18 words. Both lie in 24 hours. A server makes the
logstores, the engine fills them while the server is down. What is in DIRECTORY stays there for another run:

DIRECTORY/home        of the server
DIRECTORY/data.json   how much it is, and its seed
DIRECTORY/*.parquet   the same for a rival
"""

import asyncio
import json
import sqlite3
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from served import PROJECT, TOKENS, Server, running_server

from tailrace.server.store.engine import Engine
from tailrace.server.store.schema import table_name

DAY = 86_400
BEGIN = 1_760_000_000
BLOCK = 200_000
WITHOUT_IDS = 10 * BLOCK
"""So many blocks are merged at once: less of them would lie as it was inserted, for speed and not for the disk's sake."""
QUIET_SECS = 3
REST_OF_JSON = len('{"time":"2025-10-09T08:53:20.000Z"}\n')
REST_OF_TEXT = {"nginx": len('[09/Oct/2025:08:53:20 +0000] """"""\n'), "app": len("2025-10-09 08:53:20,000 [] - \n")}
"""What a line has beside its values and the spaces between them."""
INDEXED = {"host", "uri", "method"}
NUMBERS = {"status": "long", "request_time": "double"}
IDS = ("request_id", "trace_id")

# Fields as expressions over `n`, the event's number; `?` is the run's seed. Ids are of random hex digits: the worst case for an index.
ITEM = "cityHash64(n, ?) % 8000000"
NGINX_FIELDS = {
    "host": "concat('host-', toString((n + ?) % 50))",
    "status": "toString([200, 200, 200, 304, 404, 500, 502, 200, 200, 301][1 + (n * 7 + ?) % 10])",
    "request_time": "toString(((n * 7919 + ?) % 1000) / 1000)",
    "uri": f"concat('/api/v', toString({ITEM} % 9), '/items/', toString({ITEM}), '?page=', toString({ITEM} % 17))",
    "method": "['GET', 'GET', 'GET', 'POST'][1 + n % 4]",
    "remote_addr": "concat('10.', toString(n % 200), '.', toString(intDiv(n, 200) % 250), '.', toString(n % 97))",
    "request_id": "lower(hex(MD5(concat('request-', toString(?), '-', toString(n)))))",
    "user_agent": "concat('Mozilla/5.0 (X11; Linux) Gecko/', toString(n % 40), ' Firefox/', toString(n % 60))",
    "referer": "concat('https://www.example.com/page/', toString(n % 3000))",
    "bytes_sent": "toString((n * 31) % 90000)",
    "scheme": "'https'",
    "upstream": "concat('10.9.0.', toString(n % 30), ':8080')",
}
WORD = "concat('w', toString(cityHash64(n, ?, k) % 20000))"
APP_FIELDS = {
    "level": "['INFO', 'INFO', 'INFO', 'WARN', 'ERROR'][1 + n % 5]",
    "logger": "concat('com.example.service.C', toString(n % 80))",
    "thread": "concat('pool-1-thread-', toString(n % 16))",
    "trace_id": "lower(hex(MD5(concat('trace-', toString(?), '-', toString(n)))))",
    "message": f"concat(arrayStringConcat(arrayMap(k -> {WORD}, range(18)), ' '), if(n % 50000 = ? % 50000, ' Rarity', ''),"
    " if(n % 3 = 0, ' timeout', ''))",
    "class": "concat('C', toString(n % 80))",
    "line": "toString(n % 900)",
}
FIELDS = {"nginx": NGINX_FIELDS, "app": APP_FIELDS}


@dataclass(frozen=True)
class Made:
    """What lies in a directory. `raw_per_event` are bytes of a log file of JSON lines, `text_per_event` of one without names of fields, as
    nginx and log4j write them; `raw_mb` all of the former in 10^6."""

    nginx: int
    app: int
    seed: int
    raw_per_event: dict[str, float]
    text_per_event: dict[str, float]
    fill_secs: float

    @property
    def raw_mb(self) -> float:
        return (self.nginx * self.raw_per_event["nginx"] + self.app * self.raw_per_event["app"]) / 1e6


def data(directory: Path, nginx: int, app: int, seed: int) -> Made:
    """That of `directory`, made if there is none of this size."""
    note = directory / "data.json"
    if note.exists():
        made = Made(**json.loads(note.read_text()))
        if (made.nginx, made.app) != (nginx, app):
            raise SystemExit(f"{directory} has {made.nginx} nginx and {made.app} app events: name another directory")
        return made
    if (directory / "home").exists():
        raise SystemExit(f"{directory} holds half of the data: name another directory, or remove it")
    (directory / "home").mkdir(parents=True)
    with running_server(directory / "home") as server:
        make_logstores(server)
    made = asyncio.run(Filling(directory, nginx, app, seed).run())
    note.write_text(json.dumps(asdict(made)))
    return made


def make_logstores(server: Server) -> None:
    """Full text on both, and an index of its own for what queries name; `without-ids` for the disk's sake."""
    for name in ("nginx", "app", "without-ids"):
        line = {"token": TOKENS, "caseSensitive": False, **({"exclude_keys": list(IDS)} if name == "without-ids" else {})}
        keys = {key: {"type": kind, "doc_value": True} for key, kind in NUMBERS.items()} if name != "app" else {}
        texts = INDEXED if name != "app" else {"level"}
        keys |= {key: {"type": "text", "token": TOKENS, "caseSensitive": False, "doc_value": True} for key in sorted(texts)}
        connection = server.connect()
        server.request(connection, "POST", "/logstores", json.dumps({"logstoreName": name, "ttl": 3650, "shardCount": 2}).encode())
        server.request(connection, "POST", f"/logstores/{name}/index", json.dumps({"line": line, "keys": keys}).encode())


class Filling:
    """Both logstores, generated in the engine."""

    def __init__(self, directory: Path, nginx: int, app: int, seed: int) -> None:
        self._directory, self._seed = directory, seed
        self._sizes = {"nginx": nginx, "app": app, "without-ids": min(nginx, WITHOUT_IDS)}
        self._engine = Engine(directory / "home" / "server" / "engine")
        self._tables = tables(directory / "home")

    async def run(self) -> Made:
        await self._engine.open()
        began, raw, text = time.monotonic(), dict[str, float](), dict[str, float]()
        for name, total in self._sizes.items():
            for first in range(0, total, BLOCK):
                await self._engine.execute(self._insert(name, first))
            if name in FIELDS:
                values = await self._sum(name, "length(v)", "mapValues(fields)") / total
                raw[name] = values + await self._sum(name, "length(v) + 6", "mapKeys(fields)") / total + REST_OF_JSON
                text[name] = values + len(FIELDS[name]) + REST_OF_TEXT[name]
        await self._quiet()
        for name in FIELDS:
            await self._dump(name)
        await self._engine.close()
        return Made(self._sizes["nginx"], self._sizes["app"], self._seed, raw, text, time.monotonic() - began)

    def _insert(self, name: str, first: int) -> str:
        total = self._sizes[name]
        fields = FIELDS["app" if name == "app" else "nginx"]
        pairs = ", ".join(f"'{key}', {expression.replace('?', str(self._seed))}" for key, expression in fields.items())
        pairs = pairs.replace("'" + f"{self._seed}page=", "'?page=")  # the one question mark that is data
        return (
            f"INSERT INTO {self._tables[name]} (time, recv, shard, seq, source, topic, fields)"
            f" SELECT fromUnixTimestamp64Milli({BEGIN * 1000} + toInt64(intDiv(n * {DAY * 1000}, {total})), 'UTC'), now64(3), n % 2, n,"
            f" concat('10.0.0.', toString(n % 20)), '', map({pairs})"
            f" FROM (SELECT number AS n FROM numbers({first}, {min(BLOCK, total - first)}))"
        )

    async def _sum(self, name: str, measure: str, values: str) -> float:
        found = await self._engine.execute(f"SELECT sum(arraySum(v -> {measure}, {values})) FROM {self._tables[name]}")
        return float(str(found.rows[0][0]))

    async def _quiet(self) -> None:
        """Until nothing is merged any more."""
        quiet = 0
        while quiet < QUIET_SECS:
            merges = await self._engine.execute("SELECT count() FROM system.merges")
            quiet = 0 if merges.rows != [(0,)] else quiet + 1
            await asyncio.sleep(1)

    async def _dump(self, name: str) -> None:
        path = self._directory / f"{name}.parquet"
        columns = ", ".join(f"fields['{key}'] AS {key}" for key in FIELDS[name])
        await self._engine.execute(
            f"INSERT INTO FUNCTION file('{path}', 'Parquet') SELECT toUnixTimestamp64Milli(time) AS ms, source, {columns}"
            f" FROM {self._tables[name]} ORDER BY time"
        )


async def rooms(home: Path) -> dict[str, dict[str, int]]:
    """By logstore, the bytes that each column and each index takes on disk, the largest first. The server is down meanwhile."""
    engine = Engine(home / "server" / "engine")
    await engine.open()
    try:
        return {name: await _rooms_of(engine, table) for name, table in tables(home).items()}
    finally:
        await engine.close()


async def _rooms_of(engine: Engine, table: str) -> dict[str, int]:
    found = await engine.execute(
        "SELECT column, sum(column_bytes_on_disk) FROM system.parts_columns WHERE active AND table = {table:String} GROUP BY column"
        " UNION ALL SELECT concat(name, ' (', type, ')'), data_compressed_bytes FROM system.data_skipping_indices WHERE table = {table:String}"
        " ORDER BY 2 DESC",
        {"table": table},
    )
    return {str(name): int(str(size)) for name, size in found.rows}


def tables(home: Path) -> dict[str, str]:
    """Name of each logstore to its table."""
    with sqlite3.connect(home / "server" / "meta.db") as database:
        rows = database.execute(
            "SELECT logstores.name, logstores.id FROM logstores JOIN projects ON projects.id = project_id WHERE projects.name = ?",
            [PROJECT],
        ).fetchall()
    return {str(name): table_name(number) for name, number in rows}

"""Writes golden.json anew, from DuckDB alone: `python -m tests.integration.query.dashboards.golden`."""

import json
from pathlib import Path

import duckdb

from tests.integration.query.dashboards.data import DATASETS, Dataset
from tests.integration.query.dashboards.queries import QUERIES, Query

FILE = Path(__file__).with_name("golden.json")
_TYPES = {"text": "VARCHAR", "long": "BIGINT", "double": "DOUBLE"}


def tables() -> duckdb.DuckDBPyConnection:
    """A table per dataset, with `__time__` and a column per field."""
    connection = duckdb.connect()
    for name, dataset in DATASETS.items():
        columns = ", ".join(f'"{field}" {_TYPES[kind]}' for field, kind in dataset.types.items())
        connection.execute(f"CREATE TABLE {name} (__time__ BIGINT, {columns})")
        marks = ", ".join("?" * (1 + len(dataset.types)))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", _rows(dataset))
    return connection


def answer(connection: duckdb.DuckDBPyConnection, query: Query) -> list[list[object]]:
    dataset, _, condition, sql, other = query
    connection.execute(f"CREATE OR REPLACE TEMP VIEW log AS SELECT * FROM {dataset} WHERE {condition}")
    return [[_plain(value) for value in row] for row in connection.execute(other or sql).fetchall()]


def _rows(dataset: Dataset) -> list[list[object]]:
    return [[time, *(event.get(field) for field in dataset.types)] for time, event in dataset.events]


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float | str) else float(str(value))


if __name__ == "__main__":
    duck = tables()
    answers = [[query[0], query[1], query[3], answer(duck, query)] for query in QUERIES]
    FILE.write_text("[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in answers) + "\n]\n", "utf-8")
    print(f"{len(answers)} queries")

"""DuckDB on Parquet as a rival of `query.py` (`rival.py` has the convention): `--rival "python bench/duckdb_rival.py"`.

It has no index of words: a word anywhere is looked for in each value of each event of the range.
"""

import json
import re
import sys
from typing import Any

import duckdb

DELIMITERS = r"[,\s'\";=()\[\]{}?@&<>/:]"
NUMBERS = {"status"}
SQL = {
    "top 10 of hosts": "SELECT host, count(*) AS hits FROM found GROUP BY host ORDER BY hits DESC LIMIT 10",
    "top 10 of uris": "SELECT uri, count(*) AS hits FROM found GROUP BY uri ORDER BY hits DESC LIMIT 10",
    "p99 per minute": "SELECT ms // 60000 AS minute, approx_quantile(CAST(request_time AS DOUBLE), 0.99) FROM found GROUP BY minute",
}


def answer(connection: duckdb.DuckDBPyConnection, question: dict[str, Any]) -> int:
    """In the form of `query.py`: a count, or the number of rows."""
    path = question["files"][question["table"]]
    names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall() if row[0] not in ("ms", "source")]
    conditions = [f"ms >= {question['start'] * 1000}", f"ms < {question['end'] * 1000}", *_conditions(question["search"], names)]
    found = f"WITH found AS (SELECT * FROM '{path}' WHERE {' AND '.join(conditions)})"
    if question["kind"] == "histogram":
        width = max(1, (question["end"] - question["start"]) // 60)
        return sum(count for _, count in _rows(connection, f"{found} SELECT ms // {width * 1000} AS n, count(*) FROM found GROUP BY n"))
    if question["name"] in SQL:
        return len(_rows(connection, f"{found} {SQL[question['name']]}"))
    if question["sql"]:
        pattern = re.search(r"regexp_like\((\w+), '([^']+)'\)", question["sql"])
        where = f" WHERE regexp_matches({pattern[1]}, '{pattern[2]}')" if pattern else ""
        return int(_rows(connection, f"{found} SELECT count(*) FROM found{where}")[0][0])
    return len(_rows(connection, f"{found} SELECT * FROM found ORDER BY ms DESC LIMIT 100"))


def _conditions(search: str, names: list[str]) -> list[str]:
    """Of the searches of `query.py`: words, `field:value` and `field = number`, all of which have to hold."""
    made: list[str] = []
    for word in re.sub(r"\s*=\s*", "=", search.replace(" and ", " ")).split():
        field, sign, value = re.match(r"(?:(\w+)([:=]))?(.*)", word).groups()  # type: ignore[union-attr]
        if word == "*":
            continue
        if field in NUMBERS:
            made.append(f"TRY_CAST({field} AS BIGINT) = {int(value)}")
        elif sign:
            made.append(_has(field, value))
        else:
            made.append("(" + " OR ".join(_has(name, value) for name in names) + ")")
    return made


def _has(name: str, text: str) -> str:
    """All words of `text`, as `query.py`'s index cuts them."""
    words = [word for word in re.split(DELIMITERS, text.lower()) if word]
    edges = (f"(^|{DELIMITERS})".replace("'", "''"), f"({DELIMITERS}|$)".replace("'", "''"))
    return "(" + " AND ".join(f"regexp_matches(lower({name}), '{edges[0]}{re.escape(word)}{edges[1]}')" for word in words) + ")"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()


def main() -> None:
    connection = duckdb.connect()
    for line in sys.stdin:
        print(json.dumps({"answer": answer(connection, json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()

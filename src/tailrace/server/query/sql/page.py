"""Writes the reference page of SQL functions: `python -m tailrace.server.query.sql.page docs/reference/sql-functions.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from tailrace.server.query.sql.contract import Chapter, Common, Function, Like
from tailrace.server.query.sql.functions import CHAPTERS, NOT_HERE

_HEAD = """# SQL functions

<!-- Made by `make docs` from the chapters in src/tailrace/server/query/sql/chapters; what is written here by hand is lost. -->

What `SEARCH | SELECT …` may call ([the language](search-language.md)). Any other function is refused by name, with the
nearest that is known. Brackets hold what may be left out, `…` means any number more. Each example is run by a test; the logs that it speaks
of have

| | `n` | `d` | `s` | `__time__` |
| --- | --- | --- | --- | --- |
| 1 | 1 | 0.5 | `Alpha-1` | 1700000000 |
| 2 | 2 | 1.5 | `beta-22` | 1700000060 |
| 3 | 2 | 2.5 | *missing* | 1700003600 |

and all of them `j` = `{"a":{"b":1},"l":[1,2,3],"t":"x"}` and `u` = `http://host.example:8080/path/x?q=1&r=a%20b#top`. Aggregates
go over all three, window functions give one value for each, all other functions are shown for the first; the time zone is UTC.
"""


def page() -> str:
    """All chapters, as Markdown."""
    return "\n".join([_HEAD, *(line for chapter in CHAPTERS for line in _chapter(chapter)), *_not_here()])


def _not_here() -> Iterator[str]:
    yield "## Not here\n"
    yield "Functions of Log Service that are refused by name, and what they would take.\n"
    yield "| whose names begin so | take |"
    yield "| --- | --- |"
    yield from (f"| `{prefix}` | {needed} |" for prefix, needed in NOT_HERE.items())
    yield ""


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"## {chapter.title}\n"
    yield f"{chapter.about}\n"
    yield "| function | gives | type | example | answer |"
    yield "| --- | --- | --- | --- | --- |"
    yield from (_row(function) for function in chapter.functions)
    yield ""


def _row(function: Function) -> str:
    kind = "of its argument" if isinstance(function.returns, Like | Common) else function.returns.value.replace("unknown", "")
    example, answer = (f"`{_cell(text)}`" if text else "" for text in (function.example, function.answer))
    return f"| `{_cell(function.call)}` | {_cell(function.does)} | {kind} | {example} | {answer} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

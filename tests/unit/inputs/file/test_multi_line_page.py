"""The examples of docs/howto/multi-line.md: what each configuration makes of its sample."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tailrace.pipeline.loading import from_document
from tailrace.pipeline.preview import preview

PAGE = Path(__file__).parents[4] / "docs" / "howto" / "multi-line.md"
EXAMPLE = re.compile(r"^## ([^\n]+)\n+```yaml\n(.*?)```\n+```text\n(.*?)```\n+```json\n(.*?)```", re.DOTALL | re.MULTILINE)
EXAMPLES = EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


def test_every_combination_has_an_example() -> None:
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize(("config", "sample", "expected"), [example[1:] for example in EXAMPLES], ids=[example[0] for example in EXAMPLES])
def test_an_example_gives_what_the_page_says(config: str, sample: str, expected: str) -> None:
    result = preview(from_document(yaml.safe_load(config), "example.yaml"), sample.encode())
    assert [row["content"] for row in result.rows()] == json.loads(expected)

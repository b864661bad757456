"""The generated reference is what the models say, and its examples do what they show."""

from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from tailrace.pipeline import reference, registry

DIRECTORY = Path(__file__).parents[3] / "docs" / "reference" / "plugins"


@pytest.fixture(autouse=True)
def trial_plugins() -> None:
    """Only the plugins that ship: hides the fixture that adds those of the tests."""


def test_no_page_is_stale() -> None:
    wanted = reference.pages()
    assert {path.name for path in DIRECTORY.iterdir()} == wanted.keys(), "run `make docs`"
    for name, content in wanted.items():
        assert (DIRECTORY / name).read_text(encoding="utf-8") == content, f"{name} is stale: run `make docs`"


def test_every_processor_and_aggregator_has_an_example_that_shows_something() -> None:
    for entry in registry.all_plugins():
        if entry.kind in ("processor", "aggregator"):
            example = entry.cls.example()
            assert example.sample.endswith("\n")
            assert "## Example" in reference.page(entry)


def test_the_schema_accepts_every_sample_and_example_and_refuses_what_is_unknown() -> None:
    validator = jsonschema_rs.validator_for(reference.pipeline_schema())
    frame = {"inputs": [registry.get("input", "input_file").sample()], "flushers": [registry.get("flusher", "flusher_stdout").sample()]}
    for entry in registry.all_plugins():
        assert validator.is_valid({**frame, reference.SECTIONS[entry.kind]: [entry.sample()]}), entry.type
    assert not validator.is_valid({**frame, "processors": [{"Type": "processor_drop", "DropKeys": ["a"], "Zzz": 1}]})
    assert not validator.is_valid({**frame, "other": 1})
    assert not validator.is_valid({"inputs": frame["inputs"]})


def test_writing_removes_pages_of_plugins_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "processor_gone.md").write_text("old")
    reference.write(tmp_path)
    assert not (tmp_path / "processor_gone.md").exists()
    assert yaml.safe_load((tmp_path / "pipeline.schema.json").read_text())["title"] == "Tailrace pipeline"


def test_a_row_of_the_key_table() -> None:
    rows = {row["key"]: row for row in reference.key_rows(registry.get("processor", "processor_parse_regex_native").config_model)}
    assert rows["Regex"]["type"] == "pattern"
    assert rows["Keys"] == {
        "key": "Keys",
        "type": "list of strings",
        "default": "required",
        "unit": "",
        "bounds": "not empty",
        "what it does": "The names of the fields, one per group.",
    }
    assert rows["CopingRawLog"]["what it does"].endswith("Also spelled `CopyingRawLog`.")

"""`tailrace plugin list` and `show`."""

import json

import pytest

from tailrace.cli.main import main
from tailrace.pipeline import registry
from tailrace.pipeline.plugins import MODULES


def test_the_list_has_every_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin", "list", "--output", "json"]) == 0
    out, err = capsys.readouterr()
    listed = {(row["kind"], row["type"]) for row in map(json.loads, out.splitlines())}
    assert listed == {(kind, name) for kind, names in MODULES.items() for name in names if registry.get(kind, name).type == name}
    assert err == ""


def test_one_kind_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin", "list", "--kind", "flusher"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["kind", "type", "stability"]
    assert [line.split()[1] for line in lines[2:]] == sorted(MODULES["flusher"])


def test_a_plugin_is_shown_with_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin", "show", "processor_drop"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("processor_drop (processor, beta)\n\nRemove fields from events.\n")
    assert "DropKeys   list of strings   required   not empty   The fields to remove" in out


def test_a_plugin_as_json_and_as_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin", "show", "processor_drop", "--output", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["sample"] == {"Type": "processor_drop", "DropKeys": ["token"]}
    assert main(["plugin", "show", "processor_drop", "--output", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["required"] == ["Type", "DropKeys"]
    assert schema["additionalProperties"] is False


def test_an_unknown_plugin_comes_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin", "show", "processor_filter"]) == 2
    assert capsys.readouterr().err == "error: unknown plugin `processor_filter`\nhint: did you mean `processor_filter_regex`?\n"

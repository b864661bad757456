"""processor_dict_map."""

from pathlib import Path

import pytest

from tailrace.errors import ConfigError

TYPE = "processor_dict_map"
BASE = {"SourceKey": "s", "MapDict": {"1": "one", "2": "two"}}


@pytest.mark.parametrize(
    ("options", "event", "after"),
    [
        ({}, {"s": "1"}, {"s": "one"}),
        ({}, {"s": "9"}, {"s": "9"}),
        ({}, {"a": "x"}, {"a": "x"}),
        ({"DestKey": "s"}, {"s": "2"}, {"s": "two"}),
        ({"DestKey": "d"}, {"s": "1"}, {"s": "1", "d": "one"}),
        ({"DestKey": "d"}, {"s": "9", "d": "old"}, {"s": "9", "d": "old"}),
        ({"DestKey": "d"}, {"s": "1", "d": "old"}, {"s": "1", "d": "one"}),
        ({"DestKey": "d", "Mode": "fill"}, {"s": "1", "d": "old"}, {"s": "1", "d": "old"}),
        ({"DestKey": "d", "Mode": "fill"}, {"s": "1"}, {"s": "1", "d": "one"}),
        ({"DestKey": "d", "HandleMissing": True}, {"a": "x"}, {"a": "x", "d": "Unknown"}),
        ({"DestKey": "d", "HandleMissing": True, "Missing": "-"}, {"d": "old"}, {"d": "-"}),
        ({"DestKey": "d", "HandleMissing": True, "Mode": "fill"}, {"d": "old"}, {"d": "old"}),
        ({"HandleMissing": True}, {"a": "x"}, {"a": "x", "s": "Unknown"}),
        ({"DestKey": "d"}, {"a": "x"}, {"a": "x"}),
    ],
)
def test_translating(run, options, event, after):
    assert run(TYPE, {**BASE, **options}, event).events == [list(after.items())]


def test_a_dictionary_from_a_file(run, tmp_path: Path):
    file = tmp_path / "hosts.csv"
    file.write_text('10.0.0.7,web\n10.0.0.9,"db, main"\n10.0.0.7,web\n')
    out = run(TYPE, {"SourceKey": "ip", "DictFilePath": str(file), "MaxDictSize": 2}, {"ip": "10.0.0.9"}, {"ip": "10.0.0.7"})
    assert out.events == [[("ip", "db, main")], [("ip", "web")]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the dictionary `{file}`: no such file or directory"),
        (b"", "the dictionary `{file}` is empty"),
        (b"a,b\nc\n", "row 2 of `{file}` has 1 columns"),
        (b"a,b\na,c\n", "row 2 of `{file}` translates a value a second time, as something else"),
        (b"a,b\nc,d\ne,f\n", "`{file}` has more than 2 entries"),
        (b"\xff,b\n", "the dictionary `{file}` is not CSV in UTF-8: "),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(run, tmp_path: Path, content, message):
    file = tmp_path / "hosts.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        run(TYPE, {"SourceKey": "s", "DictFilePath": str(file), "MaxDictSize": 2}, {"s": "1"})
    assert caught.value.message.startswith(message.format(file=file))


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"MapDict": {}}, "MapDict: is missing (give `MapDict` or `DictFilePath`)"),
        ({"DictFilePath": "/x"}, "DictFilePath: cannot stand beside `MapDict` (keep one of them)"),
        ({"MaxDictSize": 1}, "MapDict: has 2 entries, `MaxDictSize` is 1"),
        ({"Mode": "merge"}, "Mode: expected one of `overwrite`, `fill`, got the string `merge`"),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, {**BASE, **options}) == [mistake]


def test_a_dictionary_has_1000_entries_at_most_by_default(refusals):
    big = {str(number): "x" for number in range(1001)}
    assert refusals(TYPE, {"SourceKey": "s", "MapDict": big}) == ["MapDict: has 1001 entries, `MaxDictSize` is 1000"]

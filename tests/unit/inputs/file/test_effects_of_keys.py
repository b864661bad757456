"""The keys of `input_file` that say how bytes become events: what comes out by default, and with another value.

What files have to show is tested with discovery, rotation and reading; `test_every_key` says where.
"""

from typing import Any

import pytest

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.plugin import split
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.plugin import split as split_static

Multiline = dict[str, str]
LINES = b"s1\nm\ne1\nx\ns2\n"
FOUR: Multiline = {"StartPattern": "s"}


def lines(**multiline: str) -> dict[str, Any]:
    return {"Multiline": multiline}


# (key, bytes, options, events by default, changed options, events then)
TABLE: list[tuple[str, bytes, dict[str, Any], list[str], dict[str, Any], list[str]]] = [
    ("FileEncoding", "你\n".encode("gbk"), {}, [r"\xc4\xe3"], {"FileEncoding": "gbk"}, ["你"]),
    ("InvalidBytes", b"a\xff\n", {}, [r"a\xff"], {"InvalidBytes": "replace"}, ["a\ufffd"]),
    ("Multiline.Mode", b'{"a":\n1}\n', {}, ['{"a":', "1}"], lines(Mode="JSON"), ['{"a":\n1}']),
    ("Multiline.Mode", LINES, {}, ["s1", "m", "e1", "x", "s2"], lines(Mode="whole_file"), ["s1\nm\ne1\nx\ns2"]),
    ("Multiline.StartPattern", LINES, {}, ["s1", "m", "e1", "x", "s2"], lines(StartPattern="s"), ["s1\nm\ne1\nx", "s2"]),
    (
        "Multiline.ContinuePattern",
        LINES,
        lines(StartPattern="s"),
        ["s1\nm\ne1\nx", "s2"],
        lines(StartPattern="s", ContinuePattern="m"),
        ["s1\nm", "e1", "x", "s2"],
    ),
    (
        "Multiline.EndPattern",
        LINES,
        lines(StartPattern="s"),
        ["s1\nm\ne1\nx", "s2"],
        lines(StartPattern="s", EndPattern="e"),
        ["s1\nm\ne1", "x", "s2"],
    ),
    (
        "Multiline.UnmatchedContentTreatment",
        b"x\ns1\n",
        lines(StartPattern="s"),
        ["x", "s1"],
        lines(StartPattern="s", UnmatchedContentTreatment="discard"),
        ["s1"],
    ),
]


def events(config: FileConfig, block: bytes) -> list[str]:
    batch = split_static(block, config) if isinstance(config, StaticFileConfig) else split(block, config)
    return [value.decode("utf-8", "backslashreplace") for value in batch.column(b"content") if value is not None]


@pytest.mark.parametrize("model", [FileConfig, StaticFileConfig])
@pytest.mark.parametrize(("key", "block", "options", "default", "changed", "then"), TABLE, ids=[row[0] for row in TABLE])
def test_a_key_does_what_it_says(model, key, block, options, default, changed, then):
    def of(given: dict[str, Any]) -> list[str]:
        return events(model.model_validate({"FilePaths": ["/d/x"], **given}), block)

    assert of(options) == default
    assert of(changed) == then
    assert default != then, key

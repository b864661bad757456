"""Pipelines from text, files and directories: every mistake is named with its line, in one go."""

from pathlib import Path

import pytest

from tailrace.errors import ConfigErrors
from tailrace.pipeline.loading import from_canonical, from_document, load_directory, load_file, load_text

MINIMAL = "inputs:\n  - Type: input_test\n    Paths: [/a]\nflushers:\n  - Type: flusher_test\n"


NAME_RULE = "a name has up to 192 letters, digits, `_`, `-`, `.` or `@` and starts with a letter or digit"


def mistakes(text: str, name: str = "p.yaml") -> list[str]:
    """Each as `where: message`, with ` (hint)`."""
    with pytest.raises(ConfigErrors) as caught:
        load_text(text, name)
    return [f"{error.message} ({error.hint})" if error.hint else error.message for error in caught.value.errors]


def test_the_smallest_pipeline() -> None:
    config = load_text(MINIMAL, "dir/nginx.yaml")
    assert (config.name, config.enable, config.source) == ("nginx", True, "dir/nginx.yaml")
    assert [plugin.type for plugin in config.plugins] == ["input_test", "flusher_test"]
    assert config.inputs[0].config.paths == ["/a"]
    assert config.inputs[0].build().config is config.inputs[0].config


def test_json_and_yaml_are_the_same_pipeline() -> None:
    text = '{"flushers": [{"Type": "flusher_test"}], "inputs": [{"Paths": ["/a"], "Type": "input_test"}]}'
    assert load_text(text, "p.json").version == load_text(MINIMAL, "p.yaml").version


def test_all_mistakes_of_a_file_come_at_once_in_the_order_of_its_lines() -> None:
    text = """\
configName: ../etc
enabled: true
enable: yes
global:
  StructureTyp: v2
  FlushIntervalMs: fast
  TopicType: path
inputs:
  - Type: input_test
    Path: /a
    SizeKB: 0
    Labels: {a: 1}
  - Paths: [/a]
processors:
  - Type: processor_dorp
  - just text
aggregators:
  - Type: aggregator_bass
flushers: flusher_test
extensions: []
"""
    assert mistakes(text) == [
        f"p.yaml:1 configName: `../etc` cannot be a name ({NAME_RULE})",
        "p.yaml:2 enabled: unknown key (did you mean `enable`?)",
        "p.yaml:3 enable: expected true or false, got the string `yes`",
        "p.yaml:5 global.StructureTyp: unknown key (did you mean `StructureType`?)",
        "p.yaml:6 global.FlushIntervalMs: expected a whole number, got the string `fast`",
        "p.yaml:7 global.TopicType: expected one of `none`, `default`, `filepath`, `machine_group_topic`, `custom`, got the string `path`",
        "p.yaml:9 inputs[0].Paths: is missing (Where to read.)",
        "p.yaml:10 inputs[0].Path: unknown key (did you mean `Paths`?)",
        "p.yaml:11 inputs[0].SizeKB: must be at least 1, got 0",
        "p.yaml:12 inputs[0].Labels.a: expected a string, got the number `1`",
        "p.yaml:13 inputs[1].Type: is missing (it names the input: `tailrace plugin list`)",
        "p.yaml:15 processors[0].Type: unknown processor type `processor_dorp` (did you mean `processor_drop`?)",
        "p.yaml:16 processors[1]: expected a map with `Type`, got the string `just text`",
        "p.yaml:18 aggregators[0].Type: unknown aggregator type `aggregator_bass` (did you mean `aggregator_base`?)",
        "p.yaml:19 flushers: expected a list of plugins, got the string `flusher_test`",
        "p.yaml:20 extensions: this release cannot do that yet (remove the key)",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("Paths: /a", "Paths: expected a list of strings, got the string `/a`"),
        ("Paths: [1]", "Paths[0]: expected a string, got the number `1`"),
        ("Paths: []", "Paths: must not be empty (Where to read.)"),
        ("Paths:", "Paths: expected a list of strings, got nothing"),
        ("Paths: {a: b}", "Paths: expected a list of strings, got a map"),
        ("Paths: [/a]\n    Labels: [x]", "Labels: expected a map of strings to strings, got a list"),
        ("Paths: [/a]\n    SizeKB: 1.5", "SizeKB: expected a whole number, got the number `1.5`"),
        ("Paths: [/a]\n    SizeKB: true", "SizeKB: expected a whole number, got `true`"),
        ("Paths: [/a]\n    SizeKB: 4097", "SizeKB: must be at most 4096, got 4097"),
        ("Paths: [/a]\n    Window: 3", "Window: expected a map, got the number `3`"),
        ("Paths: [/a]\n    Window: {Frist: 3}", "Window.Frist: unknown key (did you mean `First`?)"),
        ("Paths: [/a]\n    Window: {First: 5, Last: 2}", "Window.First: 5 lies after `Last`, which is 2 (swap them)"),
        ("Paths: [/a]\n    PATHS: [/b]", "PATHS: unknown key (did you mean `Paths`?)"),
        (
            "Paths: [/a]\n    Zzz: 1",
            "Zzz: unknown key (known keys: `Paths`, `SizeKB`, `StartPattern`, `Labels`, `Window`, `CopingMode`, `CopyingMode`, `Queue`)",
        ),
        (
            "Paths: [/a]\n    CopingMode: true\n    CopyingMode: true",
            "CopyingMode: is another spelling of `CopingMode`, which is given too (keep one of them)",
        ),
    ],
)
def test_a_wrong_option_is_explained(options: str, message: str) -> None:
    text = MINIMAL.replace("Paths: [/a]", options)
    (mistake,) = mistakes(text)
    assert mistake.split(" inputs[0].", 1)[1] == message


def test_a_bad_pattern_is_found_with_its_line() -> None:
    (mistake,) = mistakes(MINIMAL.replace("Paths: [/a]", "Paths: [/a]\n    StartPattern: '(a'"))
    assert mistake.startswith("p.yaml:4 inputs[0].StartPattern: ")
    assert "in `(a`" in mistake


def test_both_spellings_of_a_misspelt_key_are_one_pipeline() -> None:
    old, new = (
        load_text(MINIMAL.replace("Paths: [/a]", f"Paths: [/a]\n    {key}: true"), "p.yaml") for key in ("CopingMode", "CopyingMode")
    )
    assert old.inputs[0].config.coping_mode
    assert old.version == new.version


def test_a_mistake_under_the_other_spelling_has_its_line() -> None:
    assert mistakes(MINIMAL.replace("Paths: [/a]", "Paths: [/a]\n    CopyingMode: 1")) == [
        "p.yaml:4 inputs[0].CopyingMode: expected true or false, got the number `1`"
    ]


def test_an_alias_of_a_type_becomes_the_type() -> None:
    assert load_text(MINIMAL.replace("input_test", "input_probe"), "p.yaml").inputs[0].type == "input_test"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "p.yaml: expected a map with `inputs` and `flushers`, got nothing"),
        ("[]", "p.yaml: expected a map with `inputs` and `flushers`, got a list"),
    ],
)
def test_a_file_that_is_no_map(text: str, expected: str) -> None:
    assert mistakes(text) == [expected]


def test_a_pipeline_needs_an_input_and_a_flusher() -> None:
    assert mistakes("inputs: []\n") == [
        "p.yaml:1 inputs: a pipeline needs at least one input (`tailrace plugin list` shows the inputs)",
        "p.yaml:1: a pipeline needs at least one flusher (`tailrace plugin list` shows the flushers)",
    ]


def test_several_flushers_keep_their_order() -> None:
    config = load_text(MINIMAL + "  - Type: flusher_test\n    Endpoint: http://b\n", "p.yaml")
    assert [plugin.config.endpoint for plugin in config.flushers] == ["http://127.0.0.1", "http://b"]


def test_the_version_depends_on_what_the_pipeline_does_and_not_on_how_it_is_written() -> None:
    base = load_text(MINIMAL, "p.yaml")
    same = load_text(
        "# comment\nconfigName: other\ncreateTime: 3\n"
        + MINIMAL.replace("Type: input_test\n    Paths: [/a]", "{Paths: [/a], Type: input_test}"),
        "q.yaml",
    )
    other = load_text(MINIMAL.replace("/a", "/b"), "p.yaml")
    assert base.version == same.version != other.version
    assert len(base.version) == 64


def test_the_canonical_text_reads_back_to_the_same_pipeline() -> None:
    config = load_text("configName: web\nenable: false\nglobal: {FlushIntervalMs: 5}\n" + MINIMAL, "p.yaml")
    again = from_canonical(config.canonical())
    assert (again.canonical(), again.version, again.name, again.enable) == (config.canonical(), config.version, "web", False)
    assert from_document(config.document(), "api").version == config.version


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"cannot read `.*nothing.yaml`: no such file or directory"):
        load_file(tmp_path / "nothing.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(ConfigErrors, match=r"latin.yaml:2: is not UTF-8: byte 8 is 0xe9"):
        load_file(latin)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load_file(tmp_path / "p.yaml").name == "p"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "b.yml").write_text(MINIMAL)
    (tmp_path / "a.yaml").write_text(MINIMAL)
    (tmp_path / "off.yaml").write_text("enable: false\n" + MINIMAL)
    (tmp_path / ".hidden.yaml").write_text("!!")
    (tmp_path / "notes.txt").write_text("!!")
    return tmp_path


def test_a_directory_gives_its_enabled_pipelines(directory: Path) -> None:
    assert [config.name for config in load_directory(directory)] == ["a", "b"]


def test_a_bad_file_does_not_stop_the_others(directory: Path) -> None:
    (directory / "bad.yaml").write_text("inputs: []")
    (directory / "a.json").write_text("{}")
    (directory / "twin.yaml").write_text("configName: b\n" + MINIMAL)
    broken: dict[str, str] = {}
    loaded = load_directory(directory, broken=lambda path, errors: broken.update({path.name: str(errors)}))
    assert [config.name for config in loaded] == ["a", "b"]
    assert sorted(broken) == ["a.json", "bad.yaml", "twin.yaml"]
    assert "a pipeline named `b` is already in" in broken["twin.yaml"]
    with pytest.raises(ConfigErrors) as caught:
        load_directory(directory)
    assert len(caught.value.errors) == 5


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"cannot read the directory `.*nowhere`: no such file or directory"):
        load_directory(tmp_path / "nowhere")


def test_a_file_input_stands_once_in_a_pipeline() -> None:
    inputs = "".join(f"  - {{Type: input_file, FilePaths: [/srv/{path}]}}\n" for path in "ab")
    text = f"flushers: [{{Type: flusher_stdout}}]\ninputs:\n{inputs}"
    hint = "list all paths in one of them, or make another pipeline"
    assert mistakes(text) == [f"p.yaml:2 inputs: holds 2 inputs of the type `input_file`; a pipeline may have one ({hint})"]

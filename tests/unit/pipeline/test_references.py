"""`${env:…}` and `${file:…}`: text until the agent resolves them, and never in a version, a canonical text or a message."""

from pathlib import Path

import pytest

from tailrace.errors import ConfigErrors
from tailrace.pipeline.config import Secret
from tailrace.pipeline.loading import load_text, resolve
from tailrace.pipeline.policy import ANYTHING
from tailrace.pipeline.report import remarks


def pipeline(options: str, endpoint: str = "x") -> str:
    return f"inputs:\n  - Type: input_test\n    Paths: [/a]\nflushers:\n  - Type: flusher_test\n    Endpoint: {endpoint}\n    {options}\n"


def test_a_reference_stays_as_written_until_it_is_resolved() -> None:
    config = load_text(pipeline("AccessKey: ${env:KEY}", "http://${env:HOST}:80"), "p.yaml")
    assert config.flushers[0].config.access_key.reveal() == "${env:KEY}"
    resolved = resolve(config, ANYTHING, {"KEY": "s3cret", "HOST": "logs"})
    assert resolved.flushers[0].config.access_key.reveal() == "s3cret"
    assert resolved.flushers[0].config.endpoint == "http://logs:80"


def test_resolving_changes_neither_version_nor_canonical_text() -> None:
    config = load_text(pipeline("AccessKey: ${env:KEY}"), "p.yaml")
    resolved = resolve(config, ANYTHING, {"KEY": "s3cret"})
    assert (resolved.version, resolved.canonical()) == (config.version, config.canonical())
    assert "s3cret" not in resolved.canonical() + repr(resolved) + repr(resolved.flushers[0].config)


def test_a_file_reference_is_the_content_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a\nb\n")
    config = resolve(load_text(pipeline(f"AccessKey: ${{file:{tmp_path}/key}}"), "p.yaml"), ANYTHING, {})
    assert config.flushers[0].config.access_key == Secret("a\nb")


def test_all_references_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    config = load_text(pipeline(f"AccessKey: ${{file:{tmp_path}/nothing}}", "${env:A}${env:B}"), "p.yaml")
    with pytest.raises(ConfigErrors) as caught:
        resolve(config, ANYTHING, {"B": "1"})
    assert [error.message for error in caught.value.errors] == [
        "p.yaml flushers[0].Endpoint: the environment variable `A` is not set",
        f"p.yaml flushers[0].AccessKey: cannot read the file `{tmp_path}/nothing`: no such file or directory",
    ]


def test_options_are_checked_again_with_what_was_put_in() -> None:
    text = pipeline("AccessKey: x").replace("Paths: [/a]", "Paths: [/a]\n    StartPattern: ${env:START}")
    config = load_text(text, "p.yaml")
    assert resolve(config, ANYTHING, {"START": "a+"}).inputs[0].config.start_pattern == "a+"
    with pytest.raises(ConfigErrors, match=r"p.yaml inputs\[0\].StartPattern: .*in `\(a`"):
        resolve(config, ANYTHING, {"START": "(a"})


def test_a_pipeline_without_references_is_left_alone() -> None:
    config = load_text(pipeline("AccessKey: x"), "p.yaml")
    assert resolve(config, ANYTHING, {}).plugins == config.plugins


def test_a_secret_shows_nothing() -> None:
    secret = Secret("s3cret")
    assert (f"{secret}", repr(secret), secret.reveal(), bool(secret), bool(Secret())) == ("***", "***", "s3cret", True, False)


def test_a_wrong_type_for_a_secret_is_not_shown() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_text(pipeline("AccessKey: 123456"), "p.yaml")
    assert str(caught.value) == "p.yaml:7 flushers[0].AccessKey: expected a string, got something else"


def test_a_secret_in_the_file_is_remarked() -> None:
    text = "enable: false\nglobal: {StructureType: v1}\n" + pipeline("AccessKey: 'abc'").replace("Paths: [/a]", "Paths: [/a]\n    Queue: 2")
    assert list(remarks(load_text(text, "p.yaml"))) == [
        "enable: the pipeline is off",
        "global.StructureType: has no effect: there is one shape of events here, the column batch",
        "inputs[0].Queue: has no effect: there is no queue",
        "flushers[0]: `flusher_test` is deprecated",
        "flushers[0].AccessKey: the secret stands in the file; `${env:NAME}` or `${file:PATH}` keeps it out",
    ]
    assert list(remarks(load_text(pipeline("AccessKey: ${env:A}").replace("flusher_test", "flusher_test"), "p.yaml"))) == [
        "flushers[0]: `flusher_test` is deprecated"
    ]

"""Documents say what is so: links lead somewhere, commands and configs in them work."""

import io
import re
from functools import cache
from pathlib import Path

import pytest
from rich.console import Console

from tailrace import __version__
from tailrace.cli.main import COMMANDS, application
from tailrace.pipeline.documents import read
from tailrace.pipeline.loading import from_project, load_text
from tailrace.pipeline.model import PipelineConfig
from tests.source_tree import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[`\s/])tailrace((?: [\w./~*'\"|$<>=-]+)+)", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
NOT_TARGETS = {"sure"}


def pages(*, with_text: str = "") -> list[object]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if with_text in page.read_text()]


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text()) if found == language]


@pytest.mark.parametrize("page", pages(with_text="]("))
def test_links_lead_to_files_that_are_there(page: Path):
    targets = [target for target in LINK.findall(FENCE.sub("", page.read_text())) if "://" not in target and not target.startswith("#")]
    assert [target for target in targets if not (page.parent / target.partition("#")[0]).exists()] == []


def test_the_index_names_every_page():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    generated = ROOT / "docs" / "reference" / "plugins"
    unlisted = [
        str(page.relative_to(ROOT))
        for page in (ROOT / "docs").rglob("*.md")
        if page != index and not page.is_relative_to(generated) and page.resolve() not in linked and page.parent.name != "adr"
    ]
    assert unlisted == []


def test_make_targets_that_documents_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(page.name, word) for page in PAGES for word in MAKE.findall(quoted(page)) if word not in NOT_TARGETS}
    assert {pair for pair in named if pair[1] not in targets} == set()


def quoted(page: Path) -> str:
    """What stands in code blocks, indented blocks and back-ticks."""
    text = page.read_text()
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    return "\n".join([*(body for _, body in FENCE.findall(text)), *inline, *re.findall(r"^ {4}(.*)", text, re.MULTILINE)])


WITHOUT_VERBS = ("up", "query", "tail", "parse", "completion")


@cache
def help_of(*words: str) -> str:
    console = Console(file=io.StringIO(), width=500, color_system=None)
    application().help_print(list(words), console=console)
    return console.file.getvalue()


@pytest.mark.parametrize("page", pages(with_text="tailrace "))
def test_commands_in_documents_are_commands_of_the_cli(page: Path):
    unknown = []
    for words in (match.split() for match in COMMAND.findall(quoted(page))):
        if words[0][0] in "-<":
            continue
        if words[0] not in COMMANDS:
            unknown.append(" ".join(words))
            continue
        deep = 1 if words[0] in WITHOUT_VERBS else 2
        deep += words[:2] in (["config", "generate"], ["agent", "token"], ["agent", "command"])
        nested = words[:deep]
        shown = help_of(*nested)
        unknown += [f"{' '.join(nested)} {flag}" for flag in words if flag.startswith("--") and flag.partition("=")[0] not in shown]
    assert unknown == []


@pytest.mark.parametrize("page", pages(with_text="inputs:\n"))
def test_pipelines_in_documents_are_valid(page: Path):
    configs = [text for text in blocks(page, "yaml") if "inputs:" in text]
    assert configs
    load = saved_on_a_server if page.stem == "manage-agents" else load_text
    assert [load(text, page.stem).name for text in configs] == [page.stem] * len(configs)


def saved_on_a_server(text: str, name: str) -> PipelineConfig:
    return from_project(read(text, name).value, name, endpoint="https://127.0.0.1:9481", project="demo")


def test_the_readme_tells_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "make up" in text
    assert "make test" in text


def test_documents_ask_for_the_rust_that_the_kernel_needs():
    [needed] = re.findall(r'^rust-version = "(.*)"', (ROOT / "kernel" / "Cargo.toml").read_text(), re.MULTILINE)
    named = {(page.name, version) for page in (*PAGES, ROOT / "Makefile") for version in re.findall(r"\bRust (\d+\.\d+)", page.read_text())}
    assert {name for name, _ in named} == {"README.md", "CONTRIBUTING.md", "Makefile"}
    assert {version for _, version in named} == {needed}


def test_the_kernel_has_the_version_of_the_package():
    texts = [(ROOT / name).read_text() for name in ("kernel/Cargo.toml", "kernel/pyproject.toml", "pyproject.toml")]
    found = re.findall(r'^version = "(.*)"', "\n".join(texts), re.MULTILINE) + re.findall(r'"tailrace-kernel==(.*)"', texts[2])
    assert found == [__version__] * 3

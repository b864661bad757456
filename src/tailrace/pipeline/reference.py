"""The reference of all plugins, made from their models: rows of keys, JSON schemas, Markdown pages.

`python -m tailrace.pipeline.reference docs/reference/plugins` writes the pages; a test fails when they are stale.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from tailrace.pipeline import registry
from tailrace.pipeline.config import OptionGroup, Secret, extra, public_key
from tailrace.pipeline.explain import describe_type, group_in, grouped
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.model import GlobalConfig
from tailrace.pipeline.plugins import INSTEAD, PUBLIC
from tailrace.pipeline.preview import preview
from tailrace.pipeline.registry import KINDS, Kind, PluginEntry

SECTIONS: Final[dict[Kind, str]] = {"input": "inputs", "processor": "processors", "aggregator": "aggregators", "flusher": "flushers"}
_SINK: Final[dict[str, Any]] = {"flushers": [{"Type": "flusher_stdout"}]}
REQUIRED: Final = "required"
_BOUNDS: Final = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


class _Schema(GenerateJsonSchema):
    """Without pydantic's titles, which only repeat the keys in another case."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def key_rows(model: type[OptionGroup], prefix: str = "") -> list[dict[str, str]]:
    """One row per key, nested ones dotted (`Key[].Inner`): key, type, default (JSON, or `required`), unit, bounds, what it does."""
    rows: list[dict[str, str]] = []
    for name, field in model.model_fields.items():
        key, inner = f"{prefix}{public_key(name, field)}", group_in(field.annotation)
        is_list = get_origin(field.annotation) is list
        rows.append(
            {
                "key": key,
                "type": _type(field),
                "default": "" if inner and not is_list else _default(field),
                "unit": cast("str", extra(field).get("x-unit", "")),
                "bounds": ", ".join(_bounds(field)),
                "what it does": _sentences(field),
            }
        )
        if inner and inner is not model:  # a tree holds groups of its own kind
            rows += key_rows(inner, f"{key}[]." if is_list else f"{key}.")
    return rows


def schema(entry: PluginEntry) -> dict[str, Any]:
    """The JSON schema of one plugin's map, `Type` included."""
    body = entry.config_model.model_json_schema(by_alias=True, schema_generator=_Schema)
    properties = {"Type": {"enum": [entry.type, *entry.aliases], "description": entry.summary}, **body.get("properties", {})}
    return {**body, "title": entry.type, "properties": properties, "required": ["Type", *body.get("required", [])]}


def pipeline_schema() -> dict[str, Any]:
    """The JSON schema of a whole pipeline file, for editors."""
    definitions: dict[str, Any] = {}
    sections: dict[str, list[dict[str, str]]] = {section: [] for section in SECTIONS.values()}
    for entry in registry.all_plugins():
        body = schema(entry)
        definitions.update(body.pop("$defs", {}))
        definitions[entry.type] = body
        sections[SECTIONS[entry.kind]].append({"$ref": f"#/$defs/{entry.type}"})
    lists = {section: {"type": "array", "items": {"anyOf": choices}} for section, choices in sections.items() if choices}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tailrace pipeline",
        "type": "object",
        "additionalProperties": False,
        "required": ["inputs", "flushers"],
        "properties": {
            "configName": {"type": "string", "description": "The pipeline's name; the file's stem when it is left out."},
            "enable": {"type": "boolean", "default": True, "description": "Whether the pipeline runs."},
            "createTime": {"type": "integer", "description": "When it was made, in seconds since the Unix epoch; kept for the record."},
            "global": GlobalConfig.model_json_schema(by_alias=True, schema_generator=_Schema),
            **lists,
        },
        "$defs": definitions,
    }


def page(entry: PluginEntry) -> str:
    """The Markdown page of one plugin."""
    keys = _key_table(entry.config_model)
    lines = [
        "<!-- Made by `make docs` from the plugin's own model. Edit that, not this page. -->",
        f"# {entry.type}",
        "",
        f"{entry.kind.capitalize()}, {entry.stability}.{_aliases(entry)}",
        "",
        entry.doc,
        "",
        *(["## Keys", "", *_markdown_table(keys)] if keys else ["It takes no keys."]),
        "",
        "## Smallest config",
        "",
        *_fenced("yaml", _yaml({SECTIONS[entry.kind]: [entry.sample()], **(_SINK if entry.kind == "input" else {})})),
    ]
    if hasattr(entry.cls, "example"):
        lines += ["", "## Example", "", *_example(entry)]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name → content of everything under docs/reference/plugins."""
    entries = list(registry.all_plugins())
    index = ["<!-- Made by `make docs`. -->", "# Plugins", ""]
    for kind in KINDS:
        rows = [
            {"type": f"[`{entry.type}`]({entry.type}.md)", "stability": entry.stability, "what it does": entry.summary}
            for entry in entries
            if entry.kind == kind
        ]
        if rows:
            index += [f"## {kind.capitalize()}s", "", *_markdown_table(rows), ""]
    index += ["## Known and not there", "", "Other agents have these plugins. A config that names one may be stored, and is not run:", ""]
    index += [f"- {kind}s: {', '.join(f'`{name}`' for name in sorted(PUBLIC[kind]))}" for kind in KINDS]
    index += ["", *(f"- `{name}`: {instead}" for name, instead in sorted(INSTEAD.items())), ""]
    index += ["## Keys of `global`", "", *key_table(GlobalConfig), ""]
    index += ["`pipeline.schema.json` is the JSON schema of a whole pipeline file: an editor completes and checks with it.", ""]
    return {
        "README.md": "\n".join(index),
        "pipeline.schema.json": json.dumps(pipeline_schema(), ensure_ascii=False, indent=2) + "\n",
        **{f"{entry.type}.md": page(entry) for entry in entries},
    }


def write(directory: Path) -> None:
    """Write all pages, and remove pages of plugins that are gone."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for stale in {path.name for path in directory.iterdir()} - wanted.keys():
        (directory / stale).unlink()
    for name, content in wanted.items():
        (directory / name).write_text(content, encoding="utf-8")


def _example(entry: PluginEntry) -> Iterator[str]:
    example = entry.cls.example()
    plugins = [{"Type": entry.type, **options} for options in example.processors]
    own = [plugin for plugin in plugins if plugin["Type"] == entry.type] if entry.kind == "aggregator" else []
    sections = {"processors": [plugin for plugin in plugins if plugin not in own], "aggregators": own}
    document = {
        "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/app/*.log"]}],
        **{name: section for name, section in sections.items() if section},
        **_SINK,
    }
    result = preview(from_document(document, "example.yaml"), example.sample.encode())
    rows = result.rows()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    yield from _fenced("yaml", _yaml(document))
    yield from ("", "What stands in the file:", "", *_fenced("text", example.sample), "")
    yield from ("What becomes of it (`tailrace parse --config FILE < SAMPLE`):", "")
    yield from _markdown_table([{column: row.get(column, "") for column in columns} for row in rows])
    yield ""
    yield from _fenced("text", "\n".join(result.summary()))


def key_table(model: type[OptionGroup]) -> Iterator[str]:
    """The keys of a model as the lines of a Markdown table; none when it has no keys."""
    yield from _markdown_table(_key_table(model))


def _key_table(model: type[OptionGroup]) -> list[dict[str, str]]:
    rows = key_rows(model)
    for row in rows:
        row["key"] = f"`{row['key']}`"
        if row["default"] not in ("", REQUIRED):
            row["default"] = f"`{row['default']}`"
    return rows


def _markdown_table(rows: list[dict[str, str]]) -> Iterator[str]:
    columns = [column for column in rows[0] if any(row[column] for row in rows)] if rows else []
    if not columns:
        return
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row[column].replace('|', chr(92) + '|') for column in columns)} |"


def _fenced(language: str, text: str) -> Iterator[str]:
    yield f"```{language}"
    yield from text.rstrip("\n").split("\n")
    yield "```"


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def _aliases(entry: PluginEntry) -> str:
    return f" Also known as {', '.join(f'`{alias}`' for alias in entry.aliases)}." if entry.aliases else ""


def _type(field: FieldInfo) -> str:
    words = describe_type(field.annotation).removeprefix("a ")
    # In a map the values are patterns, and they come last.
    return "pattern".join(words.rsplit("string", 1)) if extra(field).get("x-pattern") else words


def _sentences(field: FieldInfo) -> str:
    notes, sentences = extra(field), [field.description or ""]
    if notes.get("x-aliases"):
        sentences.append(f"Also spelled {', '.join(f'`{alias}`' for alias in notes['x-aliases'])}.")
    if notes.get("x-ignored"):
        sentences.append(f"Accepted, without effect: {notes['x-ignored']}.")
    return " ".join(sentences)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return REQUIRED
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or (isinstance(default, Secret) and not default):
        return ""
    return json.dumps("***" if isinstance(default, Secret) else default, ensure_ascii=False)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for metadata in field.metadata:
        for name, words in _BOUNDS.items():
            if (bound := getattr(metadata, name, None)) is not None:
                yield words.format(grouped(bound))
        if (least := getattr(metadata, "min_length", None)) is not None:
            yield "not empty" if least == 1 else f"length ≥ {least}"
        if (most := getattr(metadata, "max_length", None)) is not None:
            yield f"length ≤ {most}"


if __name__ == "__main__":
    write(Path(sys.argv[1]))

"""What a checked pipeline is, in words and as data: its plugins, the engine that each pattern gets, and remarks that are not mistakes."""

from collections.abc import Iterator
from typing import Any, cast

from tailrace.batch import Pattern
from tailrace.batch.patterns import pattern_warnings
from tailrace.pipeline.config import OptionGroup, Secret, extra, has_reference, public_key
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig


def describe(config: PipelineConfig) -> dict[str, Any]:
    """Plain data for `tailrace config check --output json`. No value of an option is in it but patterns, so no secret is either."""
    sections = {"inputs": config.inputs, "processors": config.processors, "aggregators": config.aggregators, "flushers": config.flushers}
    return {
        "name": config.name,
        "source": config.source,
        "enable": config.enable,
        "version": config.version,
        **{
            name: [{"Type": plugin.type, "stability": plugin.entry.stability, "patterns": _patterns(plugin)} for plugin in plugins]
            for name, plugins in sections.items()
        },
        "remarks": list(remarks(config)),
    }


def remarks(config: PipelineConfig) -> Iterator[str]:
    """What the author may want to know: keys without effect, secrets in plain text, a pipeline that is off."""
    if not config.enable:
        yield "enable: the pipeline is off"
    if config.classic is not None:
        yield from config.classic.remarks
    yield from _group_remarks(config.global_options, "global")
    for section in ("inputs", "processors", "aggregators", "flushers"):
        plugins = cast("tuple[ConfiguredPlugin, ...]", getattr(config, section))
        for index, plugin in enumerate(plugins):
            if plugin.entry.stability == "deprecated":
                yield f"{section}[{index}]: `{plugin.type}` is deprecated"
            yield from _group_remarks(plugin.config, f"{section}[{index}]")


def _group_remarks(group: OptionGroup, where: str) -> Iterator[str]:
    for name, field in type(group).model_fields.items():
        if name not in group.model_fields_set:
            continue
        key, value = public_key(name, field), getattr(group, name)
        reason = extra(field).get("x-ignored")
        if reason:
            yield f"{where}.{key}: has no effect: {reason}"
        if isinstance(value, Secret) and value and not has_reference(value.reveal()):
            yield f"{where}.{key}: the secret stands in the file; `${{env:NAME}}` or `${{file:PATH}}` keeps it out"
        if isinstance(value, OptionGroup):
            yield from _group_remarks(value, f"{where}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(cast("list[object]", value)):
                if isinstance(item, OptionGroup):
                    yield from _group_remarks(item, f"{where}.{key}[{index}]")


def _patterns(plugin: ConfiguredPlugin) -> list[dict[str, Any]]:
    return [
        {"key": key, "pattern": text, "engine": _engine(text), "warnings": [] if has_reference(text) else pattern_warnings(text)}
        for key, text in plugin.config.patterns()
        if text
    ]


def _engine(text: str) -> str:
    return "known on the agent" if has_reference(text) else Pattern(text).engine

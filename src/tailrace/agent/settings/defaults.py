"""What start-up settings give to pipelines that do not say it themselves (the manual's `default_tail_limit_kb` and its like).

A default becomes a part of the config and so of its version: a replay is shaped as its first pass was.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tailrace.agent.settings.settings import AgentSettings
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig


@dataclass(frozen=True, slots=True)
class _Default:
    """Setting `setting` is the value of key `path` of plugin type `plugin`."""

    setting: str
    plugin: str
    path: tuple[str, ...]
    value: Callable[[Any], Any] = lambda value: value


_DEFAULTS: Final = (
    _Default("default_tail_limit_kb", "input_file", ("TailSizeKB",)),
    _Default("max_read_buffer_size", "input_file", ("MaxEventSizeKB",), lambda size: size // 1024),
    _Default("accept_multi_config", "input_file", ("AllowingIncludedByMultiConfigs",)),
    _Default("batch_send_seconds", "flusher_sls", ("Batch", "TimeoutSecs")),
    _Default("batch_send_bytes", "flusher_sls", ("Batch", "MinSizeBytes")),
)


def with_defaults(pipeline: PipelineConfig, settings: AgentSettings) -> PipelineConfig:
    """The pipeline with the settings that were given, where it has no value of its own."""
    given = [default for default in _DEFAULTS if default.setting in settings.model_fields_set]
    if not given:
        return pipeline

    def filled(plugins: tuple[ConfiguredPlugin, ...]) -> tuple[ConfiguredPlugin, ...]:
        return tuple(_filled(plugin, list(_values(plugin, given, settings))) for plugin in plugins)

    return replace(pipeline, inputs=filled(pipeline.inputs), flushers=filled(pipeline.flushers))


def _values(plugin: ConfiguredPlugin, given: list[_Default], settings: AgentSettings) -> Iterator[tuple[tuple[str, ...], Any]]:
    document = plugin.config.document()
    for default in given:
        if default.plugin == plugin.type and not _has(document, default.path):
            yield default.path, default.value(getattr(settings, default.setting))


def _filled(plugin: ConfiguredPlugin, values: list[tuple[tuple[str, ...], Any]]) -> ConfiguredPlugin:
    if not values:
        return plugin
    document = plugin.config.document()
    for (*groups, key), value in values:
        group = document
        for name in groups:
            group = group.setdefault(name, {})
        group[key] = value
    return replace(plugin, config=type(plugin.config).model_validate(document))


def _has(document: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    inner = document.get(path[0])
    if len(path) == 1:
        return path[0] in document
    return isinstance(inner, Mapping) and path[1] in inner

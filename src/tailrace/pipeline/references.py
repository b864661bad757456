"""Puts in what only the agent's machine knows: `${env:NAME}` and `${file:PATH}`.

Until here a reference is text like any other, so that the server, the checkpoint and every message hold the name of a secret and never the
secret.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from tailrace.errors import ConfigError, ConfigErrors
from tailrace.pipeline.config import REFERENCE
from tailrace.pipeline.documents import dotted
from tailrace.pipeline.explain import findings
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig
from tailrace.pipeline.policy import ConfigPolicy

MAX_FILE_BYTES: Final = 65_536
"""Keys and certificates are far smaller; a wrong path (a log, a device) must not be swallowed whole."""

_SECTIONS: Final = {"input": "inputs", "processor": "processors", "aggregator": "aggregators", "flusher": "flushers"}


def resolve(config: PipelineConfig, policy: ConfigPolicy, environment: Mapping[str, str] = os.environ) -> PipelineConfig:
    """`config` with all references replaced and all options checked again; version and canonical text stay those of `config`.

    A file's content loses its last newline. Raises ConfigErrors that name every variable and file that is not there, or that `policy` keeps
    from configs, in references and in options that name files.
    """
    resolver = _Resolver(config.source or config.name, policy, environment)
    plugins = [resolver.plugin(plugin, path) for plugin, path in _paths(config)]
    if resolver.errors:
        raise ConfigErrors(resolver.errors)
    by_kind = {kind: tuple(plugin for plugin in plugins if plugin.kind == kind) for kind in _SECTIONS}
    return replace(
        config,
        inputs=by_kind["input"],
        processors=by_kind["processor"],
        aggregators=by_kind["aggregator"],
        flushers=by_kind["flusher"],
        as_written=config.document(),
    )


def _paths(config: PipelineConfig) -> list[tuple[ConfiguredPlugin, tuple[str | int, ...]]]:
    sections = (config.inputs, config.processors, config.aggregators, config.flushers)
    return [(plugin, (_SECTIONS[plugin.kind], index)) for plugins in sections for index, plugin in enumerate(plugins)]


class _Resolver:
    def __init__(self, source: str, policy: ConfigPolicy, environment: Mapping[str, str]) -> None:
        self.source = source
        self.policy = policy
        self.environment = environment
        self.errors: list[ConfigError] = []

    def plugin(self, plugin: ConfiguredPlugin, path: tuple[str | int, ...]) -> ConfiguredPlugin:
        document = plugin.config.document()
        before = len(self.errors)
        resolved = cast("dict[str, Any]", self.value(document, path))
        if resolved != document and len(self.errors) == before:
            try:
                plugin = replace(plugin, config=type(plugin.config).model_validate(resolved))
            except ValidationError as error:
                for inner, message, hint in findings(error, type(plugin.config)):
                    self.wrong((*path, *inner), message, hint)
        for problem in self.policy.problems(plugin.config):
            self.wrong((*path, problem.key) if problem.key else path, problem.message, problem.hint)
        return plugin

    def value(self, value: object, path: tuple[str | int, ...]) -> object:
        if isinstance(value, str):
            return REFERENCE.sub(lambda match: self.lookup(match[1], match[2], path), value)
        if isinstance(value, dict):
            return {key: self.value(item, (*path, key)) for key, item in cast("dict[str, object]", value).items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(cast("list[object]", value))]
        return value

    def lookup(self, kind: str, name: str, path: tuple[str | int, ...]) -> str:
        refusal = self.policy.variable(name) if kind == "env" else self.policy.file(name, "read")
        if refusal is not None:
            self.wrong(path, refusal.message, refusal.hint)
            return ""
        if kind == "env":
            if name not in self.environment:
                self.wrong(path, f"the environment variable `{name}` is not set", "set it for the agent's process, or use `${file:PATH}`")
            return self.environment.get(name, "")
        try:
            with Path(name).open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
            if len(content) > MAX_FILE_BYTES:
                self.wrong(path, f"the file `{name}` is larger than {MAX_FILE_BYTES:,} bytes")
            return content.decode().removesuffix("\n").removesuffix("\r")
        except OSError as error:
            self.wrong(path, f"cannot read the file `{name}`: {(error.strerror or str(error)).lower()}")
        except UnicodeDecodeError:
            self.wrong(path, f"the file `{name}` is not UTF-8 text")
        return ""

    def wrong(self, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        self.errors.append(ConfigError(message, where=f"{self.source} {dotted(path)}", hint=hint))

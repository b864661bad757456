"""Pipelines from files, directories and text, in the form of pipelines or the classic one of the SLS API.

A file is checked as a whole: all its mistakes come in one `ConfigErrors`, each with its line.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError

from tailrace.errors import ConfigError, ConfigErrors, SameNameError
from tailrace.pipeline import registry
from tailrace.pipeline.classic import is_classic
from tailrace.pipeline.config import OptionGroup
from tailrace.pipeline.documents import MAX_BYTES, Document, Value, read
from tailrace.pipeline.documents import Path as KeyPath
from tailrace.pipeline.explain import describe_value, findings, near
from tailrace.pipeline.model import ConfiguredPlugin, GlobalConfig, PipelineConfig
from tailrace.pipeline.references import resolve
from tailrace.pipeline.registry import Kind

__all__ = ["SUFFIXES", "from_canonical", "from_document", "from_project", "load_directory", "load_file", "load_text", "resolve"]

ENDPOINT: Final = "http://127.0.0.1:9480"
"""Where a classic config without `endpoint` sends: the server on this machine."""
PROJECT: Final = "default"
"""The project that `tailrace up` makes."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
MAX_AGGREGATORS: Final = 1
"""The rule of the format: batches of one pipeline go through at most one aggregator."""
ONCE: Final = ("input_file", "input_container_stdio")
"""Inputs that the format allows once in a pipeline: a file belongs to a pipeline, not to one of several inputs in it."""

_SECTIONS: Final[dict[str, Kind]] = {"inputs": "input", "processors": "processor", "aggregators": "aggregator", "flushers": "flusher"}
_TOP_KEYS: Final = ("configName", "enable", "createTime", "global", *_SECTIONS)
_TOP_KEYS_NOT_YET: Final = ("extensions",)
_NAME: Final = re.compile(r"[^\W_.-][\w.@-]{0,191}")

Options = TypeVar("Options", bound=OptionGroup)


def load_file(path: Path | str) -> PipelineConfig:
    """The pipeline in a YAML or JSON file; its name is `configName` or the file's stem. Raises ConfigErrors."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigErrors([ConfigError(f"is larger than {MAX_BYTES:,} bytes", where=str(path))])
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigErrors([ConfigError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}")]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigErrors(
            [ConfigError(f"is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}", where=f"{path}:{line}")]
        ) from error
    return load_text(text, str(path))


def load_directory(path: Path | str, *, broken: Callable[[Path, ConfigErrors], None] | None = None) -> list[PipelineConfig]:
    """All enabled pipelines of a directory, by file name; names that start with a dot and other suffixes are passed over.

    A file with mistakes goes to `broken` and the rest is loaded; without `broken` the mistakes of all files are raised together.
    """
    path = Path(path)
    failures: list[ConfigError] = []
    loaded: dict[str, PipelineConfig] = {}
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and not file.name.startswith(".") and file.is_file())
    except OSError as error:
        raise ConfigErrors([ConfigError(f"cannot read the directory `{path}`: {(error.strerror or str(error)).lower()}")]) from error
    for file in files:
        try:
            config = _load_other(file, loaded)
        except ConfigErrors as errors:
            failures += errors.errors
            if broken is not None:
                broken(file, errors)
        else:
            loaded[config.name] = config
    if failures and broken is None:
        raise ConfigErrors(failures)
    return [config for config in loaded.values() if config.enable]


def _load_other(file: Path, loaded: dict[str, PipelineConfig]) -> PipelineConfig:
    config = load_file(file)
    if config.name in loaded:
        message = f"a pipeline named `{config.name}` is already in `{loaded[config.name].source}`"
        raise ConfigErrors([SameNameError(message, where=str(file))])
    return config


def load_text(text: str, name: str) -> PipelineConfig:
    """The pipeline in `text`. `name` stands in messages and tells the format: `.json` is JSON, all else YAML. Raises ConfigErrors."""
    return _pipeline(read(text, name))


def from_canonical(text: str) -> PipelineConfig:
    """What `PipelineConfig.canonical()` wrote. Raises ConfigErrors, for instance when a newer release wrote it with keys unknown here."""
    return load_text(text, "canonical.json")


def from_document(value: dict[str, Any], name: str) -> PipelineConfig:
    """A pipeline from plain data. Raises ConfigErrors whose lines are all 1."""
    return _pipeline(Document(name, value))


def from_project(value: dict[str, Any], name: str, *, endpoint: str, project: str) -> PipelineConfig:
    """A pipeline from plain data that belongs to a project of a server: `endpoint` and `project` stand in where it names none.

    Raises ConfigErrors whose lines are all 1.
    """
    if "flushers" in value:
        value = {**value, "flushers": _addressed(value["flushers"], endpoint, project)}
    return _pipeline(Document(name, value), endpoint=endpoint, project=project)


def _addressed(flushers: Value, endpoint: str, project: str) -> Value:
    """A pipeline in a project of a server may leave out what the server knows."""
    if not isinstance(flushers, list):
        return flushers
    known: dict[str, Value] = {"Endpoint": endpoint, "Project": project}
    return [
        {"Type": one["Type"], **known, **one} if isinstance(one, dict) and one.get("Type") == "flusher_sls" else one for one in flushers
    ]


def _pipeline(document: Document, *, endpoint: str = ENDPOINT, project: str = PROJECT) -> PipelineConfig:
    """Of either form; a classic one is translated first, and kept beside."""
    if not is_classic(document.value):
        return _Check(document).pipeline()
    from tailrace.pipeline.classic.translation import translated  # noqa: PLC0415 - its models take time to build

    pipeline, classic = translated(document, endpoint=endpoint, project=project)
    return replace(_Check(pipeline).pipeline(), classic=classic)


class _Check:
    """Walks one document, keeps going after a mistake, and raises all of them at the end."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[tuple[int, ConfigError]] = []

    def pipeline(self) -> PipelineConfig:
        top = self.document.value
        if not isinstance(top, dict):
            raise ConfigErrors(
                [ConfigError(f"expected a map with `inputs` and `flushers`, got {describe_value(top)}", where=self.document.name)]
            )
        for key in top:
            if key in _TOP_KEYS_NOT_YET:
                self.wrong((key,), "this release cannot do that yet", "remove the key")
            elif key not in _TOP_KEYS:
                self.wrong((key,), "unknown key", near(key, _TOP_KEYS))
        enable = top.get("enable", True)
        if not isinstance(enable, bool):
            self.wrong(("enable",), f"expected true or false, got {describe_value(enable)}")
        name = self.name(top)
        options = self.options(top.get("global"), GlobalConfig, ("global",)) if "global" in top else GlobalConfig()
        inputs, processors, aggregators, flushers = (self.section(top, section, kind) for section, kind in _SECTIONS.items())
        if len(aggregators) > MAX_AGGREGATORS:
            self.wrong(("aggregators",), f"holds {len(aggregators)} aggregators; a pipeline may have one")
        for type_ in ONCE:
            if (count := [one.type for one in inputs].count(type_)) > 1:
                hint = "list all paths in one of them, or make another pipeline"
                self.wrong(("inputs",), f"holds {count} inputs of the type `{type_}`; a pipeline may have one", hint)
        if len({"onetime" in one.type for one in inputs}) > 1:
            self.wrong(
                ("inputs",),
                "holds inputs that follow files and inputs that read files once; a pipeline may have either",
                "make two pipelines with the same flushers",
            )
        if self.errors or options is None:
            raise ConfigErrors([error for _, error in sorted(self.errors, key=lambda item: item[0])])
        return PipelineConfig(name, inputs, processors, aggregators, flushers, options, enable is True, self.document.name)

    def wrong(self, path: KeyPath, message: str, hint: str = "", *, kind: type[ConfigError] = ConfigError) -> None:
        where = self.document.where(path)
        line = int(where.removeprefix(f"{self.document.name}:").split(" ", 1)[0])
        self.errors.append((line, kind(message, where=where, hint=hint)))

    def name(self, top: dict[str, Value]) -> str:
        name = top.get("configName", Path(self.document.name).stem)
        if not isinstance(name, str):
            self.wrong(("configName",), f"expected a string, got {describe_value(name)}")
            return ""
        if not _NAME.fullmatch(name):
            self.wrong(
                ("configName",),
                f"`{name}` cannot be a name",
                "a name has up to 192 letters, digits, `_`, `-`, `.` or `@` and starts with a letter or digit",
            )
        return name

    def section(self, top: dict[str, Value], section: str, kind: Kind) -> tuple[ConfiguredPlugin, ...]:
        entries = top.get(section)
        if entries is not None and not isinstance(entries, list):
            self.wrong((section,), f"expected a list of plugins, got {describe_value(entries)}")
            return ()
        if not entries and kind in ("input", "flusher"):
            self.wrong(
                (section,) if section in top else (), f"a pipeline needs at least one {kind}", f"`tailrace plugin list` shows the {kind}s"
            )
        plugins = [self.plugin(entry, kind, (section, index)) for index, entry in enumerate(entries or [])]
        return tuple(plugin for plugin in plugins if plugin is not None)

    def plugin(self, entry: Value, kind: Kind, path: KeyPath) -> ConfiguredPlugin | None:
        if not isinstance(entry, dict):
            self.wrong(path, f"expected a map with `Type`, got {describe_value(entry)}")
            return None
        type_name = entry.get("Type")
        if not isinstance(type_name, str):
            message = f"expected a string, got {describe_value(type_name)}" if "Type" in entry else "is missing"
            self.wrong((*path, "Type"), message, f"it names the {kind}: `tailrace plugin list`")
            return None
        try:
            plugin = registry.get(kind, type_name)
        except ConfigError as error:
            self.wrong((*path, "Type"), error.message, error.hint, kind=type(error))
            return None
        config = self.options({key: value for key, value in entry.items() if key != "Type"}, plugin.config_model, path)
        return ConfiguredPlugin(kind, plugin.type, config) if config is not None else None

    def options(self, value: Value, model: type[Options], path: KeyPath) -> Options | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for inner, message, hint in findings(error, model):
                self.wrong((*path, *self.as_written(inner, path, model)), message, hint)
            return None

    def as_written(self, inner: KeyPath, path: KeyPath, model: type[OptionGroup]) -> KeyPath:
        """The path with the spelling of the file, so that the line is found when a key is written in its other spelling."""
        if not inner or (*path, inner[0]) in self.document.lines:
            return inner
        spelling = next(
            (
                written
                for written, canonical in model.spellings().items()
                if canonical == inner[0] and (*path, written) in self.document.lines
            ),
            inner[0],
        )
        return (cast("str", spelling), *inner[1:])

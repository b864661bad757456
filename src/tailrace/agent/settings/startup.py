"""The start-up settings of an agent, and where each value comes from (the manual's start-up parameters).

A later layer wins: what servers gave (`served`), `HOME/agent.yaml`, the files of `HOME/config.d` in the order of their names, the
environment, `--set KEY=VALUE`. A variable of the environment has the key's name in capitals after `TAILRACE_` or `ALIYUN_LOGTAIL_`, or is
the bare key as the manual has it.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tailrace.agent.settings.served import Layers, layers_of
from tailrace.agent.settings.settings import AgentSettings
from tailrace.errors import ConfigError, ConfigErrors
from tailrace.pipeline import documents
from tailrace.pipeline.config import Secret, extra, public_key
from tailrace.pipeline.explain import findings, near

FILE: Final = "agent.yaml"
FRAGMENTS: Final = "config.d"
SUFFIXES: Final = (".yaml", ".yml", ".json")
USUAL: Final = frozenset({"http_proxy", "https_proxy", "no_proxy"})
"""Known to everyone under the bare name in capitals, too."""
PREFIXES: Final = ("TAILRACE_", "ALIYUN_LOGTAIL_")
VARIABLES: Final = {"check_point_filename": "ALIYUN_LOGTAIL_CHECK_POINT_PATH"}
"""The manual's own name of a variable, where it is not the key's."""
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one place. `where` says, for a path inside the settings, what a person looks for: a file and line, a variable."""

    origin: str
    values: Mapping[str, documents.Value]
    where: Callable[[documents.Path], str]


@dataclass(frozen=True, slots=True)
class Startup:
    """The settings in force. `origins` has every key that is not at its default."""

    settings: AgentSettings
    origins: Mapping[str, str]

    def rows(self) -> Iterator[dict[str, Any]]:
        """key, value, unit, default, origin and why it is without effect, of every setting."""
        values = self.settings.model_dump(mode="json", by_alias=True)
        values |= {key: str(value) for key, value in self.settings if isinstance(value, Secret) and value}
        for name, field in AgentSettings.model_fields.items():
            key, noted = public_key(name, field), extra(field)
            yield {
                "key": key,
                "value": values[key],
                "unit": noted.get("x-unit", ""),
                "default": _shown(field.get_default(call_default_factory=True, validated_data={})),
                "origin": self.origins.get(key, DEFAULT),
                "ignored": noted.get("x-ignored", ""),
            }


def _shown(default: object) -> object:
    return "" if isinstance(default, Secret) else default


def load(home: Path, *, flags: Sequence[str] = (), environment: Mapping[str, str] = os.environ, served: Layers | None = None) -> Startup:
    """What holds for the agent in `home`. ConfigErrors with all mistakes of all layers, each with its place. `served`: what servers gave,
    where it is not what lies in the home."""
    own = [*_files(home), *_from_environment(environment), *_from_flags(flags)]
    given = [Layer(origin, values, documents.dotted) for origin, values in (layers_of(home) if served is None else served)]
    if served is not None or not given:
        return _merged([*given, *own])
    try:
        return _merged([*given, *own])
    except ConfigErrors:  # whatever a server has given, it does not keep the agent from starting
        return _merged(own)


def _merged(layers: Sequence[Layer]) -> Startup:
    merged: dict[str, documents.Value] = {}
    sources: dict[str, Layer] = {}
    for layer in layers:
        for key, value in layer.values.items():
            canonical = AgentSettings.spellings().get(key, key)
            merged[canonical] = value
            sources[canonical] = layer
    try:
        settings = AgentSettings.model_validate(merged)
    except ValidationError as error:
        raise ConfigErrors(
            [ConfigError(message, where=_where(sources, inner), hint=hint) for inner, message, hint in findings(error, AgentSettings)]
        ) from error
    return Startup(settings, {key: layer.origin for key, layer in sources.items()})


def _where(sources: Mapping[str, Layer], inner: documents.Path) -> str:
    layer = sources.get(str(inner[0])) if inner else None
    return layer.where(inner) if layer else documents.dotted(inner)


# --- files ----------------------------------------------------------------------------------------------------------------------
def _files(home: Path) -> Iterator[Layer]:
    yield from _file(home / FILE, FILE)
    fragments = home / FRAGMENTS
    names = sorted(path.name for path in fragments.iterdir() if path.suffix in SUFFIXES) if fragments.is_dir() else []
    for name in names:
        yield from _file(fragments / name, f"{FRAGMENTS}/{name}")


def _file(path: Path, origin: str) -> Iterator[Layer]:
    """One layer; none when there is no such file."""
    try:
        with path.open("rb") as file:
            text = file.read(documents.MAX_BYTES + 1).decode("utf-8-sig")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigErrors([ConfigError(f"cannot read `{path}`: {error}", hint="make it readable UTF-8 text, or remove it")]) from error
    document = documents.read(text, str(path))
    value = document.value if document.value is not None else {}
    if not isinstance(value, dict):
        raise ConfigErrors(
            [ConfigError("is not a map of settings", where=document.where(()), hint="write lines such as `cpu_usage_limit: 0.4`")]
        )
    yield Layer(origin, value, document.where)


# --- environment and flags --------------------------------------------------------------------------------------------------------
def _from_environment(environment: Mapping[str, str]) -> Iterator[Layer]:
    for key in AgentSettings.spellings():
        usual = [key.upper()] if key in USUAL else []
        manual = [VARIABLES[key]] if key in VARIABLES else []
        for name in (*usual, key, *manual, *(f"{prefix}{key.upper()}" for prefix in reversed(PREFIXES))):
            if name in environment:
                yield _single(f"environment {name}", key, environment[name])


def _from_flags(flags: Sequence[str]) -> Iterator[Layer]:
    known = AgentSettings.spellings()
    for flag in flags:
        key, equals, text = flag.partition("=")
        if not equals:
            raise ConfigErrors([ConfigError(f"`--set {flag}` has no `=`", hint="write `--set KEY=VALUE`")])
        if key not in known:
            raise ConfigErrors([ConfigError(f"`--set {flag}`: there is no setting `{key}`", hint=near(key, known))])
        yield _single("--set", key, text)


def _single(origin: str, key: str, text: str) -> Layer:
    return Layer(origin, {key: _value(key, text, origin)}, lambda _: f"{origin} {key}" if origin == "--set" else origin)


def _value(key: str, text: str, origin: str) -> documents.Value:
    """Texts as they are, everything else as YAML has it: `0.4`, `true`, `[/var/log, /srv]`."""
    name = next(name for name, field in AgentSettings.model_fields.items() if AgentSettings.spellings()[key] == public_key(name, field))
    annotation = AgentSettings.model_fields[name].annotation
    if annotation is str or annotation is Secret:
        return text
    return documents.read(text, origin).value

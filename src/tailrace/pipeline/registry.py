"""Which plugins there are. A plugin registers itself with one decorator; it is imported when its type name is first asked for.

    @processor("processor_drop", stability="beta")
    class Drop: ...

The class has a `Config` (a `PluginConfig`), is made by `cls(config)`, and a classmethod `sample()` gives its smallest valid config. The
decorator notes the type name on the class, as `type_name`.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from tailrace.errors import ConfigError, UnavailableError
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.explain import near
from tailrace.pipeline.plugins import INSTEAD, MODULES, PUBLIC

ConfigModel: TypeAlias = type[PluginConfig]
Kind: TypeAlias = Literal["input", "processor", "aggregator", "flusher"]
Stability: TypeAlias = Literal["experimental", "beta", "stable", "deprecated"]
KINDS: Final[tuple[Kind, ...]] = ("input", "processor", "aggregator", "flusher")


PluginClass = TypeVar("PluginClass", bound=type)


@dataclass(frozen=True, slots=True)
class Example:
    """A case for the reference page, run by a test: processors (without `Type`: the plugin that is documented, an aggregator too), and what
    stands in the file."""

    processors: list[dict[str, Any]]
    sample: str


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """One registered plugin. `cls(config)` makes an instance; `doc` is the module's docstring."""

    kind: Kind
    type: str
    cls: Any
    config_model: ConfigModel
    stability: Stability
    aliases: tuple[str, ...]
    doc: str

    @property
    def summary(self) -> str:
        """The first sentence of `doc`."""
        first, dot, _ = " ".join(self.doc.split("\n\n", 1)[0].split()).partition(". ")
        return first + dot.strip()

    def sample(self) -> dict[str, Any]:
        """The smallest valid config, with its `Type`."""
        return {"Type": self.type, **self.cls.sample()}


_entries: dict[tuple[str, str], PluginEntry] = {}


def input_plugin(type_name: str, *, stability: Stability = "beta", aliases: tuple[str, ...] = ()) -> Callable[[PluginClass], PluginClass]:
    """Register a class as the input `type_name`."""
    return _register("input", type_name, stability, aliases)


def processor(type_name: str, *, stability: Stability = "beta", aliases: tuple[str, ...] = ()) -> Callable[[PluginClass], PluginClass]:
    """Register a class as the processor `type_name`."""
    return _register("processor", type_name, stability, aliases)


def aggregator(type_name: str, *, stability: Stability = "beta", aliases: tuple[str, ...] = ()) -> Callable[[PluginClass], PluginClass]:
    """Register a class as the aggregator `type_name`."""
    return _register("aggregator", type_name, stability, aliases)


def flusher(type_name: str, *, stability: Stability = "beta", aliases: tuple[str, ...] = ()) -> Callable[[PluginClass], PluginClass]:
    """Register a class as the flusher `type_name`."""
    return _register("flusher", type_name, stability, aliases)


def _register(kind: Kind, type_name: str, stability: Stability, aliases: tuple[str, ...]) -> Callable[[PluginClass], PluginClass]:
    def register(cls: PluginClass) -> PluginClass:
        doc = inspect.getdoc(sys.modules[cls.__module__]) or ""
        entry = PluginEntry(kind, type_name, cls, cast("Any", cls).Config, stability, aliases, doc)
        for name in (type_name, *aliases):
            other = _entries.get((kind, name))
            if other is not None and other.cls.__module__ != cls.__module__:
                raise ConfigError(f"{kind} type `{name}` is registered by both `{other.cls.__module__}` and `{cls.__module__}`")
            _entries[kind, name] = entry
        setattr(cls, "type_name", type_name)  # noqa: B010 - a class may declare it or not
        return cls

    return register


def get(kind: Kind, type_name: str) -> PluginEntry:
    """The plugin of that type name or alias, imported now if it was not yet.

    Raises UnavailableError for a public one that this release lacks, ConfigError when there is none or it does not load.
    """
    if (kind, type_name) not in _entries:
        module = MODULES[kind].get(type_name) or _entry_points(kind).get(type_name)
        if module is None:
            raise _unknown(kind, type_name)
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(f"{kind} `{type_name}` does not load: {error}") from error
    if (kind, type_name) not in _entries:
        raise ConfigError(f"{kind} `{type_name}` is not registered by the module that should hold it")
    return _entries[kind, type_name]


def names(kind: Kind) -> list[str]:
    """All type names and aliases of a kind, without importing anything."""
    registered = {name for entry_kind, name in _entries if entry_kind == kind}
    return sorted({*MODULES[kind], *_entry_points(kind), *registered})


def all_plugins(*, broken: Callable[[ConfigError], None] | None = None) -> Iterator[PluginEntry]:
    """Every plugin, by kind and type. One that does not load is left out and handed to `broken`."""
    for kind in KINDS:
        for name in names(kind):
            try:
                entry = get(kind, name)
            except ConfigError as error:
                if broken is not None:
                    broken(error)
                continue
            if entry.type == name:
                yield entry


def _entry_points(kind: Kind) -> dict[str, str]:
    import importlib.metadata  # noqa: PLC0415 - slow to import, and the agent's own plugins never get here

    return {point.name: point.value for point in importlib.metadata.entry_points(group=f"tailrace.{kind}s")}


def _unknown(kind: Kind, type_name: str) -> ConfigError:
    if type_name in PUBLIC[kind]:
        hint = INSTEAD.get(type_name, f"`tailrace plugin list` shows the {kind}s that it has")
        return UnavailableError(f"this release has no {kind} `{type_name}`", hint=hint)
    return ConfigError(f"unknown {kind} type `{type_name}`", hint=near(type_name, names(kind), f"{kind}s"))

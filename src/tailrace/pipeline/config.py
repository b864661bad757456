"""The base of every config model: options with documentation, secrets, cross-field problems.

Attributes are snake_case, the keys in files are CamelCase: `max_dir_search_depth` is written `MaxDirSearchDepth`. Where the public name
does not follow from the attribute, `option(key=…)` gives it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticUndefined, core_schema

REFERENCE: Final = re.compile(r"\$\{(env|file):([^{}]+)\}")
"""`${env:NAME}` or `${file:PATH}`: stays as written until `tailrace.pipeline.secrets.resolve`, which only the agent calls."""


DEFAULT_TAG: Final = "__default__"
"""In place of a tag's name: the name that it has by itself."""


def has_reference(text: str) -> bool:
    """Whether `text` holds something that is only known on the agent, so that it cannot be checked before."""
    return REFERENCE.search(text) is not None


class Secret:
    """A text that no message, log line or repr may show. `reveal()` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(strict=True), serialization=core_schema.plain_serializer_function_ser_schema(cls.reveal)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "password"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake that types and bounds do not show. `key` is the public name of the option it is about."""

    key: str
    message: str
    hint: str = ""


class ProblemsError(ValueError):
    """Carries the problems of one option group out of pydantic's validation."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.key}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


def option(
    default: Any = PydanticUndefined,
    *,
    doc: str,
    unit: str = "",
    key: str | None = None,
    aliases: Sequence[str] = (),
    factory: Callable[[], Any] | None = None,
    regex: bool = False,
    ignored: str = "",
    file: str = "",
    examples: Sequence[Any] = (),
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
) -> Any:
    """One key of a config.

    `doc` is a full sentence. `aliases` are other public spellings of the key. `regex` marks text (or a list or map of texts) that must
    compile as a user pattern (docs/reference/patterns.md). `file` marks a path (or a list of them) on the agent's machine that is opened to
    `read` or to `write`, which the agent's policy bounds (`tailrace.pipeline.policy`). `ignored` says why a key that exists elsewhere is
    accepted and does nothing here. Without `default` and `factory` the key is required.
    """
    extra: dict[str, Any] = {"x-unit": unit, "x-aliases": list(aliases), "x-pattern": regex, "x-ignored": ignored, "x-file": file}
    bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt, "min_length": min_length, "max_length": max_length}
    arguments: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    if factory is not None:
        arguments["default_factory"] = factory
    else:
        arguments["default"] = default
    return Field(
        alias=key, description=doc, examples=list(examples) or None, json_schema_extra={k: v for k, v in extra.items() if v}, **arguments
    )


class OptionGroup(BaseModel):
    """A map of options: a plugin's config, or a map inside one (`Multiline`, `Batch`)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_pascal)

    def problems(self) -> Iterator[Problem]:
        """Mistakes between options, asked for when each of them alone is right and all patterns compile. Override it."""
        yield from ()

    def variables(self) -> Sequence[str]:
        """Names of environment variables that the options use, beside `${env:NAME}`."""
        return ()

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Every accepted key → the canonical one."""
        names: dict[str, str] = {}
        for name, field in cls.model_fields.items():
            canonical = public_key(name, field)
            names[canonical] = canonical
            names.update(dict.fromkeys(cast("list[str]", extra(field).get("x-aliases", [])), canonical))
        return names

    @model_validator(mode="before")
    @classmethod
    def _canonical_keys(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        names = cls.spellings()
        renamed: dict[object, object] = {}
        for key, value in cast("Mapping[object, object]", data).items():
            canonical = names.get(key, key) if isinstance(key, str) else key
            if canonical in renamed:
                raise ProblemsError([Problem(str(key), f"is another spelling of `{canonical}`, which is given too", "keep one of them")])
            renamed[canonical] = value
        return renamed

    @model_validator(mode="after")
    def _no_problems(self) -> Self:
        found = list(self._pattern_problems()) or list(self.problems())
        if found:
            raise ProblemsError(found)
        return self

    def patterns(self) -> Iterator[tuple[str, str]]:
        """(dotted key, pattern) of every user pattern in this group and the groups in it, as written."""
        for name, field in type(self).model_fields.items():
            key, value = public_key(name, field), getattr(self, name)
            if isinstance(value, OptionGroup):
                yield from ((f"{key}.{inner}", pattern) for inner, pattern in value.patterns())
            elif isinstance(value, list) and any(isinstance(item, OptionGroup) for item in cast("list[object]", value)):
                groups = cast("list[OptionGroup]", value)
                yield from ((f"{key}[{index}].{inner}", text) for index, group in enumerate(groups) for inner, text in group.patterns())
            elif extra(field).get("x-pattern"):
                yield from _texts(key, value)

    def _pattern_problems(self) -> Iterator[Problem]:
        own = {public_key(name, field) for name, field in type(self).model_fields.items() if extra(field).get("x-pattern")}
        mine = [(key, text) for key, text in self.patterns() if re.split(r"[.\[]", key, maxsplit=1)[0] in own]
        if not mine:
            return
        from tailrace.batch import Pattern, PatternError  # noqa: PLC0415 - models without patterns need no engine

        for key, text in mine:
            if text and not has_reference(text):
                try:
                    Pattern(text)
                except PatternError as error:
                    yield Problem(key, f"{error}, in `{text}`", "docs/reference/patterns.md lists what a pattern may hold")


class PluginConfig(OptionGroup):
    """The options of one plugin, without its `Type`."""

    def tag_names(self) -> Mapping[str, str]:
        """For inputs: tag that the input puts on its batches → the name that this config gives it; an empty name leaves it out."""
        return {}

    def document(self) -> dict[str, Any]:
        """The keys that were given, in canonical spelling, as plain data. Secrets are in it as they were written."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def public_key(name: str, field: FieldInfo) -> str:
    """The key of a model's field in files."""
    return field.alias or to_pascal(name)


def extra(field: FieldInfo) -> dict[str, Any]:
    """What `option` noted beside pydantic's own: x-unit, x-aliases, x-pattern, x-ignored, x-file."""
    noted = field.json_schema_extra
    return cast("dict[str, Any]", noted) if isinstance(noted, dict) else {}


def _texts(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        yield from ((f"{key}.{name}", text) for name, text in cast("Mapping[str, str]", value).items())
    elif isinstance(value, Sequence):
        yield from ((f"{key}[{index}]", text) for index, text in enumerate(cast("Sequence[str]", value)))

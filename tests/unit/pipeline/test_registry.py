"""Which plugins there are: the table, the decorators, what happens when one does not load; and the promises every plugin keeps."""

import json

import pytest

from tailrace.errors import ConfigError, UnavailableError
from tailrace.pipeline import plugins, registry
from tailrace.pipeline.config import OptionGroup, PluginConfig, extra, public_key
from tailrace.pipeline.explain import group_in
from tailrace.pipeline.loading import from_canonical, from_document
from tailrace.pipeline.reference import SECTIONS
from tailrace.pipeline.registry import PluginEntry

SHIPPED = [(kind, name) for kind, names in plugins.MODULES.items() for name in names]


@pytest.fixture(params=SHIPPED, ids=[name for _, name in SHIPPED])
def entry(request: pytest.FixtureRequest) -> PluginEntry:
    return registry.get(*request.param)


def test_the_table_and_the_decorators_agree(entry: PluginEntry) -> None:
    for name in (entry.type, *entry.aliases):
        assert name in plugins.MODULES[entry.kind]
    assert entry.cls.__module__.startswith(plugins.MODULES[entry.kind][entry.type])
    assert entry.cls.type_name == entry.type


def test_a_sample_is_a_pipeline_that_loads_round_trips_and_builds(entry: PluginEntry) -> None:
    document = {
        "inputs": [{"Type": "input_test", "Paths": ["/a"]}],
        "flushers": [{"Type": "flusher_test"}],
        SECTIONS[entry.kind]: [entry.sample()],
    }
    config = from_document(json.loads(json.dumps(document)), "sample.yaml")
    assert from_canonical(config.canonical()).canonical() == config.canonical()
    (plugin,) = (plugin for plugin in config.plugins if plugin.type == entry.type)
    assert plugin.document() == entry.sample()
    assert plugin.build().config == plugin.config


def groups(model: type[OptionGroup]) -> list[type[OptionGroup]]:
    inner = [group_in(field.annotation) for field in model.model_fields.values()]
    return [model, *(nested for group in inner if group and group is not model for nested in groups(group))]


def test_every_key_has_a_name_a_type_and_a_sentence(entry: PluginEntry) -> None:
    assert issubclass(entry.config_model, PluginConfig)
    for group in groups(entry.config_model):
        for name, field in group.model_fields.items():
            key = public_key(name, field)
            assert key[0].isupper() or group is not entry.config_model, key  # inner keys are lower case where the format has them so
            assert field.description, key
            assert field.description[0].isupper(), key
            assert field.description.endswith("."), key
            assert set(extra(field)) <= {"x-unit", "x-aliases", "x-pattern", "x-ignored", "x-file"}, key


def test_every_plugin_says_what_it_does_in_one_sentence(entry: PluginEntry) -> None:
    assert entry.summary.endswith(".")
    assert len(entry.summary) <= 160


def test_an_unknown_type_comes_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        registry.get("processor", "processor_parse_regexp_native")
    assert caught.value.message == "unknown processor type `processor_parse_regexp_native`"
    assert caught.value.hint == "did you mean `processor_parse_regex_native`?"


@pytest.mark.parametrize(
    ("name", "instead"), [("processor_spl", "consumer may pull logs with SPL"), ("processor_otel_trace", "`processor_json`")]
)
def test_what_other_agents_have_is_told_apart_from_a_mistake_with_what_to_do_instead(name: str, instead: str) -> None:
    with pytest.raises(UnavailableError, match=f"this release has no processor `{name}`") as refused:
        registry.get("processor", name)
    assert instead in refused.value.hint


def test_a_plugin_that_does_not_load_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins.MODULES["processor"], "processor_gone", "tailrace.processors.no_such_module")
    broken: list[ConfigError] = []
    types = [entry.type for entry in registry.all_plugins(broken=broken.append)]
    assert "processor_drop" in types
    assert [str(error) for error in broken] == [
        "processor `processor_gone` does not load: No module named 'tailrace.processors.no_such_module'"
    ]


def test_one_type_cannot_be_registered_by_two_modules() -> None:
    class Other:
        Config = PluginConfig

    registry.get("processor", "processor_drop")
    with pytest.raises(ConfigError, match="processor type `processor_drop` is registered by both"):
        registry.processor("processor_drop")(Other)

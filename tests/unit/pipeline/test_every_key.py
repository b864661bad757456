"""No key of any plugin is without a test of its effect, and those without effect are named when a config is checked.

The keys come from the registry's models: a new one fails here until its effect is tested. The tables of effects stand with the plugins;
`ELSEWHERE` names the tests of what a table cannot show.
"""

from typing import Any

import pytest
from pydantic.fields import FieldInfo

from tailrace.pipeline import registry
from tailrace.pipeline.config import OptionGroup, extra, public_key
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.model import GlobalConfig
from tailrace.pipeline.reference import key_rows
from tailrace.pipeline.report import remarks
from tests.source_tree import ROOT
from tests.unit.aggregators import test_effects_of_aggregators as aggregators
from tests.unit.flushers import test_effects_of_sls_keys as sls
from tests.unit.inputs.file import test_effects_of_keys as files
from tests.unit.processors import test_effects_of_native_parsers as native
from tests.unit.processors import test_effects_of_parsers as parsers
from tests.unit.processors import test_every_key as shaping

FILE, ONCE, SLS, GLOBAL = "input_file", "input_static_file_onetime", "flusher_sls", "global"
INPUTS = "tests/unit/inputs/file/"
LABELS = "tests/unit/pipeline/test_labels.py::"
IMPORTS = "tests/integration/agent/test_agent_import.py::"

OF_FILES = {
    "FilePaths": f"{INPUTS}test_following.py::test_wildcards_in_directories",
    "MaxDirSearchDepth": f"{INPUTS}test_following.py::test_directories_below_to_the_given_depth",
    "ExcludeFilePaths": f"{INPUTS}test_following.py::test_what_is_excluded",
    "ExcludeFiles": f"{INPUTS}test_following.py::test_what_is_excluded",
    "ExcludeDirs": f"{INPUTS}test_following.py::test_what_is_excluded",
    "AllowingCollectingFilesInRootDir": f"{INPUTS}test_discovery.py::test_the_root_directory_is_searched_only_on_purpose",
    "MaxEventSizeKB": f"{INPUTS}test_framing.py::test_a_long_line_is_cut_at_the_limit_and_each_part_marked",
    "AppendingLogPositionMeta": f"{INPUTS}test_following.py::test_position_meta",
    "FileOffsetKey": f"{INPUTS}test_following.py::test_position_meta",
    "Tags.FilePathTagKey": f"{LABELS}test_the_tag_of_the_path",
    "Tags.FileInodeTagKey": "tests/integration/agent/test_agent_labels.py::test_every_event_carries_its_labels",
}
ELSEWHERE: dict[str, dict[str, str]] = {
    FILE: {
        **OF_FILES,
        "AllowingIncludedByMultiConfigs": f"{INPUTS}test_claims.py::test_both_have_it_where_one_allows_it",
        "PreservedDirDepth": f"{INPUTS}test_discovery.py::test_a_directory_without_updates_is_left_and_comes_back_with_a_new_file",
        "TailSizeKB": f"{INPUTS}test_first_read.py::test_of_a_large_one_the_tail_is_read_from_a_line_start",
        "TailingAllMatchedFiles": f"{INPUTS}test_first_read.py::test_all_from_the_beginning_on_purpose",
        "FlushTimeoutSecs": f"{INPUTS}test_following.py::test_an_unfinished_line_waits_then_goes_out_and_its_rest_is_marked",
        "CloseUnusedReaderIntervalSec": f"{INPUTS}test_full_target.py::"
        "test_a_file_that_was_closed_for_idleness_is_held_again_when_it_grows",
        "ReadDelayAlertThresholdBytes": f"{INPUTS}test_lag.py::test_the_alarm_comes_after_a_minute_behind_and_not_before",
        "ReadDelaySkipThresholdBytes": f"{INPUTS}test_lag.py::test_only_the_newest_part_is_read_from_a_line_start_and_the_rest_is_counted",
    },
    ONCE: {
        **OF_FILES,
        "ModifiedSince": f"{IMPORTS}test_only_what_is_not_older_than_since",
        "Run": f"{IMPORTS}test_a_one_time_pipeline_runs_once_until_its_inputs_change",
    },
    SLS: {
        "ExtraHeaders": "tests/unit/flushers/test_sls_flusher.py::test_a_hash_key_goes_into_the_signed_target_and_extra_headers_beside",
        "TelemetryType": "tests/unit/flushers/test_effects_of_sls_keys.py::test_only_logs_are_sent",
    },
    "flusher_file": dict.fromkeys(
        ("FilePath", "MaxFileSize", "MaxFiles"),
        "tests/unit/flushers/test_file_flusher.py::test_rotation_keeps_the_order_and_knows_what_is_in_older_files",
    ),
    "aggregator_content_value_group": {
        "ErrIfKeyNotFound": "tests/unit/aggregators/test_effects_of_aggregators.py::test_a_missing_field_is_counted_when_it_is_asked_for"
    },
    "aggregator_shardhash": {
        "ErrIfKeyNotFound": "tests/unit/aggregators/test_effects_of_aggregators.py::test_a_missing_field_is_counted_when_it_is_asked_for",
        "Connector": "tests/unit/aggregators/test_effects_of_aggregators.py::test_the_connector_decides_what_is_the_same",
    },
    "aggregator_metadata_group": {
        "GroupMaxByteLength": "tests/unit/aggregators/test_aggregators.py::test_groups_bounded_in_length_and_size"
    },
    "processor_grok": {"CustomPatternDir": "tests/unit/processors/test_grok.py::test_names_come_from_files_and_directories"},
    "processor_filter_regex_native": {
        "ConditionExp.type": "tests/unit/processors/test_filter_regex_native.py::test_refusals",
        "DiscardingNonUTF8": "tests/unit/processors/test_filter_regex_native.py::test_blanking_is_asked_for_by_its_key",
    },
    "processor_cloud_meta": {
        "Platform": "tests/unit/processors/test_cloud_meta.py::test_the_machines_facts_become_fields",
        "ReadOnce": "tests/unit/processors/test_cloud_meta.py::test_what_is_read_once_stays_as_it_was",
    },
    "processor_dict_map": {
        "DictFilePath": "tests/unit/processors/test_dict_map.py::test_a_dictionary_from_a_file",
        "MaxDictSize": "tests/unit/processors/test_dict_map.py::test_a_dictionary_has_1000_entries_at_most_by_default",
    },
    "processor_encrypt": {"KeepSourceValueIfError": "tests/unit/processors/test_digests.py::test_a_value_that_cannot_be_encrypted"},
    GLOBAL: {
        "TopicType": f"{LABELS}test_the_topic",
        "TopicFormat": f"{LABELS}test_the_topic",
        "PipelineMetaTagKey": f"{LABELS}test_tags_of_the_machine",
        "AgentEnvMetaTagKey": f"{LABELS}test_tags_of_the_machine",
        "EnableTimestampNanosecond": "tests/integration/agent/test_agent_labels.py::test_every_event_carries_its_labels",
        "UsingOldContentTag": f"{LABELS}test_tags_as_fields_of_each_event",
        "MaxLogAgeSecs": "tests/integration/agent/test_agent_age.py::test_an_event_of_another_time_zone_is_discarded_and_named",
        "Priority": "tests/integration/agent/test_agent_priority.py::test_the_first_class_is_sent_mostly_and_the_last_is_sent_all_along",
        "EarliestTime": f"{IMPORTS}test_only_what_is_not_older_than_since",
        "ExcutionTimeout": f"{IMPORTS}test_a_one_time_pipeline_that_takes_too_long_is_ended_with_an_alarm",
        "ForceRerunWhenUpdate": f"{IMPORTS}test_a_one_time_pipeline_runs_once_until_its_inputs_change",
    },
}


@pytest.fixture(autouse=True)
def trial_plugins() -> None:
    """Only the plugins that ship: hides the fixture that adds those of the tests."""


def models() -> dict[str, type[OptionGroup]]:
    return {**{entry.type: entry.config_model for entry in registry.all_plugins()}, GLOBAL: GlobalConfig}


def in_tables() -> set[tuple[str, str]]:
    """(type, key) of every row of the tables; an inner key with its group, without the mark of a list."""
    rows = [(case.type, case.key) for case in shaping.CASES]
    rows += [(effect.type, effect.key) for effect in (*parsers.TABLE, *native.TABLE)]
    rows += [("processor_parse_timestamp_native", key) for key, *_ in native.TIMES]
    rows += [(type_name, key) for type_name, key, *_ in aggregators.TABLE]
    rows += [(type_name, key) for type_name in (FILE, ONCE) for key, *_ in files.TABLE]
    rows += [(SLS, key) for key in sls.TABLE]
    return {(type_name, key.replace("[]", "")) for type_name, key in rows}


def with_effect(model: type[OptionGroup]) -> set[str]:
    """Keys that hold no further ones and are not said to be without effect."""
    rows = [row["key"] for row in key_rows(model)]
    groups = {key for key in rows if any(other.startswith((f"{key}.", f"{key}[].")) for other in rows)}
    return {key.replace("[]", "") for key in rows if key not in groups} - {key for key, _ in ignored(model)}


def ignored(model: type[OptionGroup], prefix: str = "") -> list[tuple[str, FieldInfo]]:
    found: list[tuple[str, FieldInfo]] = []
    for name, field in model.model_fields.items():
        key = prefix + public_key(name, field)
        if extra(field).get("x-ignored"):
            found.append((key, field))
        elif isinstance(field.annotation, type) and issubclass(field.annotation, OptionGroup):
            found += ignored(field.annotation, f"{key}.")
    return found


@pytest.mark.parametrize("type_name", models())
def test_every_key_with_an_effect_has_a_test_of_it(type_name):
    shown = {key for other, key in in_tables() if other == type_name} | set(ELSEWHERE.get(type_name, ()))
    known = with_effect(models()[type_name]) | {key for key, _ in ignored(models()[type_name])}
    assert with_effect(models()[type_name]) - shown == set()
    assert {key for key in shown if key not in known and not any(other.startswith(f"{key}.") for other in known)} == set(), "of no model"


def test_the_tests_that_are_named_are_there():
    for places in ELSEWHERE.values():
        for place in places.values():
            file, _, name = place.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), place


IGNORED = [(type_name, key, field) for type_name, model in models().items() for key, field in ignored(model)]


@pytest.mark.parametrize(("type_name", "key", "field"), IGNORED, ids=[f"{one[0]}-{one[1]}" for one in IGNORED])
def test_a_key_without_effect_is_named_when_a_config_is_checked(type_name, key, field):
    value: Any = field.get_default(call_default_factory=True)
    *groups, last = key.split(".")
    options: dict[str, Any] = {last: list(value) if isinstance(value, tuple) else value}
    for group in reversed(groups):
        options = {group: options}
    document: dict[str, Any] = {
        "inputs": [registry.get("input", FILE).sample()],
        "flushers": [registry.get("flusher", "flusher_stdout").sample()],
    }
    if type_name == GLOBAL:
        document["global"] = options
    else:
        entry = next(entry for entry in registry.all_plugins() if entry.type == type_name)
        document[f"{entry.kind}s"] = [{**entry.sample(), **options}]
    named = [one.partition(": ")[0].partition(".")[2] for one in remarks(from_document(document, "p.yaml"))]
    assert key in named

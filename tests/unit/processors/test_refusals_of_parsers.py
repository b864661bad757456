"""Configs of the parsing processors that cannot be meant are refused, with what to do about it."""

# ruff: noqa: E501 - a table is read row by row
import pytest

from tailrace.pipeline import registry
from tailrace.pipeline.config import extra, public_key

KEYS = {"SplitKeys": ["a", "b"]}
METRIC = {"MetricLabelKeys": ["h"], "MetricValues": {"n": "v"}}


@pytest.mark.parametrize(
    ("type_name", "options", "mistake"),
    [
        ("processor_regex", {"Regex": "(a)(b)", "Keys": ["x"]}, "Keys: 1 name for 2 groups (the pattern has 2 capture groups; add a name or make one non-capturing: `(?:…)`)"),
        ("processor_regex", {"Regex": "(a", "Keys": ["x"]}, None),
        ("processor_anchor", {"Anchors": [{"FieldName": "x", "ExpondJson": True}]}, "Anchors.0.ExpondJson: has no effect on a string (add `FieldType: json`)"),
        ("processor_anchor", {"Anchors": []}, "Anchors: must not be empty (The parts to cut out.)"),
        ("processor_split_char", {"SplitSep": "||", **KEYS}, "SplitSep: must be one byte, has 2 (`processor_split_string` splits at longer ones)"),
        ("processor_split_char", {"SplitSep": "0x010x02", **KEYS}, "SplitSep: must be one byte, has 2 (`processor_split_string` splits at longer ones)"),
        ("processor_split_char", {"SplitSep": "|", **KEYS, "QuoteFlag": True}, "Quote: must be one byte, has 0 (give the quote, or leave `QuoteFlag` out)"),
        ("processor_split_char", {"SplitSep": "|", **KEYS, "QuoteFlag": True, "Quote": "0x7c"}, "Quote: is the same as `SplitSep`: `0x7c`"),
        ("processor_split_string", {"SplitSep": "|"}, "SplitKeys: is missing (name the fields, or keep them all by `PreserveOthers`)"),
        ("processor_split_string", {"SplitSep": "|", **KEYS, "ExpandOthers": True}, "ExpandOthers: has no effect without `PreserveOthers` (add `PreserveOthers: true`)"),
        ("processor_split_key_value", {"Delimiter": "=", "Separator": "0x3d"}, "Separator: is the same as `Delimiter`: `0x3d`"),
        ("processor_json", {"ExpandDepth": -1}, None),
        ("processor_packjson", {"SourceKeys": ["a"]}, None),
        ("processor_csv", {**KEYS, "SplitSep": '"'}, 'SplitSep: must not be the quote `"`'),
        ("processor_csv", {**KEYS, "SplitSep": "::"}, "SplitSep: must be one byte, has 2 (`processor_split_string` splits at longer ones)"),
        ("processor_csv", {**KEYS, "ExpandOthers": True, "PreserveOthers": True}, "ExpandKeyPrefix: is missing (`ExpandOthers` needs it to name the fields)"),
        ("processor_split_log_regex", {"SplitRegex": "("}, None),
        ("processor_log_to_sls_metric", {"MetricValues": {"n": "v"}}, "MetricLabelKeys: is missing (a point needs a label: name a field, or add `CustomMetricLabels`)"),
        ("processor_log_to_sls_metric", {**METRIC, "MetricLabelKeys": ["1h"]}, "MetricLabelKeys: `1h` is no name of a label (use letters, digits and `_`, no digit first)"),
        ("processor_log_to_sls_metric", {**METRIC, "CustomMetricLabels": {"s": "a|b"}}, "CustomMetricLabels: the value of `s` holds `|` or `#$#`"),
        ("processor_log_to_sls_metric", {**METRIC, "MetricTimeKey": "v"}, "MetricValues: `v` is named twice (a field can be only one of label, name, value and time)"),
        ("processor_parse_apsara_native", {"Timezone": "Berlin"}, "Timezone: `Berlin` is not an offset (write it as `GMT+08:00` or `GMT-03:30`)"),
        ("processor_parse_apsara_native", {"Timezone": "GMT+15:00"}, "Timezone: `GMT+15:00` is more than 14 hours away from GMT"),
    ],
)  # fmt: skip
def test_refusals(refusals, type_name, options, mistake):
    found = refusals(type_name, options)
    assert len(found) == 1
    assert mistake is None or found == [mistake]


@pytest.mark.parametrize("wrong", ["ExpondJSON", "ExpandJson", "ExpandJSON"])
def test_public_misspellings_and_their_corrections_are_one_key(wrong):
    model = registry.get("processor", "processor_anchor").config_model
    anchor = {"FieldName": "f", "FieldType": "json", wrong: True, "ExpandConnector": ".", "MaxExpandDepth": 2}
    read = model.model_validate({"Anchors": [anchor]}).anchors[0]
    assert (read.expond_json, read.expond_connecter, read.max_expond_depth) == (True, ".", 2)


@pytest.mark.parametrize(
    ("type_name", "ignored"), [("processor_grok", {"TimeoutMilliSeconds", "TimeoutError"}), ("processor_default", {"SourceKey"})]
)
def test_keys_without_effect_say_so(type_name, ignored):
    model = registry.get("processor", type_name).config_model
    assert {public_key(name, field) for name, field in model.model_fields.items() if extra(field).get("x-ignored")} == ignored

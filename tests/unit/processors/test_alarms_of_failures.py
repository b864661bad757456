"""Which of the manual's alarms a failed event raises."""

# ruff: noqa: E501 - a table is read row by row

import pytest

LINE = {"content": "x"}
OTHER = {"other": "x"}


@pytest.mark.parametrize(
    ("type_name", "options", "event", "alarm"),
    [
        ("processor_parse_regex_native", {"Regex": r"(\d)", "Keys": ["n"]}, LINE, "REGEX_MATCH_ALARM"),
        ("processor_regex", {"Regex": r"(\d)", "Keys": ["n"], "NoMatchError": True}, LINE, "REGEX_UNMATCHED_ALARM"),
        ("processor_regex", {"Regex": r"(\d)", "Keys": ["n"], "NoKeyError": True}, OTHER, "REGEX_FIND_ALARM"),
        ("processor_parse_json_native", {}, LINE, "PARSE_LOG_FAIL_ALARM"),
        ("processor_parse_delimiter_native", {"Separator": ",", "Keys": ["a", "b"], "AllowingShortenedFields": False}, LINE, "PARSE_LOG_FAIL_ALARM"),
        ("processor_parse_timestamp_native", {"SourceKey": "content", "SourceFormat": "%Y"}, LINE, "PARSE_TIME_FAIL_ALARM"),
        ("processor_strptime", {"SourceKey": "content", "Format": "%Y"}, LINE, "PARSE_TIME_FAIL_ALARM"),
        ("processor_gotime", {"SourceKey": "content", "SourceFormat": "2006", "DestKey": "t", "DestFormat": "2006"}, LINE, "PARSE_TIME_FAIL_ALARM"),
        ("processor_anchor", {"Anchors": [{"Start": "t:", "FieldName": "t"}], "NoAnchorError": True}, LINE, "ANCHOR_FIND_ALARM"),
        ("processor_anchor", {"Anchors": [{"FieldName": "t", "FieldType": "json"}]}, LINE, "ANCHOR_JSON_ALARM"),
        ("processor_split_char", {"SplitSep": ",", "SplitKeys": ["a", "b"], "NoMatchError": True}, LINE, "SPLIT_LOG_ALARM"),
        ("processor_split_char", {"SplitSep": ",", "SplitKeys": ["a", "b"], "NoKeyError": True}, OTHER, "SPLIT_FIND_ALARM"),
        ("processor_split_string", {"SplitSep": ",", "SplitKeys": ["a", "b"], "NoMatchError": True}, LINE, "SPLIT_LOG_ALARM"),
        ("processor_split_log_regex", {"SplitRegex": r"\d.*", "NoKeyError": True}, OTHER, "LOG_REGEX_FIND_ALARM"),
    ],
)  # fmt: skip
def test_the_alarm_has_the_manuals_name(run, type_name, options, event, alarm):
    outcome = run(type_name, options, event)
    assert (outcome.alarms, sum(count for count, _, _ in outcome.failures)) == ([alarm], 1)

"""Every plugin that ships with Tailrace: kind → type name or alias → module. Modules are imported when a config names them.

A third party adds its own by entry points in the groups `tailrace.inputs`, `tailrace.processors`, `tailrace.aggregators` and
`tailrace.flushers`: the entry's name is the type, its value the module whose import registers it.
"""

from typing import Final

MODULES: Final[dict[str, dict[str, str]]] = {
    "input": {
        "input_file": "tailrace.inputs.file",
        "input_static_file_onetime": "tailrace.inputs.static_file",
    },
    "processor": {
        "processor_parse_regex_native": "tailrace.processors.parse_regex",
        "processor_parse_json_native": "tailrace.processors.parse_json",
        "processor_parse_delimiter_native": "tailrace.processors.parse_delimiter",
        "processor_parse_apsara_native": "tailrace.processors.parse_apsara",
        "processor_parse_timestamp_native": "tailrace.processors.parse_timestamp",
        "processor_filter_regex_native": "tailrace.processors.filter_regex_native",
        "processor_filter_regex": "tailrace.processors.filter_regex",
        "processor_desensitize_native": "tailrace.processors.desensitize_native",
        "processor_desensitize": "tailrace.processors.desensitize",
        "processor_regex": "tailrace.processors.regex",
        "processor_anchor": "tailrace.processors.anchor",
        "processor_split_char": "tailrace.processors.split_char",
        "processor_split_string": "tailrace.processors.split_string",
        "processor_split_key_value": "tailrace.processors.split_key_value",
        "processor_json": "tailrace.processors.expand_json",
        "processor_packjson": "tailrace.processors.pack_json",
        "processor_csv": "tailrace.processors.split_csv",
        "processor_grok": "tailrace.processors.grok",
        "processor_split_log_regex": "tailrace.processors.split_log_regex",
        "processor_split_log_string": "tailrace.processors.split_log_string",
        "processor_log_to_sls_metric": "tailrace.processors.log_to_sls_metric",
        "processor_default": "tailrace.processors.pass_through",
        "processor_rename": "tailrace.processors.rename",
        "processor_drop": "tailrace.processors.drop",
        "processor_add_fields": "tailrace.processors.add_fields",
        "processor_pick_key": "tailrace.processors.pick_key",
        "processor_drop_last_key": "tailrace.processors.drop_last_key",
        "processor_appender": "tailrace.processors.appender",
        "processor_fields_with_condition": "tailrace.processors.fields_with_condition",
        "processor_fields_with_conditions": "tailrace.processors.fields_with_condition",
        "processor_dict_map": "tailrace.processors.dict_map",
        "processor_string_replace": "tailrace.processors.string_replace",
        "processor_strptime": "tailrace.processors.strptime",
        "processor_gotime": "tailrace.processors.gotime",
        "processor_timestamp_filter_native": "tailrace.processors.timestamp_filter_native",
        "processor_rate_limit": "tailrace.processors.rate_limit",
        "processor_geoip": "tailrace.processors.geoip",
        "processor_encrypt": "tailrace.processors.encrypt",
        "processor_md5": "tailrace.processors.md5",
        "processor_base64_encoding": "tailrace.processors.base64_encoding",
        "processor_base64_decoding": "tailrace.processors.base64_decoding",
    },
    "aggregator": {
        "aggregator_base": "tailrace.aggregators.base",
        "aggregator_context": "tailrace.aggregators.context",
        "aggregator_shardhash": "tailrace.aggregators.shardhash",
        "aggregator_content_value_group": "tailrace.aggregators.content_value_group",
        "aggregator_metadata_group": "tailrace.aggregators.metadata_group",
    },
    "flusher": {
        "flusher_sls": "tailrace.flushers.sls",
        "flusher_stdout": "tailrace.flushers.stdout",
        "flusher_file": "tailrace.flushers.file",
    },
}

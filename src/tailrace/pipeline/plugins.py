"""Every plugin that ships with Tailrace: kind → type name or alias → module. Modules are imported when a config names them.

A third party adds its own by entry points in the groups `tailrace.inputs`, `tailrace.processors`, `tailrace.aggregators` and
`tailrace.flushers`: the entry's name is the type, its value the module whose import registers it.
"""

from typing import Final

MODULES: Final[dict[str, dict[str, str]]] = {
    "input": {
        "input_file": "tailrace.inputs.file",
    },
    "processor": {
        "processor_parse_regex_native": "tailrace.processors.parse_regex",
        "processor_parse_json_native": "tailrace.processors.parse_json",
        "processor_parse_delimiter_native": "tailrace.processors.parse_delimiter",
        "processor_parse_timestamp_native": "tailrace.processors.parse_timestamp",
        "processor_filter_regex_native": "tailrace.processors.filter_regex_native",
        "processor_filter_regex": "tailrace.processors.filter_regex",
        "processor_desensitize_native": "tailrace.processors.desensitize",
        "processor_rename": "tailrace.processors.rename",
        "processor_drop": "tailrace.processors.drop",
        "processor_add_fields": "tailrace.processors.add_fields",
    },
    "aggregator": {},
    "flusher": {
        "flusher_sls": "tailrace.flushers.sls",
        "flusher_stdout": "tailrace.flushers.stdout",
        "flusher_file": "tailrace.flushers.file",
    },
}

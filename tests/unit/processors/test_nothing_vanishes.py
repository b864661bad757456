"""Whatever comes in, each event comes out, has failed or was discarded; and a batch that is parsed twice gives the same twice."""

from hypothesis import given
from hypothesis import strategies as st

from tailrace.batch import EventBatch
from tailrace.pipeline import registry

CHAIN = [
    ("processor_parse_regex_native", {"Regex": r"(\w+) (.*)", "Keys": ["level", "message"]}),
    (
        "processor_parse_delimiter_native",
        {"SourceKey": "message", "Separator": ",", "Keys": ["t", "data"], "KeepingSourceWhenParseFail": True},
    ),
    ("processor_parse_timestamp_native", {"SourceKey": "t", "SourceFormat": "%s"}),
    ("processor_desensitize_native", {"SourceKey": "data", "Method": "md5", "ReplacedContentPattern": r"\d+"}),
    ("processor_rename", {"SourceKeys": ["data"], "DestKeys": ["payload"]}),
    ("processor_filter_regex_native", {"Exclude": {"level": "DEBUG"}}),
    ("processor_drop", {"DropKeys": ["t"]}),
    ("processor_add_fields", {"Fields": {"service": "shop"}}),
    ("processor_string_replace", {"SourceKey": "payload", "Method": "unquote", "DestKey": "plain"}),
    ("processor_base64_decoding", {"SourceKey": "payload", "DecodeError": True}),
    ("processor_strptime", {"SourceKey": "plain", "Format": "%d"}),
    ("processor_gotime", {"SourceKey": "plain", "SourceFormat": "seconds", "DestKey": "day", "DestFormat": "Mon", "KeepSource": False}),
    ("processor_timestamp_filter_native", {"SourceKey": "plain", "LowerBound": 5}),
    (
        "processor_filter_regex_native",
        {"ConditionExp": {"operator": "not", "operands": [{"key": "level", "exp": "A+"}]}, "DiscardingNonUTF8": True},
    ),
    ("processor_fields_with_condition", {"Switch": [{"Case": {"RelationOperator": "contains", "FieldConditions": {"payload": "x"}}}]}),
    ("processor_dict_map", {"SourceKey": "level", "MapDict": {"INFO": "i"}, "HandleMissing": True}),
    ("processor_appender", {"Key": "labels", "Value": "|{{__host__}}", "SortLabels": True}),
    ("processor_md5", {"SourceKey": "payload", "MD5Key": "md5"}),
    ("processor_encrypt", {"SourceKeys": ["payload"], "EncryptionParameters": {"Key": "00" * 16}}),
    ("processor_desensitize", {"SourceKey": "plain", "Method": "md5", "Match": "regex", "RegexBegin": "^|1", "RegexContent": "[0-9]"}),
    ("processor_filter_regex", {"Exclude": {"plain": r"\d{8}"}}),
    ("processor_drop_last_key", {"Include": ["plain"], "DropKey": "payload"}),
    ("processor_pick_key", {"Exclude": ["day"]}),
]
LINES = st.lists(
    st.binary(max_size=20) | st.builds(b"%s %s".__mod__, st.tuples(st.sampled_from([b"INFO", b"DEBUG"]), st.binary(max_size=12)))
)


class Counter:
    pipeline = "p"

    def __init__(self) -> None:
        self.failed_by: dict[str, int] = {}
        self.discarded_events = 0

    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "") -> None:
        self.failed_by[plugin] = self.failed_by.get(plugin, 0) + count

    def discarded(self, plugin: str, count: int, reason: str) -> None:
        self.discarded_events += count


def process(block: bytes) -> tuple[EventBatch, Counter]:
    batch, counter = EventBatch.split_lines(block), Counter()
    for type_name, options in CHAIN:
        entry = registry.get("processor", type_name)
        plugin = entry.cls(entry.config_model.model_validate(options))
        plugin.start(counter)
        plugin.process(batch)
    return batch, counter


@given(LINES)
def test_every_event_is_accounted_for(lines: list[bytes]) -> None:
    block = b"\n".join(lines)
    before = len(EventBatch.split_lines(block))
    batch, counter = process(block)
    dropped_as_failed = counter.failed_by.get("processor_parse_regex_native", 0)
    assert before == len(batch) + dropped_as_failed + counter.discarded_events
    assert process(block)[0].rows() == batch.rows()

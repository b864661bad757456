"""What agents write about themselves: the logstore in each project, the topics, the fields and their types (docs/specs/telemetry.md).

Names are the manual's; those after the comment `ours` are not in it.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

LOGSTORE: Final = "internal-diagnostic_log"
FEATURE: Final = "internal_logs"
"""By this a server says at enrolment that it keeps them."""

FieldType: TypeAlias = Literal["text", "long", "double"]
Topic: TypeAlias = Literal["logtail_alarm", "logtail_status", "logtail_profile"]
ALARM: Final[Topic] = "logtail_alarm"
STATUS: Final[Topic] = "logtail_status"
PROFILE: Final[Topic] = "logtail_profile"
STATISTICS: Final = "logstore_statistics"
"""`file_name` of the profile of a whole logstore."""


def _typed(texts: str, longs: str = "", doubles: str = "") -> dict[str, FieldType]:
    return {
        **dict.fromkeys(texts.split(), "text"),
        **dict.fromkeys(longs.split(), "long"),
        **dict.fromkeys(doubles.split(), "double"),
    }


FIELDS: Final[Mapping[Topic, Mapping[str, FieldType]]] = {
    ALARM: {
        **_typed("alarm_message alarm_type logstore source_ip os project version", "alarm_count"),
        # ours
        **_typed("alarm_id severity state config_name sample", "first_time last_time resolved_time"),
    },
    STATUS: {
        **_typed("hostname instance_id ip load detail_metric os os_detail status user user_defined_id uuid version project"),
        **_typed("", "memory", "cpu os_cpu"),
        # ours
        **_typed("agent_id limited_by"),
    },
    PROFILE: {
        **_typed("logstore config_name error_line file_name project logtail_version os source_ip"),
        **_typed("", "file_dev file_inode file_size history_data_failures last_read_time parse_failures read_avg_delay"),
        **_typed("", "read_count read_offset"),
        **_typed("", "regex_match_failures send_failures succeed_lines time_format_failures total_bytes"),
        **_typed("send_block_flag sender_valid_flag", "send_discard_error send_network_error send_queue_size send_quota_error"),
        **_typed("", "send_success_count max_send_success_time max_unsend_time min_unsend_time"),
    },
}
"""Topic → field → type."""

"""The alarms that servers raise, in their log and in `tailrace_alarms_total{kind}` of their metrics. The names are our own."""

# ruff: noqa: E501 - a table is read row by row

from functools import partial
from typing import Final

from tailrace.telemetry.catalogue import AlarmKind

_kind = partial(AlarmKind, by="server")
_STORE: Final = "tests/integration/store/"
_REFUSED: Final = "tests/unit/server/test_ingest.py::test_what_the_store_refuses_gets_its_code_and_its_alarm"
_REASON: Final = "look at the disk; the reason is in the alarm"

RAISED_BY_SERVERS: Final = (
    _kind(
        "IDENTITY_FORK_ALARM", "error", "an agent's state was copied or rolled back; what it sent was not stored, and it goes on from what is",
        "copy no agent's state", _REFUSED,
    ),
    _kind(
        "SERVER_CERTIFICATE_ALARM", "error", "the server's certificate cannot be renewed; it is tried again", "the reason is in the alarm",
        "tests/unit/server/test_authority.py::test_a_certificate_that_cannot_be_renewed_is_told_and_tried_again",
    ),
    _kind(
        "STORE_WRITE_FAIL_ALARM", "critical", "the store takes no writes", _REASON,
        _REFUSED,
    ),
    _kind(
        "STORE_JOURNAL_ALARM", "critical", "a part of the journal is damaged, or cannot be written", _REASON,
        f"{_STORE}test_embedded.py::test_a_damaged_journal_does_not_stop_the_start",
    ),
    _kind(
        "STORE_ENGINE_ALARM", "error", "the storage engine was restarted", "the reason is in the alarm",
        f"{_STORE}test_crash.py::test_an_abort_of_the_engine_is_noticed_at_once_and_survived",
    ),
    _kind(
        "STORE_INSERT_ALARM", "error", "the storage engine refuses a block; it is tried again", "the reason is in the alarm",
        f"{_STORE}test_embedded.py::test_a_block_that_can_never_be_inserted_is_set_aside_and_the_rest_goes_on",
    ),
    _kind(
        "STORE_INDEX_ALARM", "error", "an index cannot be made of the rows that are there, or an old one not taken away; it is tried again", "the reason is in the alarm",
        f"{_STORE}test_index_changes.py::test_an_index_that_cannot_be_filled_says_why",
    ),
    _kind(
        "STORE_SPACE_ALARM", "warning", "the oldest events were dropped, because a bound of bytes was reached", "raise the bound or shorten a ttl",
        "tests/integration/server/test_retention.py::test_the_oldest_events_go_when_a_logstore_has_too_many_bytes",
    ),
    _kind(
        "BACKUP_ALARM", "error", "a backup could not be made", "the reason is in the alarm",
        "tests/integration/server/test_backup.py::test_a_backup_that_cannot_be_made_says_why_and_leaves_the_server_alone",
    ),
    _kind(
        "STORE_QUARANTINE_ALARM", "critical", "a block that can never be inserted was set aside", "keep the directory that it names",
        f"{_STORE}test_embedded.py::test_a_block_that_can_never_be_inserted_is_set_aside_and_the_rest_goes_on",
    ),
    _kind(
        "STORE_UNKNOWN_TABLE_ALARM", "error",
        "the metadata were lost or are an older copy: tables of logstores that they do not name are left alone", "put the right `meta.db` back",
        "tests/unit/server/test_metadata.py::test_a_lost_database_hands_out_no_number_that_the_store_knows",
    ),
)  # fmt: skip

"""The alarms that agents raise, by what they are about. Names are the manual's, with its spelling; the last table's are our own."""

# ruff: noqa: E501 - a table is read row by row

from typing import Final

from tailrace.telemetry.catalogue import AlarmKind

_INPUTS: Final = "tests/unit/inputs/"
_FAILURES: Final = "tests/unit/processors/test_alarms_of_failures.py::test_the_alarm_has_the_manuals_name"
_DELIVERY: Final = "tests/unit/agent/delivery/test_delivery_alarms.py::"
_AGENT: Final = "tests/integration/agent/"
_PATTERN: Final = "correct the pattern: `tailrace parse`"
_FIELD: Final = "correct `SourceKey`"
_BOUNDS: Final = "narrower paths; the bounds are in `HOME/agent.yaml`"

READING: Final = (
    AlarmKind(
        "OUTDATED_LOG_ALARM", "error", "events were too old when they could first be read, and were discarded; or more than half of a pipeline's",
        "set the zone of the times right, or `MaxLogAgeSecs` ([age](../concepts/age.md))",
        "tests/unit/agent/lanes/test_age.py::test_the_first_of_a_file_names_the_setting_and_guesses_the_zone",
    ),
    AlarmKind(
        "READ_LOG_DELAY_ALARM", "warning", "more than `ReadDelayAlertThresholdBytes` of a file were unread for 60 s",
        "look at the target's state and the machine's load", f"{_INPUTS}file/test_lag.py::test_the_alarm_comes_after_a_minute_behind_and_not_before",
    ),
    AlarmKind(
        "SKIP_READ_LOG_ALARM", "critical", "a part of a file was left out by `ReadDelaySkipThresholdBytes`", "raise it, or set it to 0",
        f"{_INPUTS}file/test_lag.py::test_only_the_newest_part_is_read_from_a_line_start_and_the_rest_is_counted",
    ),
    AlarmKind(
        "DROP_LOG_ALARM", "critical", "bytes went away before they could be read or sent", "keep rotated files longer",
        f"{_INPUTS}file/test_changes.py::test_bytes_that_were_deleted_while_no_agent_ran_are_counted_once",
    ),
    AlarmKind(
        "LOG_TRUNCATE_ALARM", "error", "a record was longer than `MaxEventSizeKB` and was cut", "raise it",
        f"{_AGENT}test_agent_import.py::test_a_record_of_several_lines_that_is_too_long_is_cut_and_the_next_one_is_whole",
    ),
    AlarmKind(
        "SPLIT_LOG_FAIL_ALARM", "error", "lines belong to no record of `Multiline`, and are discarded as it says", "correct the patterns",
        f"{_INPUTS}file/test_following_records.py::test_unmatched_lines_that_are_discarded_are_counted",
    ),
    AlarmKind(
        "LOGFILE_PERMINSSION_ALARM", "error", "the agent's user may not read a file", "give it the right",
        f"{_INPUTS}file/test_following.py::test_an_unreadable_file_is_an_alarm_and_is_read_once_it_may_be",
    ),
    AlarmKind(
        "LOGDIR_PERMINSSION_ALARM", "error", "the agent may not list a directory: its user has no right to, or its policy forbids it", "give it the right",
        f"{_INPUTS}file/test_discovery.py::test_a_directory_that_cannot_be_listed_is_an_alarm_until_it_can",
    ),
    AlarmKind(
        "OPEN_LOGFILE_FAIL_ALARM", "error", "a file cannot be opened, or read to its end", "the reason is in the alarm",
        f"{_INPUTS}file/test_following.py::test_special_files_are_never_opened",
    ),
    AlarmKind(
        "OPEN_FILE_LIMIT_ALARM", "error", "a file cannot be opened because too many are open", "raise `max_open_files` and the system's bound",
        f"{_INPUTS}file/test_following.py::test_too_many_open_files_are_an_alarm_of_their_own",
    ),
    AlarmKind(
        "FILE_READER_EXCEED_ALARM", "critical", "a deleted file was given up before all of it was read, as `max_deleted_files` and its like say",
        "look at the target's state; raise the bound", f"{_INPUTS}file/test_deleted.py::test_beyond_the_bound_the_first_deleted_go_and_are_counted",
    ),
    AlarmKind(
        "MULTI_CONFIG_MATCH_ALARM", "warning", "several pipelines name a file; the best match has it",
        "narrow the paths, or `AllowingIncludedByMultiConfigs`", f"{_INPUTS}file/test_claims.py::test_the_loser_leaves_it_alone_and_names_the_winner",
    ),
    AlarmKind(
        "STAT_LIMIT_ALARM", "error", "there are more files, or directories for one wildcard, than are followed", _BOUNDS,
        f"{_INPUTS}file/test_discovery.py::test_a_wildcard_stands_for_so_many_directories_and_no_more",
    ),
    AlarmKind(
        "DIR_EXCEED_LIMIT_ALARM", "warning", "there are more directories than are watched; the rest is scanned", _BOUNDS,
        f"{_INPUTS}file/test_discovery.py::test_directories_beyond_the_watches_are_scanned",
    ),
    AlarmKind(
        "INOTIFY_DIR_NUM_LIMIT_ALARM", "warning", "the system allows no more watches; what is not watched is scanned", "raise `fs.inotify.max_user_watches`",
        "tests/unit/agent/test_platform.py::test_without_watches_left_it_is_told",
    ),
    AlarmKind(
        "ENCODING_CONVERT_ALARM", "warning", "bytes are no characters of `FileEncoding`; they are kept or replaced as `InvalidBytes` says",
        "correct `FileEncoding`", f"{_INPUTS}file/test_following_records.py::test_bytes_that_are_no_characters_are_told",
    ),
    AlarmKind(
        "INOTIFY_EVENT_OVERFLOW_ALARM", "warning", "changes came faster than they could be noted; all directories are scanned",
        "raise `fs.inotify.max_queued_events`", f"{_INPUTS}file/test_discovery.py::test_changes_that_came_too_fast_to_be_noted_are_found_by_a_scan",
    ),
    AlarmKind(
        "REGISTER_INOTIFY_FAIL_ALARM", "warning", "directories cannot be watched; files are polled", "raise `fs.inotify.max_user_instances`",
        "tests/unit/agent/test_platform.py::test_without_an_inotify_instance_files_are_polled_and_it_is_told",
    ),
)  # fmt: skip
PROCESSING: Final = (
    AlarmKind(
        "PARSE_LOG_FAIL_ALARM", "error", "a processor could not handle an event; it is kept raw or dropped, as configured", _PATTERN, _FAILURES
    ),
    AlarmKind("REGEX_MATCH_ALARM", "error", "`processor_parse_regex_native`: the pattern does not match", _PATTERN, _FAILURES),
    AlarmKind("REGEX_UNMATCHED_ALARM", "error", "`processor_regex`: the pattern does not match", _PATTERN, _FAILURES),
    AlarmKind(
        "PARSE_TIME_FAIL_ALARM", "error",
        "a time does not have the format that `processor_parse_timestamp_native`, `processor_strptime` or `processor_gotime` expects; the "
        "event keeps the time when it was read", "correct the format", _FAILURES,
    ),
    AlarmKind(
        "CAST_SENSITIVE_WORD_ALARM", "error", "a value hits a limit of a masking pattern's engine; it is masked as a whole",
        "write the pattern without look-around or nested repetitions", "tests/unit/processors/test_masking.py::test_what_cannot_be_searched_is_masked_whole",
    ),
    AlarmKind("SPLIT_LOG_ALARM", "error", "an event could not be split", "correct the options of the processor", _FAILURES),
    AlarmKind("ANCHOR_FIND_ALARM", "error", "an event has no anchor", "correct the anchors", _FAILURES),
    AlarmKind("ANCHOR_JSON_ALARM", "error", "no JSON stands behind an anchor", "correct the anchors", _FAILURES),
    AlarmKind(
        "GEOIP_ALARM", "warning", "an address is not in the database", "use a newer database",
        "tests/unit/processors/test_geoip.py::test_what_counts_as_failed",
    ),
    AlarmKind(
        "CLOUD_META_ALARM", "warning", "`processor_cloud_meta`: the metadata service does not answer; nothing is added to the events",
        "set `Platform` to `auto` where machines are no ECS instances",
        "tests/unit/processors/test_cloud_meta.py::test_a_service_that_does_not_answer_is_told_where_it_must_be_there",
    ),
    AlarmKind("REGEX_FIND_ALARM", "error", "an event lacks the field that `processor_regex` reads, where `NoKeyError` asks for it", _FIELD, _FAILURES),
    AlarmKind("SPLIT_FIND_ALARM", "error", "an event lacks the field that a splitting processor reads, where `NoKeyError` asks for it", _FIELD, _FAILURES),
    AlarmKind(
        "LOG_REGEX_FIND_ALARM", "error", "an event lacks the field that `processor_split_log_regex` reads, where `NoKeyError` asks for it", _FIELD,
        _FAILURES,
    ),
    AlarmKind(
        "AGGREGATOR_ADD_ALARM", "error", "an event lacks a field by which it is to be grouped, where `ErrIfKeyNotFound` asks for it",
        "correct `GroupKeys`", "tests/unit/aggregators/test_effects_of_aggregators.py::test_a_missing_field_is_counted_when_it_is_asked_for",
    ),
    AlarmKind(
        "PLUGIN_ALARM", "critical", "a plugin failed; the pipeline is stopped and its data kept", "the log has the trace; report it",
        f"{_AGENT}test_agent_failures.py::test_a_plugin_that_fails_stops_its_own_pipeline_and_keeps_its_data", is_condition=True,
    ),
    AlarmKind(
        "PROCESSOR_INIT_ALARM", "critical", "a processor or aggregator cannot be started, so its pipeline does not run", "the reason is in the alarm",
        f"{_AGENT}test_agent_failures.py::test_a_processor_that_cannot_be_started_is_named", is_condition=True,
    ),
    AlarmKind(
        "PROCESS_TOO_SLOW_ALARM", "warning", "a range kept a core busy for more than 2 s", "simplify the patterns: `tailrace config check` names their engines",
        f"{_AGENT}test_agent_failures.py::test_a_range_that_takes_long_is_told",
    ),
)  # fmt: skip
SENDING: Final = (
    AlarmKind(
        "SEND_DATA_FAIL_ALARM", "error", "a target or a server cannot be reached, or refuses; nothing is lost", "`tailrace agent status targets`",
        f"{_DELIVERY}test_each_refusal_has_its_alarm_which_ends_with_the_first_success", is_condition=True,
    ),
    AlarmKind(
        "SEND_QUOTA_EXCEED_ALARM", "error", "a target's quota is used up; nothing is lost", "raise the quota, or send less",
        f"{_DELIVERY}test_each_refusal_has_its_alarm_which_ends_with_the_first_success", is_condition=True,
    ),
    AlarmKind(
        "SENDING_COSTS_TOO_MUCH_TIME_ALARM", "warning", "a request was answered after more than 10 s", "look at the network and the target",
        f"{_DELIVERY}test_an_answer_after_more_than_ten_seconds_is_told",
    ),
    AlarmKind(
        "LOG_GROUP_WAIT_TOO_LONG_ALARM", "warning", "what was read has waited for more than 10 s to be sent", "look at the target's state",
        f"{_DELIVERY}test_what_waits_for_more_than_ten_seconds_is_told_until_it_does_not", is_condition=True,
    ),
    AlarmKind(
        "DISCARD_DATA_ALARM", "critical", "the target refuses events for what they are; they are kept as dead letters, all else is delivered",
        "`tailrace agent dead-letters` ([outages](../howto/outages.md))",
        f"{_AGENT}test_agent_dead_letters.py::test_one_bad_line_among_many_is_a_dead_letter_and_can_be_sent_again",
    ),
    AlarmKind(
        "SECONDARY_READ_WRITE_ALARM", "error",
        "the spool is full or cannot be written: what cannot be sent waits where it comes from; or a part of it cannot be read now: its target waits; "
        "or it is damaged: its ranges are read again from their source", "look at the target and the disk ([outages](../howto/outages.md))",
        "tests/unit/agent/test_spool.py::test_a_damaged_record_is_skipped_its_segment_set_aside_and_told",
    ),
    AlarmKind(
        "ENCRYPT_DECRYPT_FAIL_ALARM", "error", "the key of the spool is damaged or another one: what was sealed with it is read again from its source",
        "put `secret/spool.key` back from a backup, if there is one",
        "tests/unit/agent/test_spool.py::test_without_its_key_it_starts_anew_and_keeps_what_it_cannot_read",
    ),
    AlarmKind(
        "EXACTLY_ONCE_ALARM", "error", "the server has other data under our identity, or the home was restored; the agent renews its epoch and goes on by itself",
        "copy no agent's state", f"{_AGENT}test_agent_delivery.py::test_a_fork_renews_the_epoch_and_resumes_where_the_server_stands",
    ),
)  # fmt: skip
AGENT: Final = (
    AlarmKind(
        "LOGTAIL_CRASH_ALARM", "critical",
        "the worker died, hung or stayed over a limit, and was started again; or a pipeline is set aside because of that",
        "the report that it names; [supervision](../concepts/supervision.md)", "tests/faults/test_supervisor.py::test_a_killed_worker_is_replaced_within_five_seconds",
    ),
    AlarmKind(
        "BINARY_UPDATE_ALARM", "error", "a version whose worker kept dying was left for the last good one",
        "the crash reports of the version that is named; install another release", "tests/faults/test_versions.py::test_a_broken_version_is_left_for_the_last_good_one",
    ),
    AlarmKind(
        "CHECKPOINT_ALARM", "error",
        "the checkpoint was damaged or lost, or cannot be written; or a server cannot be asked where streams end, or ranges that a former pipeline had "
        "prepared cannot be sent: the agent goes on by itself as soon as it can", "look at the disk, and at the server that is named",
        "tests/unit/agent/checkpoint/test_opening.py::test_a_damaged_checkpoint_is_set_aside_and_its_copy_goes_on",
    ),
    AlarmKind(
        "USER_CONFIG_ALARM", "error", "a pipeline cannot run, or a one-time run took too long", "`tailrace config check`",
        f"{_AGENT}test_agent_failures.py::test_a_pipeline_that_cannot_be_built_does_not_keep_the_others_from_running", is_condition=True,
    ),
    AlarmKind(
        "CONFIG_UPDATE_ALARM", "error", "a new version of a config that the server sent cannot run; the one before it stays", "correct it where it was made",
        "tests/unit/agent/control/test_remote.py::test_a_version_that_cannot_run_makes_way_for_the_one_before", is_condition=True,
    ),
    AlarmKind(
        "SAME_CONFIG_ALARM", "error", "two files of pipelines have one name; the first one runs", "rename one of them",
        f"{_AGENT}test_agent_failures.py::test_of_two_pipelines_with_one_name_the_first_runs", is_condition=True,
    ),
    AlarmKind(
        "LOAD_LOCAL_EVENT_ALARM", "warning", "`local_event.json` was taken on, or could not be", "the reason is in the alarm",
        f"{_AGENT}test_agent_import.py::test_a_local_event_file_is_taken_on_and_emptied",
    ),
    AlarmKind(
        "PROCESS_QUEUE_BUSY_ALARM", "warning", "reading was slowed down by a limit of the agent for a minute",
        "raise `cpu_usage_limit` or `mem_usage_limit`, or read less", "tests/unit/agent/status/test_held.py::test_a_minute_at_a_limit_is_told_until_it_is_over",
        is_condition=True,
    ),
)  # fmt: skip
OURS: Final = (
    AlarmKind(
        "AGENT_REVOKED_ALARM", "critical",
        "the server has revoked this agent, does not know it, or has taken a project from it; it sends nothing there and keeps what it has",
        "`tailrace agent reinstate` on the server, or enrol it again",
        f"{_AGENT}test_agent_joins.py::test_a_revoked_agent_stops_says_so_and_goes_on_when_it_is_let_in_again", is_condition=True,
    ),
    AlarmKind(
        "IDENTITY_CONFLICT_ALARM", "critical", "another agent has this one's id: a home was copied; on a server: two agents claim one id",
        "`tailrace agent enroll --new-id` on the copy ([enrol agents](../howto/enrol-agents.md))",
        f"{_AGENT}test_agent_joins.py::test_a_copied_home_is_turned_away_and_goes_on_with_an_id_of_its_own", is_condition=True,
    ),
)  # fmt: skip
RAISED: Final = (*READING, *PROCESSING, *SENDING, *AGENT, *OURS)

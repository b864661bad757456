"""What the engine may use, and the settings that each kind of handle gets (the engine's own defaults are for big servers)."""

import math
import os
from pathlib import Path

import msgspec

from tailrace.server.store import frames

MIB = 1 << 20
ENVIRONMENT = {"JE_MALLOC_CONF": "thp:always,oversize_threshold:0,dirty_decay_ms:10000,muzzy_decay_ms:10000"}
"""Of the engine's process: huge pages, because a text index is built in tens of MB that are visited at random, and freed memory is kept
for the next block, that of large tables too (docs/adr/0005)."""


PRIORITIES: dict[frames.Rank, int] = {"aside": 0, "short": 1, "long": 2}
"""To the engine the least but 0 is the first, and 0 takes no part."""
PAUSE_MS = 100
"""For so long at most a query that others go before waits at each block that it reads: it goes on, though slowly, whatever they do."""
LOCAL_GROUPS = 4096
"""So many groups each thread counts by itself, within its core's cache; more of them are counted together (docs/adr/0037)."""
NICE, MERGE_NICE = 19, 10
"""Of threads that work for long queries, and that merge: what comes in and what is short has the processor. The engine gives them only
where it has CAP_SYS_NICE, since it takes them back afterwards; without it there are the pauses."""


class EngineSettings(msgspec.Struct):
    """Bytes and threads of the engine process."""

    memory: int = 0
    """All of the engine's tracked memory; 0 is half of the machine's."""
    mark_cache: int = 256 * MIB
    primary_index_cache: int = 128 * MIB
    text_index_cache: int = 128 * MIB
    """For each of the text index's caches: tokens, headers, postings."""
    insert_threads: int = 0
    """Small blocks that are inserted at the same time; 0 is two per core (half as many large ones, `sealing.LARGE_SLOTS`)."""
    light: int = 4
    scan: int = 2
    """Searches that no index helps: they read every event of their range."""
    analytics: int = 3
    export: int = 1
    pull: int = 2
    """Apart from exports, which may take minutes: consumers do not wait for them."""

    @property
    def pools(self) -> dict[frames.Pool, int]:
        """Queries of each limit class that run at the same time."""
        return {"light": self.light, "scan": self.scan, "analytics": self.analytics, "export": self.export, "pull": self.pull}

    def resolved(self) -> "EngineSettings":
        """With the machine's figures for the zeros."""
        memory = self.memory or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return msgspec.structs.replace(self, memory=memory, insert_threads=self.insert_threads or 2 * (os.cpu_count() or 1))

    def url(self, directory: Path) -> str:
        """The connection string: the first handle of a process sets the server settings for all."""
        server = {
            "max_server_memory_usage": self.memory,
            "mark_cache_size": self.mark_cache,
            "primary_index_cache_size": self.primary_index_cache,
            "text_index_tokens_cache_size": self.text_index_cache,
            "text_index_header_cache_size": self.text_index_cache,
            "text_index_postings_cache_size": self.text_index_cache,
            "os_threads_nice_value_merge_mutate": MERGE_NICE,
        }
        return f"{directory}?" + "&".join(f"{name}={value}" for name, value in server.items())


def insert_settings(token: str) -> str:
    """One block becomes one part, atomically, and a repeat of its token is a no-op."""
    return (
        f"insert_deduplication_token = '{token}', max_insert_threads = 1, max_threads = 1,"
        " max_block_size = 100000000, min_insert_block_size_rows = 100000000, min_insert_block_size_bytes = 4000000000,"
        " insert_deduplicate = 1, insert_allow_materialized_columns = 1, max_execution_time = 0"
    )


def query_settings(request: frames.Query) -> list[str]:
    """Limits first, then the dialect, then read-only: from there on nothing can be changed and no file or network be reached."""
    beyond_rows = "throw" if request.partial == "never" else "break"
    beyond_time = "break" if request.partial == "rows and time" else "throw"
    priority = PRIORITIES[request.rank]
    limits = (
        f"SET max_threads = {request.threads}, priority = {priority}, low_priority_query_wait_time_ms = {PAUSE_MS},"
        f" os_threads_nice_value_query = {NICE if priority > PRIORITIES['short'] else 0},"
        f" max_execution_time = {math.ceil(request.seconds * 1000) / 1000:.3f}, timeout_overflow_mode = '{beyond_time}',"
        f" max_rows_to_read = {request.read_rows}, read_overflow_mode = '{beyond_rows}', timeout_before_checking_execution_speed = 0,"
        f" max_memory_usage = {request.memory}, max_bytes_before_external_group_by = {request.memory // 2},"
        f" max_bytes_before_external_sort = {request.memory // 2}, max_result_rows = {request.rows}, max_result_bytes = {request.bytes},"
        " result_overflow_mode = 'throw',"
        f" adaptive_aggregator_freeze_threshold = {LOCAL_GROUPS},"
        f" log_comment = '{literal(request.query_id)}', session_timezone = '{literal(request.time_zone)}',"
        " output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 1, enable_trino_dialect = 1"
    )
    # How many values are '' is asked of each part's metadata, not of the lengths of all (`VirtualTable`, docs/adr/0037).
    dialect = ["SET optimize_functions_to_subcolumns = 0, dialect = 'trino'"] if request.dialect == "trino" else []
    return [limits, *dialect, "SET readonly = 1"]


def literal(text: str) -> str:
    """`text` between the quotes of an engine string."""
    return "".join(_escape(byte) for byte in text.encode("utf-8", "surrogateescape"))


def _escape(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}"

"""Measures the agent between two looks: what the status calls `detail_metric`, and why events failed, by file and logstore."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from tailrace.agent.diagnostics.records import Failures
from tailrace.agent.platform import AgentPlatform, Processes
from tailrace.agent.status.overview import Overview, sources_of
from tailrace.pipeline.sharing import FileBounds

REGEX: Final = frozenset({"REGEX_MATCH_ALARM", "REGEX_UNMATCHED_ALARM"})
TIMES: Final = frozenset({"PARSE_TIME_FAIL_ALARM"})
HISTORY: Final = frozenset({"outdated"})


class Meter:
    """`pid` is that of the worker."""

    def __init__(self, overview: Overview, platform: AgentPlatform, processes: Processes, bounds: FileBounds, pid: int) -> None:
        self._overview = overview
        self._platform = platform
        self._processes = processes
        self._bounds = bounds
        self._pid = pid
        self._at = time.monotonic()
        self._totals = self._count()
        self._cpu = self._cpu_secs()
        self._machine = platform.machine_cpu()
        self._why: dict[str, Counter[str]] = {}

    def usage(self) -> tuple[dict[str, float], dict[str, object]]:
        """(`cpu`, `memory`, `os_cpu`; the detail), since the last call."""
        now, totals, cpu, machine = time.monotonic(), self._count(), self._cpu_secs(), self._platform.machine_cpu()
        seconds = max(1e-3, now - self._at)
        per_sec = {name: max(0.0, (totals[name] - self._totals[name]) / seconds) for name in totals}
        used = {
            "cpu": max(0.0, (cpu - self._cpu) / seconds),
            "memory": float(self._memory()),
            "os_cpu": (machine[0] - self._machine[0]) / max(1e-6, machine[1] - self._machine[1]),
        }
        self._at, self._totals, self._cpu, self._machine = now, totals, cpu, machine
        return used, self._detail(per_sec)

    def failures(self) -> dict[str, Failures]:
        """Why events failed since the last call, by the keys that windows have for files and for logstores."""
        found: dict[str, Failures] = {}
        now: dict[str, Counter[str]] = {}
        for lane, source, stream in sources_of(self._overview.lanes):
            if stream.tally.why is None:
                continue
            now[stream.id] = why = Counter(stream.tally.why)
            before = self._why.get(stream.id, Counter[str]())
            logstore = "/".join(lane.address)
            for key in (logstore, f"{logstore}/{source.device}:{source.inode}"):
                _add(found.setdefault(key, Failures()), why - before, stream.tally.error_line)
        self._why = now
        return found

    # --- inside -----------------------------------------------------------------------------------------------------------------
    def _detail(self, per_sec: Mapping[str, float]) -> dict[str, object]:
        lanes, targets = self._overview.lanes, self._overview.targets
        sources = [(source, stream) for _, source, stream in sources_of(lanes)]
        lately = self._overview.lately
        return {
            "config_count": len({lane.pipeline for lane in lanes}),
            "config_get_last_time": int(max((row["answered_at"] for row in self._overview.servers()), default=0)),
            "config_update_count": lately.updates,
            "config_update_item_count": lately.items,
            "config_update_last_time": int(lately.updated_at),
            "net_err_stat": " ".join(str(count) for count in lately.failures(time.time())),
            "reader_count": len(sources),
            "poll_modify_size": sum(source.size > source.read for source, _ in sources),
            "polling_file_cache": self._bounds.files.taken,
            "polling_dir_cache": self._bounds.watches.taken,
            "register_handler": self._bounds.watches.taken,
            "last_read_event_time": int(max((stream.tally.read_at for _, stream in sources), default=0)),
            "last_send_time": int(max((target.sent_at for target in targets), default=0)),
            "open_fd": self._processes.open_files(self._pid),
            "process_queue_full": int(bool(self._overview.guard and self._overview.guard.limited_by)),
            "process_queue_total": len(lanes),
            "send_queue_full": sum(target.share.used >= target.share.limit for target in targets),
            "send_queue_total": len(targets),
            "sender_invalid": sum(bool(target.trouble) for target in targets),
            **{name: round(rate, 3) for name, rate in per_sec.items()},
        }

    def _count(self) -> dict[str, float]:
        """What `per second` is made of."""
        lanes = [lane.tally.snapshot()[0] for lane in self._overview.lanes]

        def total(name: str) -> float:
            return sum(one.get(name, 0) for one in lanes)

        return {
            "event_tps": sum(stream.tally.reads for _, _, stream in sources_of(self._overview.lanes)),
            "process_tps": total("acknowledged_ranges"),
            "process_byte_ps": total("in_bytes"),
            "process_lines_ps": total("in_events"),
            "send_tps": total("acknowledged_ranges"),
            "send_line_ps": total("out_events"),
            "send_byte_ps": sum(target.sent_bytes for target in self._overview.targets),
            "send_net_bytes_ps": sum(target.sent_wire_bytes for target in self._overview.targets),
        }

    def _cpu_secs(self) -> float:
        usage = self._processes.usage(self._pid)
        return usage.cpu_secs if usage is not None else 0.0

    def _memory(self) -> int:
        usage = self._processes.usage(self._pid)
        return usage.rss_bytes if usage is not None else 0


def _add(into: Failures, why: Mapping[str, int], error_line: str) -> None:
    into.regex += sum(why[name] for name in why.keys() & REGEX)
    into.time += sum(why[name] for name in why.keys() & TIMES)
    into.history += sum(why[name] for name in why.keys() & HISTORY)
    into.error_line = error_line if why.keys() - HISTORY else into.error_line

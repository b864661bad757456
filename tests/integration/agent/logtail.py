"""What a Logtail leaves on a machine, made for a test: its configs, and positions that are true of real files."""

import json
from pathlib import Path
from typing import Any

from tailrace.agent.logtail.signature import signature

DELIVERED = {
    "aliuid": "1654218000000000", "category": "app", "create_time": 1534739165, "defaultEndpoint": "cn-hangzhou-intranet.log.example.com",
    "delay_alarm_bytes": 0, "delay_skip_bytes": 0, "discard_none_utf8": False, "discard_unmatch": False, "docker_file": False,
    "docker_exclude_env": {}, "docker_exclude_label": {}, "docker_include_env": {}, "docker_include_label": {}, "enable": True,
    "enable_tag": False, "file_encoding": "utf8", "filter_keys": [], "filter_regs": [], "group_topic": "", "keys": ["content"],
    "local_storage": True, "log_begin_reg": ".*", "log_type": "common_reg_log", "log_tz": "", "max_depth": 10, "max_send_rate": -1,
    "merge_type": "topic", "preserve": True, "preserve_depth": 1, "priority": 0, "project_name": "test", "raw_log": False,
    "regex": ["(.*)"], "region": "cn-hangzhou", "send_rate_expire": 0, "sensitive_keys": [], "shard_hash_key": [], "tail_existed": False,
    "time_key": "", "timeformat": "", "topic_format": "none", "tz_adjust": False, "version": 1,
    "advanced": {"force_multiconfig": False, "k8s": {}, "tail_size_kb": 1024},
}  # fmt: skip
"""A config as the service delivers it."""


class Logtail:
    """`/usr/local/ilogtail` of a machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.configs: dict[str, Any] = {}
        self._marks: dict[str, Any] = {}

    def config(self, name: str, logs: Path, pattern: str = "*.log", **changes: Any) -> None:
        project = changes.get("project_name", "test")
        self.configs[f"##1.0##{project}${name}"] = {**DELIVERED, "log_path": str(logs), "file_pattern": pattern, **changes}

    def has_read(self, path: Path, offset: int, config: str = "app", **changes: Any) -> None:
        status, head = path.stat(), path.read_bytes()[: min(1024, offset)]
        known = {"file_name": str(path), "real_file_name": str(path), "resolved_file_name": "", "offset": str(offset)}
        known |= {"sig_size": len(head), "sig_hash": signature(head), "sig": "", "update_time": int(status.st_mtime)}
        known |= {"inode": status.st_ino, "dev": status.st_dev, "file_open": 1, "config_name": f"##1.0##test${config}"}
        known |= {"container_stopped": 0, "container_id": "", "last_force_read": 0, "idx_in_reader_array": -1, **changes}
        self._marks[f"{path}*{status.st_dev}*{status.st_ino}*{known['config_name']}"] = known

    def stop(self, **settings: Any) -> None:
        """It writes down how far it is."""
        (self.directory / "user_log_config.json").write_text(json.dumps({"metrics": self.configs}))
        (self.directory / "ilogtail_config.json").write_text(json.dumps(settings))
        positions = {"check_point": self._marks, "dir_check_point": None, "version": 200}
        (self.directory / "logtail_check_point").write_text(json.dumps(positions))

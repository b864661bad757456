"""Topic, source and tags: what all events of a batch carry beside their own fields.

The topic and the tags that a pattern finds in a file's path are worked out once per file, not per event. `docs/concepts/topics-and-tags.md`
tells the rules; they are the manual's.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import DEFAULT_TAG, PluginConfig
from tailrace.pipeline.model import META_TAGS, GlobalConfig

Tag: TypeAlias = tuple[bytes, bytes]

PATH: Final = b"__path__"
STATIC: Final = "customized://"
"""What the classic form puts before a topic that is meant as it stands."""
MAX_PATHS: Final = 20_000
"""Paths whose labels are remembered; beyond that they are worked out anew."""
ENVIRONMENT: Final = "ALIYUN_LOG_ENV_TAGS"
DEFINED_ID_VARIABLES: Final = ("ALIYUN_LOGTAIL_USER_DEFINED_ID", "TAILRACE_USER_DEFINED_ID")


@dataclass(frozen=True, slots=True)
class Machine:
    """What labels say of the machine. Facts that are not known are empty, and make no tag."""

    host_name: str = ""
    address: str = ""
    host_id: str = ""
    user_defined_ids: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """What `ALIYUN_LOG_ENV_TAGS` lists: only these variables may become tags, whatever a config asks for."""

    @classmethod
    def here(cls, home: Path, address: str, environment: Mapping[str, str] = os.environ, *, host_name: str = "") -> "Machine":
        """This machine, with the ids that stand in `HOME/user_defined_id`, one per line, or in the environment. `host_name`: in place of
        the system's own."""
        ids = [*_lines(home / "user_defined_id"), *(environment.get(name, "") for name in DEFINED_ID_VARIABLES)]
        return cls(
            host_name=host_name or os.fsencode(socket.gethostname()).decode("utf-8", "replace"),
            address=address,
            host_id="".join(_lines(Path("/etc/machine-id"))[:1]),
            user_defined_ids=list(dict.fromkeys(one for one in ids if one)),
            environment={name: environment[name] for name in listed_variables(environment) if name in environment},
        )

    def facts(self) -> dict[str, str]:
        """Values by their public name."""
        ids = ",".join(self.user_defined_ids)
        return {"HOST_NAME": self.host_name, "AGENT_TAG": ids, "HOST_IP": self.address, "HOST_ID": self.host_id}


class Labels:
    """The labels of one pipeline's input on one machine. `put` gives them to a batch."""

    def __init__(self, options: GlobalConfig, source: PluginConfig, machine: Machine) -> None:
        self._source = machine.address.encode()
        self._renamed = {old.encode(): new.encode() for old, new in source.tag_names().items()}
        self._machine_tags = [*_machine_tags(options, machine), *_environment_tags(options, machine)]
        self._topic = _TopicRule(options)
        self._by_path: dict[bytes, tuple[bytes, list[Tag]]] = {}
        self._as_fields = options.using_old_content_tag

    def put(self, batch: EventBatch) -> None:
        """Topic, source and tags. What the input has put on the batch stays, under the names that its config gives."""
        path = next((value for key, value in batch.tags if key == PATH), b"")
        topic, found = self._of(path)
        own = [(self._renamed.get(key, key), value) for key, value in batch.tags]
        tags = [*((key, value) for key, value in own if key), *found, *self._machine_tags]
        batch.topic, batch.source = topic, self._source
        if not self._as_fields:
            batch.tags = tags
            return
        batch.tags = []
        for key, value in tags:
            batch.add(b"__tag__:" + key, value)

    def _of(self, path: bytes) -> tuple[bytes, list[Tag]]:
        known = self._by_path.get(path)
        if known is None:
            if len(self._by_path) >= MAX_PATHS:
                self._by_path.clear()
            known = self._by_path[path] = self._topic.of(path)
        return known


class _TopicRule:
    """From a file's path to its topic, or to tags."""

    def __init__(self, options: GlobalConfig) -> None:
        self._type, text = options.topic_type, options.topic_format.removeprefix(STATIC)
        self._fixed = text.encode() if self._type in ("custom", "machine_group_topic") else b""
        self._pattern = Pattern(text) if self._type == "filepath" and text else None

    def of(self, path: bytes) -> tuple[bytes, list[Tag]]:
        if self._type == "default" or (self._type == "filepath" and self._pattern is None):
            return path, []
        groups = self._pattern.full_match(path) if self._pattern else None
        if self._pattern is None or not groups:
            return self._fixed, []
        names = self._pattern.group_names
        if len(groups) == 1 and names[0] is None:
            return groups[0] or b"", []
        keys = [name or f"__topic_{number}__" for number, name in enumerate(names, 1)]
        return b"", [(key.encode(), value) for key, value in zip(keys, groups, strict=True) if value is not None]


def _machine_tags(options: GlobalConfig, machine: Machine) -> list[Tag]:
    asked = options.pipeline_meta_tag_key
    facts = machine.facts()
    tags: list[Tag] = []
    for name, (default, always) in META_TAGS.items():
        key = asked.get(name, DEFAULT_TAG if always else "")
        key = default if key == DEFAULT_TAG else key
        if key and facts[name]:
            tags.append((key.encode(), facts[name].encode()))
    return tags


def listed_variables(environment: Mapping[str, str]) -> list[str]:
    """What `ALIYUN_LOG_ENV_TAGS` lists."""
    return [name for one in environment.get(ENVIRONMENT, "").split("|") if (name := one.strip())]


def _environment_tags(options: GlobalConfig, machine: Machine) -> list[Tag]:
    chosen = options.agent_env_meta_tag_key
    names = {name: name for name in machine.environment} if chosen is None else chosen
    tags = [(key.encode(), os.fsencode(machine.environment.get(name, ""))) for name, key in names.items() if key]
    return [(key, value) for key, value in tags if value]


def _lines(path: Path) -> list[str]:
    """The lines of a small file that may not be there."""
    try:
        with path.open("rb") as file:
            text = file.read(65_536).decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]

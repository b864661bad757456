"""The configs that servers gave this agent to run. They lie in `HOME/agent/configs`, so that it goes on with them while no server answers.

A config that is changed is tried; when it cannot run, the version before it runs on and the new one is reported as failed. A name that a
server gives is never a path: each file is named after a digest.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.errors import ConfigErrors
from tailrace.journal import write_private
from tailrace.pipeline.loading import from_canonical
from tailrace.pipeline.model import PipelineConfig
from tailrace.wire.control import DELETED, ConfigDetail, ConfigInfo, ConfigStatus

FORMAT: Final = 1

log = telemetry.logger("agent.configs")


@dataclass(frozen=True, slots=True)
class Version:
    """`number` is the server's, opaque; `detail` the pipeline, canonical."""

    number: int
    detail: str

    def pipeline(self) -> PipelineConfig:
        return from_canonical(self.detail)


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """At least one of the versions is there."""

    server: str
    name: str
    runs: Version | None = None
    """The last one that is known to run."""
    tried: Version | None = None
    """The one that is to take its place."""
    failed: int = 0
    """Number of a version that could not; 0 without one."""
    message: str = ""
    """Why it could not."""

    @property
    def at_work(self) -> Version | None:
        return self.tried or self.runs

    def info(self) -> ConfigInfo:
        """What the server is told. Versions that failed are named, too: they are not to be sent again."""
        if self.tried is not None:
            return ConfigInfo(self.name, self.tried.number, ConfigStatus.APPLYING)
        if self.failed:
            runs = {"running": str(self.runs.number).encode()} if self.runs else {}
            return ConfigInfo(self.name, self.failed, ConfigStatus.FAILED, self.message, runs)
        return ConfigInfo(self.name, self.runs.number if self.runs else 0, ConfigStatus.APPLIED)


class RemoteConfigs:
    """Changed by one thread at a time, read by any."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "agent" / "configs"
        self._configs = {(one.server, one.name): one for one in self._load()}

    def infos(self, server: str) -> list[ConfigInfo]:
        """By name."""
        return [self._configs[key].info() for key in sorted(self._configs) if key[0] == server]

    def pipelines(self) -> list[PipelineConfig]:
        """What is to run, by name."""
        configs = self._configs
        by_name = {one.name: version for key in sorted(configs) if (version := (one := configs[key]).at_work) is not None}
        return [version.pipeline() for version in by_name.values()]

    def trying(self) -> list[RemoteConfig]:
        """Those whose new version has not shown yet whether it runs."""
        return [one for one in self._configs.values() if one.tried is not None]

    def take(self, server: str, updates: Iterable[ConfigDetail]) -> bool:
        """Durable when it returns. Whether something else is to run now. OSError when the disk is full: the server sends it again."""
        changed = False
        for update in updates:
            known = self._configs.get((server, update.name), RemoteConfig(server, update.name))
            if update.version == DELETED:
                changed |= known.at_work is not None
                self._forget(known)
            elif known.info().version != update.version:
                changed |= self._keep(_with(known, update)).tried is not None
        return changed

    def outcome(self, one: RemoteConfig, failure: str) -> bool:
        """What became of a version that was tried. Whether the one before it has to run again."""
        assert one.tried is not None
        if not failure:
            self._keep(replace(one, runs=one.tried, tried=None, failed=0, message=""))
            return False
        telemetry.alarm(
            "CONFIG_UPDATE_ALARM", "a new version of a config cannot run; the one before it stays", pipeline=one.name, reason=failure
        )
        self._keep(replace(one, tried=None, failed=one.tried.number, message=failure))
        return True

    def forget_servers(self, joined: Iterable[str]) -> bool:
        """Configs of servers that the agent does not belong to any more. Whether there were any."""
        gone = [one for one in self._configs.values() if one.server not in set(joined)]
        for one in gone:
            self._forget(one)
        return bool(gone)

    def _keep(self, config: RemoteConfig) -> RemoteConfig:
        write_private(self._path(config), json.dumps({"format": FORMAT, **asdict(config)}, ensure_ascii=False))
        self._configs = {**self._configs, (config.server, config.name): config}
        if not config.failed:
            telemetry.resolved("CONFIG_UPDATE_ALARM", pipeline=config.name)
        return config

    def _forget(self, config: RemoteConfig) -> None:
        self._path(config).unlink(missing_ok=True)
        self._configs = {key: one for key, one in self._configs.items() if key != (config.server, config.name)}
        telemetry.resolved("CONFIG_UPDATE_ALARM", pipeline=config.name)

    def _path(self, config: RemoteConfig) -> Path:
        return self._directory / f"{hashlib.sha256(f'{config.server}/{config.name}'.encode()).hexdigest()[:32]}.json"

    def _load(self) -> Iterable[RemoteConfig]:
        for path in sorted(self._directory.glob("*.json")):
            try:
                yield _read(json.loads(path.read_text(encoding="utf-8")))
            except OSError as error:
                log.warning("cannot read a config; the server sends it again", path=str(path), reason=error.strerror or str(error))
            except (ValueError, KeyError, TypeError, ConfigErrors) as error:
                log.warning("a config is damaged, or of another release; the server sends it again", path=str(path), reason=str(error))


def _with(known: RemoteConfig, update: ConfigDetail) -> RemoteConfig:
    detail = update.detail.decode("utf-8", "replace")
    version = Version(update.version, detail)
    try:
        version.pipeline()
    except ConfigErrors as errors:
        telemetry.alarm("CONFIG_UPDATE_ALARM", "a config from the server is none that can run", pipeline=update.name, reason=str(errors))
        return replace(known, tried=None, failed=update.version, message=str(errors))
    if known.runs is not None and known.runs.detail == detail:  # back to what runs anyway
        return replace(known, runs=version, tried=None, failed=0, message="")
    return replace(known, tried=version)


def _read(document: Mapping[str, Any]) -> RemoteConfig:
    """ValueError, KeyError, TypeError, ConfigErrors for what is no such file."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}")
    versions = {name: Version(**document[name]) if document[name] else None for name in ("runs", "tried")}
    for version in versions.values():
        if version is not None:
            version.pipeline()
    return RemoteConfig(
        str(document["server"]), str(document["name"]), **versions, failed=int(document["failed"]), message=str(document["message"])
    )

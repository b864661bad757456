"""The configs that servers gave this agent to run. They lie in `HOME/agent/configs`, so that it goes on with them while no server answers.

A config that is changed is tried; when it cannot run, the version before it runs on and the new one is reported as failed, kept, and tried
again from time to time: what it lacked may be there by then. A name that a server gives is never a path: each file is named after a digest.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.errors import ConfigErrors
from tailrace.journal import write_private
from tailrace.pipeline.loading import from_canonical
from tailrace.pipeline.model import PipelineConfig
from tailrace.wire.control import DELETED, ConfigDetail, ConfigInfo, ConfigStatus

FORMAT: Final = 2
"""1: versions that failed were not kept."""
FIRST_RETRY_SECS: Final = 30.0
LONGEST_RETRY_SECS: Final = 3600.0

Outcome = Callable[[str], str | None]
"""Of a pipeline: why it does not run, "" when it does, None while that is not known."""

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
    refused: Version | None = None
    """One that could not, and may be able to later."""
    failed: int = 0
    """Number of a version that could not, also while it is tried again; 0 without one."""
    message: str = ""
    """Why it could not."""

    @property
    def number(self) -> int:
        """Of the version that the server gave last."""
        return self.tried.number if self.tried else self.failed or (self.runs.number if self.runs else 0)

    @property
    def at_work(self) -> Version | None:
        return self.tried or self.runs

    def info(self, outcome: str | None) -> ConfigInfo:
        """What the server is told, given what became of the version at work. Versions that failed are named, too: they are not to be sent
        again."""
        if self.failed:
            runs = {"running": str(self.runs.number).encode()} if self.runs and not outcome else {}
            return ConfigInfo(self.name, self.failed, ConfigStatus.FAILED, self.message, runs)
        if self.tried is not None or outcome is None:
            return ConfigInfo(self.name, self.number, ConfigStatus.APPLYING)
        status = ConfigStatus.FAILED if outcome else ConfigStatus.APPLIED
        return ConfigInfo(self.name, self.number, status, outcome)


class RemoteConfigs:
    """Changed by one thread at a time, read by any."""

    def __init__(self, home: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = home / "agent" / "configs"
        self._clock = clock
        self._retries: dict[tuple[str, str], tuple[float, float]] = {}
        """Of what failed: when it is tried again, and how long it waits then."""
        self._configs = {(one.server, one.name): one for one in self._load()}

    def infos(self, server: str, outcome: Outcome) -> list[ConfigInfo]:
        """By name: what runs, not what it was told to run."""
        return [self._configs[key].info(outcome(key[1])) for key in sorted(self._configs) if key[0] == server]

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
            elif known.number != update.version:
                self._retries.pop((server, update.name), None)
                changed |= self._keep(_with(known, update)).tried is not None
        return changed

    def retry(self, outcome: Outcome) -> bool:
        """Whether something that does not run is due to be tried again."""
        again = False
        for key, one in self._configs.items():
            if one.tried is not None:
                continue
            if not (one.failed or outcome(one.name)):
                self._retries.pop(key, None)
                continue
            due_at, wait = self._retries.setdefault(key, (self._clock() + FIRST_RETRY_SECS, FIRST_RETRY_SECS))
            if self._clock() < due_at:
                continue
            wait = min(LONGEST_RETRY_SECS, wait * 2)
            self._retries[key] = self._clock() + wait, wait
            if one.refused is None:  # the version at work
                again = True
            elif _is_pipeline(one.refused):
                self._keep(replace(one, tried=one.refused))
                again = True
        return again

    def outcome(self, one: RemoteConfig, failure: str) -> bool:
        """What became of a version that was tried. Whether the one before it has to run again."""
        assert one.tried is not None
        if not failure:
            self._keep(replace(one, runs=one.tried, tried=None, refused=None, failed=0, message=""))
            return False
        telemetry.alarm(
            "CONFIG_UPDATE_ALARM", "a new version of a config cannot run; the one before it stays", pipeline=one.name, reason=failure
        )
        self._keep(replace(one, tried=None, refused=one.tried, failed=one.tried.number, message=failure))
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
        return replace(known, tried=None, refused=version, failed=update.version, message=str(errors))
    if known.runs is not None and known.runs.detail == detail:  # back to what runs anyway
        return replace(known, runs=version, tried=None, refused=None, failed=0, message="")
    return replace(known, tried=version, refused=None, failed=0, message="")


def _is_pipeline(version: Version) -> bool:
    """Whether this release can make one of it."""
    try:
        version.pipeline()
    except ConfigErrors:
        return False
    return True


def _version(document: Mapping[str, Any]) -> Version:
    number, detail = document["number"], document["detail"]
    if not isinstance(number, int) or not isinstance(detail, str):
        raise TypeError("a version is none")
    return Version(number, detail)


def _read(document: Mapping[str, Any]) -> RemoteConfig:
    """ValueError, KeyError, TypeError, ConfigErrors for what is no such file."""
    if document["format"] not in (1, FORMAT):
        raise ValueError(f"its format is {document['format']}")
    runs, tried, refused = (_version(document[name]) if document.get(name) else None for name in ("runs", "tried", "refused"))
    for version in (runs, tried):
        if version is not None:
            version.pipeline()
    failed = int(document["failed"]) if refused is not None or tried is not None else 0  # of format 1: the server sends it once more
    return RemoteConfig(str(document["server"]), str(document["name"]), runs, tried, refused, failed, str(document["message"]))

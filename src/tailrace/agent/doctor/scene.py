"""What there is to look at: a home, its settings, pipelines and identity, and the agent that may run on it. Read once, for all checks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tailrace.agent.control.remote import RemoteConfigs
from tailrace.agent.control.socket import ask
from tailrace.agent.doctor.visit import Address, Visit, visit
from tailrace.agent.identity import identity as identities
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.identity.joining import IDENTITY
from tailrace.agent.platform import Host, host
from tailrace.agent.settings import startup
from tailrace.agent.settings.policy import config_policy
from tailrace.agent.settings.settings import AgentSettings
from tailrace.errors import ConfigError, ConfigErrors, StateError, TailraceError, UnreachableError, UsageError
from tailrace.flushers.sls import SlsConfig
from tailrace.pipeline.loading import load_directory, load_file, resolve
from tailrace.pipeline.model import PipelineConfig
from tailrace.wire.proxy import Proxy, may_be_forwarded
from tailrace.wire.tls import client_context

ANSWER_SECS: Final = 5.0
MAX_ADDRESSES: Final = 16

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AtWork:
    """What the agent that runs on the home says: rows by question. Without an answer `trouble` says why."""

    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])
    trouble: str = ""
    silent: bool = False
    """There is one, and it does not answer."""
    proxies: Row | None = None
    """By scheme the proxy that it goes through; None when it does not say."""

    @property
    def answers(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Scene:
    """`mistakes` are those of settings, then of pipelines. `identity` is None when it cannot be read: `identity_trouble` says why."""

    home: Path
    source: Path
    """Directory of pipeline files, or one file."""
    settings: AgentSettings
    settings_mistakes: Sequence[ConfigError]
    pipelines: Sequence[PipelineConfig]
    pipeline_mistakes: Sequence[ConfigError]
    given: int
    """How many of the pipelines came from servers."""
    identity: AgentIdentity | None
    identity_trouble: TailraceError | None
    agent: AtWork
    environment: Mapping[str, str]
    host: Host

    @cached_property
    def targets(self) -> list[SlsConfig]:
        """Where the pipelines send to, each once."""
        configs = [plugin.config for pipeline in self.pipelines for plugin in pipeline.flushers]
        return list({(one.url, one.project, one.logstore): one for one in configs if isinstance(one, SlsConfig)}.values())

    @cached_property
    def visits(self) -> list[Visit]:
        """How it went with each address that the agent may send to, or ask for keys."""
        return [visit(address) for address in list(self._addresses().values())[:MAX_ADDRESSES]]

    def _addresses(self) -> dict[str, Address]:
        found: dict[str, Address] = {}
        for server in self.identity.servers.values() if self.identity else ():
            for url in server.addresses:
                found[url] = Address(url, client_context(server.roots), "the server that enrolled this agent", proxy=self._proxy(url))
        for target in self.targets:
            tls = self.identity.tls(target.url, target.project) if self.identity else None
            whose = f"project `{target.project}`"
            proxy = self._proxy(target.url, target.proxy.reveal())
            enrolled = self.identity.server(target.url, target.project) if self.identity else None
            forwarded = proxy is not None and enrolled is None and may_be_forwarded(target.url)
            found.setdefault(target.url, Address(target.url, tls, whose, "" if tls else target.project, proxy, forwarded))
        return found

    def _proxy(self, url: str, own: str = "") -> Proxy | None:
        try:
            return self.settings.proxies.way_to(url, own)
        except ValueError:
            return None  # a mistake of the settings, which are told


def look(home: Path, source: Path | None = None, environment: Mapping[str, str] = os.environ) -> Scene:
    """At a home; `source` are its pipelines, where they lie elsewhere. Nothing is raised: what cannot be read is part of the scene."""
    settings, settings_mistakes = _settings(home, environment)
    source = source or home / "pipelines"
    given = _given(home)
    pipelines, pipeline_mistakes = _pipelines(home, source, settings, given)
    identity, trouble = _identity(home)
    return Scene(
        home=home,
        source=source,
        settings=settings,
        settings_mistakes=settings_mistakes,
        pipelines=pipelines,
        pipeline_mistakes=pipeline_mistakes,
        given=len(given),
        identity=identity,
        identity_trouble=trouble,
        agent=_agent(home),
        environment=environment,
        host=host(),
    )


def _settings(home: Path, environment: Mapping[str, str]) -> tuple[AgentSettings, Sequence[ConfigError]]:
    try:
        return startup.load(home, environment=environment).settings, []
    except ConfigErrors as mistakes:
        return AgentSettings(), mistakes.errors


def _given(home: Path) -> list[PipelineConfig]:
    """By servers."""
    try:
        return RemoteConfigs(home).pipelines()
    except OSError:
        return []


def _pipelines(
    home: Path, source: Path, settings: AgentSettings, given: Sequence[PipelineConfig]
) -> tuple[list[PipelineConfig], list[ConfigError]]:
    """Those that an agent here would run, as it would run them, and what is wrong with the others."""
    mistakes: list[ConfigError] = []
    loaded: list[PipelineConfig] = []
    try:
        single = source.is_file()
        loaded = [load_file(source)] if single else load_directory(source, broken=lambda _, errors: mistakes.extend(errors.errors))
    except ConfigErrors as errors:
        mistakes += errors.errors if source.exists() or not given else []
    except OSError as error:
        mistakes.append(ConfigError(f"cannot read `{source}`: {(error.strerror or str(error)).lower()}"))
    policy, resolved = config_policy(home, settings), list[PipelineConfig]()
    for pipeline in [*loaded, *given]:
        try:
            resolved.append(resolve(pipeline, policy))
        except ConfigErrors as errors:
            mistakes += errors.errors
    return resolved, mistakes


def _identity(home: Path) -> tuple[AgentIdentity | None, TailraceError | None]:
    try:
        return identities.load(home / "secret" / IDENTITY), None
    except OSError as error:
        message = f"this user cannot read the agent's identity in `{home / 'secret'}`: {(error.strerror or str(error)).lower()}"
        return None, StateError(message, hint="run this as the agent's user")
    except TailraceError as error:
        return None, error


def _agent(home: Path) -> AtWork:
    rows: dict[str, Sequence[Row]] = {}
    try:
        for question in ("summary", "servers", "targets"):
            rows[question] = ask(home / "run", {"ask": question}, timeout=ANSWER_SECS)
    except UnreachableError as error:
        forbidden = isinstance(error.__cause__, PermissionError)
        return AtWork(trouble="this user may not ask it" if forbidden else "")
    except (StateError, UsageError) as error:
        return AtWork(trouble=error.message, silent=True)
    return AtWork(rows, proxies=_its_proxies(home))


def _its_proxies(home: Path) -> Row | None:
    """An agent of an older release does not know the question."""
    try:
        return next(iter(ask(home / "run", {"ask": "proxies"}, timeout=ANSWER_SECS)), None)
    except TailraceError:
        return None

"""The settings that servers gave this agent: `HOME/agent/settings.json`, so that they hold from the first moment of the next start.

They lie below all that the machine's administrator says, and hold only while the agent belongs to one server: several know nothing of each
other's projects. A server's settings are taken as a whole or refused as a whole, with the reason; what the last good ones were holds on.
While what the machine says is wrong by itself nothing is refused: it waits until that is right.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tailrace import telemetry
from tailrace.agent.kinds import checked
from tailrace.errors import ConfigErrors
from tailrace.journal import write_private
from tailrace.pipeline.agent_settings import ServedSettings
from tailrace.pipeline.explain import findings
from tailrace.wire.control import DELETED, ConfigDetail, ConfigInfo, ConfigStatus

NAME: Final = "settings.json"
FORMAT: Final = 1

Layers = Sequence[tuple[str, Mapping[str, Any]]]
"""Where values come from, as people are told, and the values; a later one wins."""

log = telemetry.logger("agent.settings")


@dataclass(frozen=True, slots=True)
class Served:
    """What one server calls by one name. `values` is JSON: those that hold, which are the last good ones."""

    server: str
    name: str
    number: int
    values: str
    message: str = ""
    """Why the version `number` was refused; empty: it was not."""


class ServedStore:
    """Changed by one thread at a time, read by any. `check` raises ConfigErrors where layers do not go with what the machine says."""

    def __init__(self, home: Path, check: Callable[[Layers], object] = lambda _: None) -> None:
        self._path = home / "agent" / NAME
        self._check = check
        found, self.several = _load(self._path)
        """`several`: whether the agent belongs to more than one server, so that nothing of it holds."""
        self._all = {(one.server, one.name): one for one in found}
        self._waiting: dict[tuple[str, str], tuple[ConfigDetail, str]] = {}
        """What cannot be judged while the machine's own settings are wrong, and how they are. The next start is sent it again."""

    @property
    def layers(self) -> Layers:
        return [] if self.several else _layers(self._all.values())

    def infos(self, server: str, kept: Callable[[str, Mapping[str, Any]], str]) -> list[ConfigInfo]:
        """By name. `kept` says what of the values of that name does not hold, and why."""
        waiting = self._waiting
        infos = {one.name: _info(one, kept(one.name, json.loads(one.values))) for key, one in self._all.items() if key[0] == server}
        for (_, name), (update, why) in [one for one in waiting.items() if one[0][0] == server]:
            infos[name] = ConfigInfo(name, update.version, ConfigStatus.FAILED, why)
        return [infos[name] for name in sorted(infos)]

    def take(self, server: str, updates: Iterable[ConfigDetail]) -> bool:
        """Durable when it returns. Whether other values hold now. OSError when the disk is full: the server sends it again."""
        before, all_, waiting = self.layers, dict(self._all), dict(self._waiting)
        for update in updates:
            key = server, update.name
            former = waiting.pop(key, None)
            if update.version == DELETED:
                all_.pop(key, None)
            elif key not in all_ or all_[key].number != update.version:
                try:
                    all_[key] = self._taken(all_, Served(server, update.name, update.version, "{}"), update.detail)
                except ConfigErrors as error:
                    waiting[key] = update, _own_mistakes(error)
                    if waiting[key] != former:
                        log.warning("settings of a server wait; those before hold", name=update.name, reason=waiting[key][1])
        self._keep(all_, several=self.several)
        self._waiting = waiting
        return self.layers != before

    def take_waiting(self) -> bool:
        """Look again at what waits. As `take`."""
        before = self.layers
        for (server, _), (update, _) in self._waiting.items():
            self.take(server, [update])
        return self.layers != before

    def belong_to(self, joined: Iterable[str]) -> bool:
        """The agent belongs to these servers and no others. Durable when it returns. Whether other values hold now. OSError."""
        before, known = self.layers, set(joined)
        self._waiting = {key: one for key, one in self._waiting.items() if key[0] in known}
        self._keep({key: one for key, one in self._all.items() if key[0] in known}, several=len(known) > 1)
        return self.layers != before

    def _taken(self, all_: Mapping[tuple[str, str], Served], new: Served, detail: bytes) -> Served:
        """As it is kept: with its values, or with those before and the reason. ConfigErrors when the machine's own are wrong."""
        former = all_.get((new.server, new.name))
        try:
            values = _values(detail)
            taken = replace(new, values=json.dumps(values))
            others = [one for key, one in all_.items() if key != (new.server, new.name)]
            self._check(_layers([*others, taken]))
        except (ConfigErrors, ValueError) as error:
            if isinstance(error, ConfigErrors):
                self._check(())  # is the machine's own right by itself?
            reason = "; ".join(one.message for one in error.errors) if isinstance(error, ConfigErrors) else str(error)
            log.warning("settings of a server are refused; those before hold", name=new.name, reason=reason)
            return replace(new, values=former.values if former else "{}", message=reason)
        return taken

    def _keep(self, all_: dict[tuple[str, str], Served], *, several: bool) -> None:
        if (all_, several) != (self._all, self.several):
            document = {"format": FORMAT, "several": several, "served": [asdict(one) for one in all_.values()]}
            write_private(self._path, json.dumps(document))
            self._all, self.several = all_, several


def layers_of(home: Path) -> Layers:
    """Those that lie in a home."""
    found, several = _load(home / "agent" / NAME)
    return [] if several else _layers(found)


def _layers(served: Iterable[Served]) -> Layers:
    """Of two that give one setting, the first by name wins: it comes last."""
    in_order = sorted(served, key=lambda one: (one.server, one.name), reverse=True)
    return [(f"server, {one.name}", json.loads(one.values)) for one in in_order]


def _values(detail: bytes) -> dict[str, Any]:
    """ValueError with all mistakes."""
    try:
        document = json.loads(detail)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    try:
        ServedSettings.model_validate(document)
    except ValidationError as error:
        found = [f"{'.'.join(str(part) for part in path)}: {message}" for path, message, _ in findings(error, ServedSettings)]
        raise ValueError("; ".join(found)) from None
    return document


def _own_mistakes(error: ConfigErrors) -> str:
    return f"waits until this machine's own settings are right: {'; '.join(str(one) for one in error.errors)}"


def _info(one: Served, kept: str) -> ConfigInfo:
    if one.message:
        return ConfigInfo(one.name, one.number, ConfigStatus.FAILED, one.message)
    return ConfigInfo(one.name, one.number, ConfigStatus.APPLIED, kept)


def _load(path: Path) -> tuple[list[Served], bool]:
    """What was given, and whether the agent belongs to several servers."""
    try:
        return _read(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return [], False
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("settings of servers are damaged, or of another release; they are sent again", path=str(path), reason=str(error))
        return [], False


def _read(document: Mapping[str, Any]) -> tuple[list[Served], bool]:
    """ValueError, KeyError, TypeError, AttributeError for what is no such file."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}")
    found = [checked(Served(**one)) for one in document["served"]]
    for one in found:
        _values(one.values.encode())
    return found, bool(document.get("several"))

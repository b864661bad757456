"""The settings that servers gave this agent: `HOME/agent/settings.json`, so that they hold from the first moment of the next start.

They lie below all that the machine's administrator says. A server's settings are taken as a whole or refused as a whole, with the reason;
what the last good ones were holds on.
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
        self._all = {(one.server, one.name): one for one in _load(self._path)}

    @property
    def layers(self) -> Layers:
        return _layers(self._all.values())

    def infos(self, server: str, kept: Callable[[str, Mapping[str, Any]], str]) -> list[ConfigInfo]:
        """By name. `kept` says what of the values of that name does not hold, and why."""
        found = [one for key, one in sorted(self._all.items()) if key[0] == server]
        return [_info(one, kept(one.name, json.loads(one.values))) for one in found]

    def take(self, server: str, updates: Iterable[ConfigDetail]) -> bool:
        """Durable when it returns. Whether other values hold now. OSError when the disk is full: the server sends it again."""
        before, all_ = self.layers, dict(self._all)
        for update in updates:
            key = server, update.name
            if update.version == DELETED:
                all_.pop(key, None)
            elif key not in all_ or all_[key].number != update.version:
                all_[key] = self._taken(all_, Served(server, update.name, update.version, "{}"), update.detail)
        self._keep(all_)
        return self.layers != before

    def forget_servers(self, joined: Iterable[str]) -> bool:
        """Whether other values hold now."""
        known = set(joined)
        gone = [key for key in self._all if key[0] not in known]
        if gone:
            self._keep({key: one for key, one in self._all.items() if key not in gone})
        return bool(gone)

    def _taken(self, all_: Mapping[tuple[str, str], Served], new: Served, detail: bytes) -> Served:
        """As it is kept: with its values, or with those before and the reason."""
        former = all_.get((new.server, new.name))
        try:
            values = _values(detail)
            taken = replace(new, values=json.dumps(values))
            others = [one for key, one in all_.items() if key != (new.server, new.name)]
            self._check(_layers([*others, taken]))
        except (ConfigErrors, ValueError) as error:
            reason = "; ".join(one.message for one in error.errors) if isinstance(error, ConfigErrors) else str(error)
            log.warning("settings of a server are refused; those before hold", name=new.name, reason=reason)
            return replace(new, values=former.values if former else "{}", message=reason)
        return taken

    def _keep(self, all_: dict[tuple[str, str], Served]) -> None:
        if all_ != self._all:
            write_private(self._path, json.dumps({"format": FORMAT, "served": [asdict(one) for one in all_.values()]}))
            self._all = all_


def layers_of(home: Path) -> Layers:
    """Those that lie in a home."""
    return _layers(_load(home / "agent" / NAME))


def _layers(served: Iterable[Served]) -> Layers:
    """Of two that give one setting, the first by name wins: it comes last."""
    in_order = sorted(served, key=lambda one: (one.server, one.name), reverse=True)
    return [(f"server, {one.name}", json.loads(one.values)) for one in in_order]


def _values(detail: bytes) -> dict[str, Any]:
    """ValueError with all mistakes."""
    document = json.loads(detail)
    try:
        ServedSettings.model_validate(document)
    except ValidationError as error:
        found = [f"{'.'.join(str(part) for part in path)}: {message}" for path, message, _ in findings(error, ServedSettings)]
        raise ValueError("; ".join(found)) from None
    return document


def _info(one: Served, kept: str) -> ConfigInfo:
    if one.message:
        return ConfigInfo(one.name, one.number, ConfigStatus.FAILED, one.message)
    return ConfigInfo(one.name, one.number, ConfigStatus.APPLIED, kept)


def _load(path: Path) -> list[Served]:
    try:
        return _read(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("settings of servers are damaged, or of another release; they are sent again", path=str(path), reason=str(error))
        return []


def _read(document: Mapping[str, Any]) -> list[Served]:
    """ValueError, KeyError, TypeError, AttributeError for what is no such file."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}")
    found = [checked(Served(**one)) for one in document["served"]]
    for one in found:
        _values(one.values.encode())
    return found

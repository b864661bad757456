"""Which settings are in force while the agent runs: what servers give lies below what the machine says; what follows is taken over."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.settings.served import Layers, ServedStore
from tailrace.agent.settings.settings import AgentSettings
from tailrace.agent.settings.startup import Startup
from tailrace.errors import ConfigErrors
from tailrace.wire.control import ConfigDetail, ConfigInfo

SERVED: Final = "server, "

log = telemetry.logger("agent.settings")


class InForce:
    """`load` finds the settings with what servers gave; `take_over` makes them hold. Changed by one thread at a time."""

    def __init__(self, store: ServedStore, load: Callable[[Layers], Startup], take_over: Callable[[AgentSettings], None]) -> None:
        self._store = store
        self._load = load
        self._take_over = take_over
        self._startup = load(store.layers)
        self._is_behind = False
        """What servers gave has changed, and does not hold yet: the machine's own settings are wrong."""

    def infos(self, server: str) -> list[ConfigInfo]:
        return self._store.infos(server, self._kept)

    def take(self, server: str, updates: Iterable[ConfigDetail]) -> None:
        """Returns when they hold."""
        if self._store.take(server, updates):
            self._changed()

    def try_again(self) -> None:
        """What waits until the machine's own settings are right: they may be by now."""
        if self._store.take_waiting() or self._is_behind:
            self._changed()

    def belong_to(self, joined: Iterable[str]) -> None:
        """The agent belongs to these servers: what others gave is forgotten, and of several servers none has a say."""
        if self._store.belong_to(joined):
            self._changed()

    def _changed(self) -> None:
        before, was_behind, self._is_behind = self._startup, self._is_behind, True
        try:
            self._startup = self._load(self._store.layers)
        except ConfigErrors as error:
            if not was_behind:
                log.warning("the machine's own settings are wrong; until they are right those in force hold", reason=error.message)
            return
        self._is_behind = False
        if self._startup.settings != before.settings:
            self._take_over(self._startup.settings)

    def _kept(self, name: str, values: Mapping[str, Any]) -> str:
        """Which of a server's values do not hold, as another place wins."""
        if self._store.several:
            return "none of it holds while this agent belongs to several servers"
        origins = self._startup.origins
        kept = {key: origin for key in values if (origin := origins.get(key, "")) != f"{SERVED}{name}"}
        return "; ".join(f"`{key}` stays as another place has it: {origin}" for key, origin in kept.items())

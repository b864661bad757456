"""Which settings are in force while the agent runs: what servers give lies below what the machine says; what follows is taken over."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tailrace.agent.settings.served import Layers, ServedStore
from tailrace.agent.settings.settings import AgentSettings
from tailrace.agent.settings.startup import Startup
from tailrace.wire.control import ConfigDetail, ConfigInfo

SERVED: Final = "server, "


class InForce:
    """`load` finds the settings with what servers gave; `take_over` makes them hold. Changed by one thread at a time."""

    def __init__(self, store: ServedStore, load: Callable[[Layers], Startup], take_over: Callable[[AgentSettings], None]) -> None:
        self._store = store
        self._load = load
        self._take_over = take_over
        self._startup = load(store.layers)

    def infos(self, server: str) -> list[ConfigInfo]:
        return self._store.infos(server, self._kept)

    def take(self, server: str, updates: Iterable[ConfigDetail]) -> None:
        """Returns when they hold."""
        if self._store.take(server, updates):
            self._changed()

    def forget_servers(self, joined: Iterable[str]) -> None:
        if self._store.forget_servers(joined):
            self._changed()

    def _changed(self) -> None:
        before, self._startup = self._startup, self._load(self._store.layers)
        if self._startup.settings != before.settings:
            self._take_over(self._startup.settings)

    def _kept(self, name: str, values: Mapping[str, Any]) -> str:
        """Which of a server's values do not hold, as another place wins."""
        origins = self._startup.origins
        kept = {key: origin for key in values if (origin := origins.get(key, "")) != f"{SERVED}{name}"}
        return "; ".join(f"`{key}` stays as another place has it: {origin}" for key, origin in kept.items())

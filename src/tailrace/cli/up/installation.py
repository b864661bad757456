"""A server and an agent on this machine, as child processes of `tailrace up`."""

import http.client
import threading
from collections.abc import Callable
from typing import Final

from tailrace.cli.home import Home, read_json
from tailrace.cli.up.children import Child, of_tailrace

LOOK_EVERY_SECS: Final = 0.1
PATIENCE_SECS: Final = 10.0
READY_TIMEOUT_SECS: Final = 5.0
HOST: Final = "127.0.0.1"


class Installation:
    """`stop` is set by a signal; whatever waits here ends soon after."""

    def __init__(self, home: Home, stop: threading.Event, report: Callable[[str], None]) -> None:
        self._home = home
        self._stop = stop
        self._report = report
        self._server: Child | None = None
        self._agent: Child | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self._home.port}"

    @property
    def agent_pid(self) -> int | None:
        return self._agent.pid if self._agent is not None else None

    def start_server(self, port: int) -> None:
        """Start it and wait until it answers; then the home knows its port.

        Raises StateError, in the server's own words, when it does not come up.
        """
        server = self._server = Child("server", of_tailrace(self._server_words(port)), report=self._report)
        server.start()
        waited = 0.0
        while not self._stop.is_set() and not self._is_ready(server):
            if server.exit_code is not None:
                raise server.fail()
            self._stop.wait(LOOK_EVERY_SECS)
            waited += LOOK_EVERY_SECS
            if abs(waited - PATIENCE_SECS) < LOOK_EVERY_SECS / 2:
                self._report("the server is still starting: it opens its store and takes over what the journal holds")
        server.command = of_tailrace(
            self._server_words(self._home.port)
        )  # `--port 0`: a restart has to come back where the agent looks for it

    def start_agent(self) -> None:
        from tailrace.agent.supervisor.order import Order

        told = {"pipelines": str(self._home.pipelines), "enrol_local": self.endpoint}
        self._agent = Child("agent", Order(self._home.directory, told, stops_at_eof=True).command(), report=self._report)
        self._agent.start()

    def watch(self) -> None:
        """To be called often: what has ended is started again."""
        for child in (self._server, self._agent):
            if child is not None:
                child.watch()

    def stop(self) -> None:
        """The agent first, so that its last batches still find their server."""
        if self._agent is not None:
            self._report("stopping: the agent delivers what it has, then the server closes its store")
        for child in (self._agent, self._server):
            if child is not None:
                child.ask_to_stop()
                child.wait()

    def _server_words(self, port: int) -> list[str]:
        return ["server", "run", "--home", str(self._home.directory), "--port", str(port)]

    def _is_ready(self, server: Child) -> bool:
        """Whether this very server, not an older one, says that it can take logs."""
        running = read_json(self._home.run / "server.json")
        if running.get("pid") != server.pid:
            return False
        self._home.port = int(running["port"])
        connection = http.client.HTTPConnection(HOST, self._home.port, timeout=READY_TIMEOUT_SECS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()

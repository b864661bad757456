"""The agent's metrics for Prometheus, over HTTP at an address that the administrator names (`metrics_listen` in `HOME/agent.yaml`).

`GET /metrics` is all there is; it asks for no name and tells no log, no secret and no path of a file. Without the setting nothing listens.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tailrace import telemetry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def exporting(listen: str) -> AsyncGenerator[None]:
    """Within it metrics are served at `HOST:PORT`; nowhere when that is empty. An address that cannot be had is said, and the agent works
    without."""
    if not listen:
        yield
        return
    from aiohttp import web  # noqa: PLC0415 - few agents serve anything

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=telemetry.render(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(client_max_size=0)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    log = telemetry.logger("agent.exporter")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        log.info("metrics are served", at=f"http://{host}:{runner.addresses[0][1]}/metrics")
    except OSError as error:
        log.warning("cannot serve metrics; the agent works without", address=listen, reason=error.strerror or str(error))
    try:
        yield
    finally:
        await runner.cleanup()

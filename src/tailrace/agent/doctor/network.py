"""The way to the servers: names, ports, proxies, certificates, and the clocks at both ends."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Scene
from tailrace.agent.doctor.visit import Visit

REFUSED_SECS: Final = 900.0
"""Further off, a server refuses a request for its date (its `clock_skew_secs`, by default)."""
NOTED_SECS: Final = 30.0
LOOPBACK: Final = ("127.", "localhost", "::1")


def check_connection(scene: Scene) -> Iterator[Finding]:
    """Step by step: the name, the port, the certificate, an answer."""
    for visit in scene.visits:
        if visit.failed is not None:
            yield warning(f"{visit.trouble} ({visit.address.whose})", visit.remedy)
            continue
        way = f", through the proxy `{visit.address.proxy}`" if visit.address.proxy else ""
        yield ok(f"`{visit.address.url}` answers in {visit.took_secs * 1000:.0f} ms{way} ({visit.address.whose})")
        if not visit.address.secure and not visit.address.host.startswith(LOOPBACK):
            remedy = "name the TLS address: `https` and port 9481 of a Tailrace server"
            yield info(f"what is sent to `{visit.address.url}` can be read on the way: it is not encrypted", remedy)
    if not scene.visits:
        yield info("no pipeline sends to a server")
    yield from _another_way(scene)


def _another_way(scene: Scene) -> Iterator[Finding]:
    """Where the agent that runs was started with other proxies than this command: what is said above does not hold for it."""
    if scene.agent.proxies is None:
        return
    ours = scene.settings.proxies.shown()
    for scheme in sorted({urlsplit(visit.address.url).scheme for visit in scene.visits}):
        its, mine = scene.agent.proxies.get(scheme, ""), ours.get(scheme, "")
        if its != mine:
            text = f"the agent that runs was started with {_named(its)} for `{scheme}`, this command with {_named(mine)}"
            remedy = f"write `{scheme}_proxy` into HOME/agent.yaml, which both read, and restart it: a service has its own environment"
            yield warning(text, remedy)


def _named(proxy: str) -> str:
    return f"the proxy `{proxy}`" if proxy else "no proxy"


def check_clock(scene: Scene) -> Iterator[Finding]:
    """By the dates of the servers' answers."""
    for visit in scene.visits:
        if visit.ahead_secs is not None:
            yield _clock(visit, visit.ahead_secs)


def _clock(visit: Visit, ahead: float) -> Finding:
    way = "behind" if ahead > 0 else "ahead of"
    text = f"this machine's clock is {_readable(abs(ahead))} {way} that of `{visit.address.url}`"
    if abs(ahead) > REFUSED_SECS:
        return warning(
            f"{text}; events get this machine's time, and certificates are checked with it",
            "set the clock and keep it right: `timedatectl set-ntp true`, or chrony; requests are signed with the server's time meanwhile",
        )
    if abs(ahead) > NOTED_SECS:
        return info(text, "keep it right: `timedatectl set-ntp true`, or chrony")
    return ok(f"this machine's clock and that of `{visit.address.url}` agree")


def _readable(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

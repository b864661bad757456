"""How this process goes out to servers, beside its proxies: from which network interface, how patiently, and whose clock counts."""

import socket
from dataclasses import dataclass
from typing import Final

from tailrace.errors import UnreachableError

KINDS: Final[dict[int, str]] = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Outward:
    """`connect_secs` and `request_secs` are those of calls beside the data: keys, enrolment."""

    interface: str = ""
    """Name of a network interface whose address connections come from; empty: the system chooses."""
    connect_secs: float = 5.0
    request_secs: float = 10.0
    adjusts_times: bool = False
    """Whether the times of events are moved by as much as a target's clock is ahead of ours."""

    def source(self, *families: int) -> tuple[str, int] | None:
        """Where connections come from that are of one of these families: the interface's IPv4 address, else its first IPv6 one; None where
        the system chooses.

        UnreachableError while it has none. It is asked each time: addresses come and go.
        """
        if not self.interface:
            return None
        import psutil  # noqa: PLC0415 - few agents are bound to an interface

        found = psutil.net_if_addrs().get(self.interface, [])
        for family in KINDS:
            for address in found if family in families else ():
                if address.family == family:
                    return address.address, 0
        kind = f"{KINDS[families[0]]} " if found and len(families) == 1 else ""
        raise UnreachableError(
            f"the network interface `{self.interface}` has no {kind}address", hint="check `bind_interface` in the settings"
        )

    def source_to(self, host: str, port: int | None) -> tuple[str, int] | None:
        """The same for connections to a host: of a family that it has an address of."""
        if not self.interface:
            return None
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # whoever connects finds it out, and says so
            return None
        return self.source(*(family for family, *_ in found))


_in_force = Outward()


def use(outward: Outward) -> None:
    """From now on this holds for this process."""
    global _in_force  # noqa: PLW0603 - as the machine's own routes, it belongs to the process
    _in_force = outward


def outward() -> Outward:
    """What holds for this process."""
    return _in_force

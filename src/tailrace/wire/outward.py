"""How this process goes out to servers, beside its proxies: from which network interface, how patiently, and whose clock counts."""

import socket
from dataclasses import dataclass

from tailrace.errors import UnreachableError


@dataclass(frozen=True, slots=True)
class Outward:
    """`connect_secs` and `request_secs` are those of calls beside the data: keys, enrolment."""

    interface: str = ""
    """Name of a network interface whose address connections come from; empty: the system chooses."""
    connect_secs: float = 5.0
    request_secs: float = 10.0
    adjusts_times: bool = False
    """Whether the times of events are moved by as much as a target's clock is ahead of ours."""

    def source(self) -> tuple[str, int] | None:
        """Where connections come from: the interface's IPv4 address, else its first IPv6 one; None where the system chooses.

        UnreachableError while it has none. It is asked each time: addresses come and go.
        """
        if not self.interface:
            return None
        import psutil  # noqa: PLC0415 - few agents are bound to an interface

        found = psutil.net_if_addrs().get(self.interface, [])
        for family in (socket.AF_INET, socket.AF_INET6):
            for address in found:
                if address.family == family:
                    return address.address, 0
        raise UnreachableError(f"the network interface `{self.interface}` has no address", hint="check `bind_interface` in the settings")


_in_force = Outward()


def use(outward: Outward) -> None:
    """From now on this holds for this process."""
    global _in_force  # noqa: PLW0603 - as the machine's own routes, it belongs to the process
    _in_force = outward


def outward() -> Outward:
    """What holds for this process."""
    return _in_force

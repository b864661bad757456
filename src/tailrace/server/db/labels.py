"""What machines are found by: addresses and user-defined ids, each in the one form that is compared."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=50_000)
def label_of(machine: str, *, is_address: bool) -> str:
    """An address in its shortest form, whatever way it is written (`::FFFF:10.0.0.1` is `10.0.0.1`); all else is itself."""
    if not is_address:
        return machine
    try:
        address = ipaddress.ip_address(machine)
    except ValueError:
        return machine
    within = getattr(address, "ipv4_mapped", None)
    return str(within or address)

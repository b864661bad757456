"""Functions of IP addresses and networks."""

from tailrace.server.query.sql.contract import Chapter, Function, Type


def _end_of_network(address: str, bits: str, place: int) -> str:
    """The template for the first (1) or last (2) address of a network, of either family; NULL for what is no address."""
    ends = [f"toString(tupleElement({family}CIDRToRange(to{family}OrDefault({address}), {bits}), {place}))" for family in ("IPv4", "IPv6")]
    return f"if(isIPv4String({address}), {ends[0]}, if(isIPv6String({address}), {ends[1]}, NULL))"


_ADDRESS, _BITS = "splitByChar('/', _1)[1]", "toUInt8OrZero(splitByChar('/', _1)[2])"

CHAPTER = Chapter(
    "IP addresses",
    "Of IPv4 and IPv6, as text. What is no address gives NULL.",
    (
        Function(
            "is_subnet_of(network, address)",
            "whether a network (`10.0.0.0/8`) holds an address",
            Type.BOOLEAN,
            "is_subnet_of('192.168.0.0/24', '192.168.0.5')",
            "true",
            becomes=("if(isIPv4String(_2) OR isIPv6String(_2), isIPAddressInRange(_2, _1), NULL)",),
        ),
        Function(
            "ip_prefix(address, bits)",
            "the network of an address",
            Type.VARCHAR,
            "ip_prefix('192.168.1.5', 24)",
            "192.168.1.0/24",
            becomes=(f"concat({_end_of_network('_1', 'toUInt8(_2)', 1)}, '/', toString(_2))",),
        ),
        Function(
            "ip_subnet_min(network)",
            "the first address of a network",
            Type.VARCHAR,
            "ip_subnet_min('192.168.1.5/24')",
            "192.168.1.0",
            becomes=(_end_of_network(_ADDRESS, _BITS, 1),),
        ),
        Function(
            "ip_subnet_max(network)",
            "the last address of a network",
            Type.VARCHAR,
            "ip_subnet_max('2001:db8::1/32')",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            becomes=(_end_of_network(_ADDRESS, _BITS, 2),),
        ),
    ),
)

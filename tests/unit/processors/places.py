"""A GeoIP database of invented places at addresses that are reserved for documentation (RFC 5737, RFC 3849).

`python -m tests.unit.processors.places docs/reference/places.mmdb` writes the one that the reference page of processor_geoip uses.
"""

import sys
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

PLACES: dict[str, dict[str, Any]] = {
    "203.0.113.0/24": {
        "city": {"names": {"en": "Millbrook", "zh-CN": "磨坊溪"}},
        "subdivisions": [{"iso_code": "NW", "names": {"en": "North Water", "zh-CN": "北水"}}],
        "country": {"iso_code": "XA", "names": {"en": "Aquaria", "zh-CN": "水国"}},
        "location": {"latitude": 51.5, "longitude": -0.125},
    },
    "2001:db8::/32": {
        "country": {"iso_code": "XB", "names": {"en": "Brookland"}},
        "location": {"latitude": -3.25, "longitude": 104.0},
    },
}


def write(path: Path) -> None:
    writer = MMDBWriter(6, "Places", languages=["en", "zh-CN"], description="invented places", ipv4_compatible=True, float_type="f64")
    for network, place in PLACES.items():
        writer.insert_network(IPSet([network]), place)
    writer.to_db_file(str(path))


if __name__ == "__main__":
    write(Path(sys.argv[1]))

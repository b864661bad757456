"""Look up an address in a GeoIP database (MaxMind DB format, yours) and add where it is: country, province, city, coordinates.

The fields are called after the source: `ip_country_`, `ip_country_code_`, `ip_province_`, `ip_province_code_`, `ip_city_`, `ip_longitude_`,
`ip_latitude_`. What the database does not know is not added. The database is opened when the pipeline starts.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.contract import ProcessorContext
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

SOURCE: Final = "__source__"
"""A `SourceKey` that stands for the agent's own address."""
CACHED_ADDRESSES: Final = 16_384

Place = tuple[tuple[str, bytes], ...]
"""(suffix of the field, value)."""


class GeoipConfig(PluginConfig):
    source_key: str = option(doc="The field that holds the address; `__source__` is the agent's own.", min_length=1, examples=["ip"])
    db_path: str = option(
        key="DBPath",
        doc="Path of the database, an `.mmdb` file with cities.",
        file="read",
        min_length=1,
        examples=["/usr/share/GeoIP/GeoLite2-City.mmdb"],
    )
    language: str = option("zh-CN", doc="Language of the names, where the database has it.", examples=["en"])
    keep_source: bool = option(True, doc="Keep the field when its address was found.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    no_match_error: bool = option(False, doc="Count events whose field is no address, or not in the database, as failed; they stay.")
    ip_value_flag: bool = option(False, key="IPValueFlag", doc="The field holds an IPv4 address as one number.")
    no_country: bool = option(False, doc="Leave out country and country code.")
    no_country_code: bool = option(False, doc="Leave out the country code.")
    no_province: bool = option(False, doc="Leave out province and province code.")
    no_city: bool = option(False, doc="Leave out the city.")
    no_coordinate: bool = option(False, doc="Leave out longitude and latitude.")

    def problems(self) -> Iterator[Problem]:
        if self.source_key == SOURCE and "keep_source" in self.model_fields_set:
            yield Problem("KeepSource", f"has no meaning for `{SOURCE}`", "remove it")


@processor("processor_geoip")
class Geoip(BatchProcessor[GeoipConfig]):
    Config = GeoipConfig
    alarm = missing_alarm = "GEOIP_ALARM"

    def __init__(self, config: GeoipConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()

    def start(self, context: ProcessorContext) -> None:
        super().start(context)
        try:
            import maxminddb  # noqa: PLC0415 - loaded when a pipeline needs it
        except ImportError as error:
            raise ConfigError("GeoIP look-ups need the library maxminddb", hint="`pip install 'tailrace[geoip]'`") from error
        path = self.config.db_path
        try:
            database = maxminddb.open_database(path)
        except OSError as error:
            raise ConfigError(f"cannot open the GeoIP database `{path}`: {(error.strerror or str(error)).lower()}") from error
        except maxminddb.InvalidDatabaseError as error:
            raise ConfigError(f"`{path}` is no GeoIP database: {error}") from error
        self.damage: type[Exception] = maxminddb.InvalidDatabaseError
        self.get = cast("Any", database).get
        self.place = lru_cache(CACHED_ADDRESSES)(self._place)

    def process(self, batch: EventBatch) -> None:
        if self.config.source_key == SOURCE:
            for suffix, value in self.place(batch.source) or ():
                batch.add(self._key(suffix), value)
            return
        column = batch.column(self.source)
        places = [None if value is None else self.place(value) for value in column]
        for suffix in dict.fromkeys(suffix for place in places for suffix, _ in place or ()):
            key = self._key(suffix)
            old = batch.column(key)
            batch.set_column(key, [dict(place or ()).get(suffix, before) for place, before in zip(places, old, strict=True)])
        if not self.config.keep_source:
            batch.set_column(self.source, [None if place else value for place, value in zip(places, column, strict=True)])
        if self.config.no_key_error:
            self.report_missing(column, self.config.source_key)
        if self.config.no_match_error:
            unknown = [value for value, place in zip(column, places, strict=True) if value is not None and not place]
            self.report_values(unknown, f"the address in `{self.config.source_key}` is not in the database")

    def _key(self, suffix: str) -> bytes:
        return f"{self.config.source_key}_{suffix}_".encode()

    def _place(self, value: bytes) -> Place | None:
        address = self._address(value)
        try:
            record = self.get(address) if address is not None else None
        except (ValueError, self.damage):  # an IPv6 address in a database of IPv4 addresses; a database damaged at this place
            return None
        return tuple(self._parts(cast("Mapping[str, Any]", record))) if isinstance(record, dict) else None

    def _address(self, value: bytes) -> "IPv4Address | IPv6Address | None":
        try:
            return ipaddress.IPv4Address(int(value)) if self.config.ip_value_flag else ipaddress.ip_address(value.decode())
        except ValueError:
            return None

    def _parts(self, record: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
        config = self.config
        if not config.no_city:
            yield from self._name("city", record.get("city"))
        provinces = record.get("subdivisions")
        if not config.no_province and provinces:
            yield from self._name("province", provinces[0])
            yield from _code("province_code", provinces[0])
        if not config.no_country:
            yield from self._name("country", record.get("country"))
            if not config.no_country_code:
                yield from _code("country_code", record.get("country"))
        if not config.no_coordinate and "longitude" in (location := record.get("location") or {}):
            yield "longitude", f"{location['longitude']:.8f}".encode()
            yield "latitude", f"{location.get('latitude', 0.0):.8f}".encode()

    def _name(self, suffix: str, part: Mapping[str, Any] | None) -> Iterator[tuple[str, bytes]]:
        name = (part or {}).get("names", {}).get(self.config.language)
        if name:
            yield suffix, str(name).encode()

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "ip", "DBPath": "/usr/share/GeoIP/GeoLite2-City.mmdb"}

    @classmethod
    def example(cls) -> Example:
        """With a small database of invented places, which lies in the repository."""
        config = {"SourceKey": "ip", "DBPath": "docs/reference/places.mmdb", "Language": "en", "NoMatchError": True}
        return Example(
            [{"Type": "processor_parse_json_native"}, config], '{"ip": "203.0.113.7"}\n{"ip": "2001:db8::1"}\n{"ip": "10.0.0.7"}\n'
        )


def _code(suffix: str, part: Mapping[str, Any] | None) -> Iterator[tuple[str, bytes]]:
    if code := (part or {}).get("iso_code"):
        yield suffix, str(code).encode()

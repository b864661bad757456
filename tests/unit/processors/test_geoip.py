"""processor_geoip."""

from pathlib import Path

import maxminddb
import pytest

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline import registry
from tests.unit.processors.places import PLACES, write

TYPE = "processor_geoip"
PUBLISHED = Path(__file__).parents[3] / "docs" / "reference" / "places.mmdb"
EVERYTHING = {
    "ip_country_": "Aquaria",
    "ip_country_code_": "XA",
    "ip_province_": "North Water",
    "ip_province_code_": "NW",
    "ip_city_": "Millbrook",
    "ip_longitude_": "-0.12500000",
    "ip_latitude_": "51.50000000",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("geo") / "places.mmdb"
    write(path)
    return {"SourceKey": "ip", "DBPath": str(path)}


def test_an_address_gets_its_place(run, base):
    out = run(TYPE, {**base, "Language": "en"}, {"ip": "203.0.113.7"}, {"x": "1"}, {"ip": "2001:db8::1", "ip_city_": "old"})
    assert dict(out.events[0]) == {"ip": "203.0.113.7", **EVERYTHING}
    assert out.events[1] == [("x", "1")]
    brookland = {"ip_country_": "Brookland", "ip_country_code_": "XB", "ip_longitude_": "104.00000000", "ip_latitude_": "-3.25000000"}
    assert dict(out.events[2]) == {"ip": "2001:db8::1", "ip_city_": "old", **brookland}
    assert out.failures == []


def test_the_language_is_chinese_by_default_and_a_name_without_it_is_left_out(run, base):
    out = run(TYPE, base, {"ip": "203.0.113.7"}, {"ip": "2001:db8::1"})
    assert dict(out.events[0])["ip_city_"] == "磨坊溪"
    assert "ip_country_" not in dict(out.events[1])


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("NoCountry", {"ip_country_", "ip_country_code_"}),
        ("NoCountryCode", {"ip_country_code_"}),
        ("NoProvince", {"ip_province_", "ip_province_code_"}),
        ("NoCity", {"ip_city_"}),
        ("NoCoordinate", {"ip_longitude_", "ip_latitude_"}),
    ],
)
def test_parts_may_be_left_out(run, base, key, gone):
    out = run(TYPE, {**base, key: True}, {"ip": "203.0.113.7"})
    assert EVERYTHING.keys() - dict(out.events[0]).keys() == gone


def test_an_address_may_be_a_number(run, base):
    number = str(int.from_bytes(bytes([203, 0, 113, 7])))
    assert "ip_city_" in dict(run(TYPE, {**base, "IPValueFlag": True}, {"ip": number}).events[0])
    assert "ip_city_" not in dict(run(TYPE, base, {"ip": number}).events[0])


@pytest.mark.parametrize(("keep", "left"), [(True, True), (False, False)])
def test_the_source_may_go_where_it_was_found(run, base, keep, left):
    out = run(TYPE, {**base, "KeepSource": keep}, {"ip": "203.0.113.7"}, {"ip": "10.0.0.7"})
    assert ("ip" in dict(out.events[0])) is left
    assert out.events[1] == [("ip", "10.0.0.7")]


@pytest.mark.parametrize("told", [False, True])
def test_what_counts_as_failed(run, base, told):
    out = run(TYPE, {**base, "NoKeyError": told, "NoMatchError": told}, {"x": "1"}, {"ip": "10.0.0.7"}, {"ip": "nowhere"})
    unknown = (2, "the address in `ip` is not in the database", "10.0.0.7")
    assert out.failures == ([(1, "has no field `ip`", ""), unknown] if told else [])
    assert set(out.alarms) == ({"GEOIP_ALARM"} if told else set())
    assert out.events == [[("x", "1")], [("ip", "10.0.0.7")], [("ip", "nowhere")]]


def test_the_agents_own_address(base):
    entry = registry.get("processor", TYPE)
    plugin = entry.cls(entry.config_model.model_validate({**base, "SourceKey": "__source__", "Language": "en"}))
    plugin.start(None)
    batch = EventBatch.from_events([(1, []), (2, [])])
    batch.source = b"203.0.113.9"
    plugin.process(batch)
    assert batch.column(b"__source___city_") == [b"Millbrook"] * 2


def test_a_database_that_cannot_be_used_stops_the_start(run, base, tmp_path: Path):
    wrong = tmp_path / "wrong.mmdb"
    wrong.write_bytes(b"no database")
    for path, message in (
        (tmp_path / "none.mmdb", "cannot open the GeoIP database `{path}`: "),
        (wrong, "`{path}` is no GeoIP database: "),
    ):
        with pytest.raises(ConfigError) as caught:
            run(TYPE, {**base, "DBPath": str(path)}, {"ip": "203.0.113.7"})
        assert caught.value.message.startswith(message.format(path=path))


def test_a_database_that_is_damaged_at_a_place_knows_no_such_place(run, base, monkeypatch):
    def damaged(database, address):
        raise maxminddb.InvalidDatabaseError("the data section is cut off")

    monkeypatch.setattr(type(maxminddb.open_database(base["DBPath"])), "get", damaged)
    out = run(TYPE, {**base, "NoMatchError": True}, {"ip": "203.0.113.7"})
    assert out.failures == [(1, "the address in `ip` is not in the database", "203.0.113.7")]


def test_refusals(refusals, base):
    found = refusals(TYPE, {**base, "SourceKey": "__source__", "KeepSource": False})
    assert found == ["KeepSource: has no meaning for `__source__` (remove it)"]


def test_the_published_example_holds_these_places():
    with maxminddb.open_database(str(PUBLISHED)) as database:
        assert {network: database.get(network.partition("/")[0]) for network in PLACES} == PLACES

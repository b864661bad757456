"""Which proxy leads to an address."""

import pytest

from tailrace.wire.proxy import Proxies, Proxy

PROXIES = Proxies("http://plain.example.org", "secure.example.org:8080", "10.0.0.0/8, .inside.org,only.org:8443,fd00::/8,192.0.2.7")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://logs.example.org", "plain.example.org"),
        ("https://logs.example.org:443", "secure.example.org"),
        ("https://inside.org", ""),
        ("https://logs.inside.org", ""),
        ("https://beinside.org", "secure.example.org"),
        ("https://only.org:8443", ""),
        ("https://only.org", "secure.example.org"),
        ("http://10.1.2.3:9480", ""),
        ("http://11.1.2.3:9480", "plain.example.org"),
        ("http://192.0.2.7", ""),
        ("http://[fd00::1]:9480", ""),
        ("http://[fe80::1]:9480", "plain.example.org"),
        ("http://localhost:9480", ""),
        ("http://127.0.0.1:9480", ""),
        ("https://[::1]:9481", ""),
    ],
)
def test_the_scheme_chooses_and_some_hosts_go_without(url: str, host: str) -> None:
    way = PROXIES.way_to(url)
    assert (way.host if way else "") == host


def test_a_star_is_everything() -> None:
    assert Proxies("http://p", "http://p", "*").way_to("http://logs.example.org") is None


def test_ones_own_goes_before_all() -> None:
    assert PROXIES.way_to("https://logs.inside.org", "http://own:1") == Proxy("own", 1)
    assert PROXIES.way_to("http://127.0.0.1", "own") == Proxy("own", 3128)
    assert PROXIES.way_to("https://logs.example.org", "none") is None


def test_the_environment_names_them_in_small_letters_or_capitals() -> None:
    found = Proxies.of_environment({"http_proxy": "http://a", "HTTP_PROXY": "http://b", "HTTPS_PROXY": "http://c", "NO_PROXY": "d"})
    assert found == Proxies("http://a", "http://c", "d")


def test_a_password_is_sent_as_it_was_meant_and_not_shown() -> None:
    proxy = Proxy.parse("http://user:p%3Aw%40rd@[::1]:3128")
    assert proxy.headers == {"proxy-authorization": "Basic dXNlcjpwOndAcmQ="}
    assert str(proxy) == "[::1]:3128"
    assert "dXNl" not in repr(proxy)
    assert "secret" not in repr(Proxies("http://user:secret@p"))


@pytest.mark.parametrize("text", ["socks5://p:1080", "https://p", "http://:3128", "http://p:x"])
def test_what_is_no_http_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|of the form"):
        Proxy.parse(text)

"""Addresses of servers: what can be one, and why something cannot."""

import pytest

from tailrace.wire.endpoints import wrong_endpoint


@pytest.mark.parametrize(
    "url", ["https://logs.example.org:9481", "https://127.0.0.1/", "https://[::1]:9481", "https://bücher.example", "https://my_host.local."]
)
def test_what_can_be_an_address(url: str) -> None:
    assert wrong_endpoint(url, "https") == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://h", "it does not begin with `https://`"),
        ("h:9481", "it does not begin with `https://`"),
        ("https://", "it names no host"),
        ("https://a b", "it names no host"),
        ("https://h:65536", "its host or its port is none"),
        ("https://me:wo/rd@h", "its host or its port is none"),
        ("https://[::1", "its host or its port is none"),
        ("https://:word@h", "it holds a user's name"),
        ("https://h?x=1", "there is something behind the host and its port"),
        ("https://h/path#part", "there is something behind the host and its port"),
    ],
)
def test_what_cannot_says_why_and_shows_nothing_of_it(url: str, why: str) -> None:
    found = wrong_endpoint(url, "https")
    assert found.startswith(why)
    assert "wo" not in found

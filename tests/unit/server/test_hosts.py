"""The project comes from the Host header by the list of base domains (sls-api §1.1)."""

import pytest

from tailrace.errors import ApiError
from tailrace.server.api.hosts import project_of_host

DOMAINS = {"sls.example.org"}


@pytest.mark.parametrize(
    ("host", "project"),
    [
        ("sls.example.org", None),
        ("sls.example.org:9480", None),
        ("web.sls.example.org", "web"),
        ("Web.SLS.example.org:80", "web"),
        ("localhost", None),
        ("web.localhost:8080", "web"),
        ("127.0.0.1", None),
        ("127.0.0.1:9480", None),
        ("my-web.127.0.0.1", "my-web"),
        ("[::1]:9480", None),
        ("my-web.[::1]:9480", "my-web"),
        ("my-web.[::ffff:10.0.0.1]", "my-web"),
        ("my-web.10.20.30.40:9480", "my-web"),
        ("web.sls.example.org.", "web"),
    ],
)
def test_a_project_is_exactly_one_label_before_a_base_domain(host: str, project: str | None) -> None:
    assert project_of_host(host, DOMAINS) == project


@pytest.mark.parametrize(
    "host", ["example.org", "web.example.org", "a.b.sls.example.org", "a.b.127.0.0.1", "127.0.0.256", "[::x]:80", "::1", "[::1", "web"]
)
def test_a_host_below_no_domain_is_named_with_the_domains(host: str) -> None:
    with pytest.raises(ApiError) as caught:
        project_of_host(host, DOMAINS)
    assert (caught.value.status, caught.value.error_code) == (400, "InvalidHost")
    assert host in caught.value.message
    assert "sls.example.org" in caught.value.message


@pytest.mark.parametrize("host", ["", "  ", ":80"])
def test_no_host_is_an_error_of_its_own(host: str) -> None:
    with pytest.raises(ApiError) as caught:
        project_of_host(host, DOMAINS)
    assert caught.value.error_code == "MissingHost"

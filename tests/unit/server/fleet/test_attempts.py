"""How often somebody may fail to join."""

import pytest

from tailrace.errors import ApiError
from tailrace.server.fleet import attempts
from tailrace.server.fleet.attempts import MOST_FAILURES, PER_SECS, Attempts
from tailrace.testing.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def refused(tried: Attempts, address: str) -> float:
    """Seconds until it is worth another try; 0 when it is let in."""
    try:
        tried.admit(address)
    except ApiError as error:
        return error.retry_after or -1
    return 0


def test_so_many_failures_in_a_minute_and_no_more(clock: Clock) -> None:
    tried = Attempts(clock)
    for _ in range(MOST_FAILURES):
        assert refused(tried, "10.0.0.7") == 0
        tried.failed("10.0.0.7")
    assert refused(tried, "10.0.0.7") == PER_SECS
    assert refused(tried, "10.0.0.8") == 0
    with pytest.raises(ApiError, match="from this address") as raised:
        tried.admit("10.0.0.7")
    assert (raised.value.status, raised.value.error_code) == (429, "TooManyAttempts")
    clock.now += PER_SECS
    assert refused(tried, "10.0.0.7") == 0


def test_a_subscriber_of_ipv6_is_one_neighbour(clock: Clock) -> None:
    tried = Attempts(clock)
    for number in range(MOST_FAILURES):
        tried.failed(f"2001:db8::{number:x}")
    assert refused(tried, "2001:db8::ffff") > 0
    assert refused(tried, "2001:db8:0:1::1") == 0


def test_what_is_remembered_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_KNOWN", 10)
    tried = Attempts(clock)
    for number in range(100):
        tried.failed(f"10.0.0.{number}")
    assert len(tried._failures) == 10
    for _ in range(1000):
        tried.admit("10.0.0.99")
    assert len(tried._failures) == 10

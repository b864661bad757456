"""The status tells how often what runs has changed, and how often the network failed lately."""

from tailrace.agent.status.lately import Lately


def test_pipelines_that_come_change_or_go_are_an_update_each_time_they_differ():
    lately = Lately()
    seen = []
    for now, running in enumerate([{}, {"a": "1", "b": "1"}, {"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"c": "1", "a": "2"}]):
        lately.runs(running, float(now))
        seen.append((lately.updates, lately.items, lately.updated_at))
    assert seen == [(0, 0, 0.0), (1, 2, 1.0), (1, 2, 1.0), (2, 3, 3.0), (3, 5, 4.0)]


def test_failures_are_told_for_the_last_one_five_and_fifteen_minutes():
    lately = Lately()
    for now, requests in ((0.0, 7), (700.0, 3), (750.0, 0), (899.0, 2)):
        lately.failed(requests, now)
    assert lately.failures(899.5) == [2, 5, 12]
    lately.failed(0, 960.0)
    assert lately.failures(960.0) == [0, 5, 5]
    assert lately.failures(10_000.0) == [0, 0, 0]

"""What collects nothing may fail in any way: it begins again, and nobody else notices."""

import threading

import pytest

from tailrace.agent import bystander as bystanders
from tailrace.agent.bystander import bystander


def test_a_mistake_ends_it_for_a_while_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bystanders, "PAUSE_SECS", 0.01)
    ended = list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", ended.append)
    lives, third = list[int](), threading.Event()

    def work(over: threading.Event) -> None:
        lives.append(len(lives))
        if len(lives) < 3:
            raise ValueError("a mistake of ours")
        third.set()
        over.wait(10)

    with bystander("teller", work):
        assert third.wait(10)
    assert lives == [0, 1, 2]
    assert ended == []


def test_one_that_fails_again_and_again_ends_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def work(_over: threading.Event) -> None:
        failed.set()
        raise RuntimeError

    with bystander("teller", work):
        assert failed.wait(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "teller"]

"""Asking the agent at its local socket: none there, one that answers, one that does not."""

import socket
import threading
import time

import pytest

from tailrace.agent.control.socket import NAME, _listen, ask
from tailrace.errors import StateError, UnreachableError


def test_an_agent_that_does_not_answer_in_time_is_not_taken_for_absent(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / NAME))
        listening.listen()
        with pytest.raises(StateError, match="has not answered for"):
            ask(tmp_path, {"ask": "summary"}, timeout=0.1)


def test_where_no_agent_runs_nobody_answers(tmp_path):
    with pytest.raises(UnreachableError):
        ask(tmp_path, {"ask": "summary"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:  # by one that was killed
        left.bind(str(tmp_path / NAME))
    with pytest.raises(UnreachableError):
        ask(tmp_path, {"ask": "summary"})


def test_who_sees_the_socket_by_its_name_can_connect(tmp_path):
    for number in range(30):
        home, outcomes = tmp_path / str(number), list[int]()
        home.mkdir()
        caller = threading.Thread(target=knock, args=(home / NAME, outcomes), daemon=True)
        caller.start()
        listening = _listen(home)
        caller.join(60)
        listening.close()
        assert outcomes == [0]


def knock(path, outcomes):
    """Connect as soon as it is there."""
    deadline = time.monotonic() + 50
    while not path.exists():
        if time.monotonic() > deadline:
            return
        time.sleep(0.0002)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        outcomes.append(caller.connect_ex(str(path)))

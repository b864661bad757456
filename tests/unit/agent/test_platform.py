"""Linux: file identity, watching, the owner's lock."""

import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from tailrace import telemetry
from tailrace.agent.platform import current, linux_watch
from tailrace.agent.platform.descriptors import file_behind
from tailrace.errors import BusyError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the adapter for Linux")


def identity(path):
    platform = current()
    descriptor = platform.open_file(str(path))
    try:
        return platform.identity(descriptor)
    finally:
        os.close(descriptor)


def watcher_without(monkeypatch, name: str, error: int):
    """A watcher whose system has none left of something."""

    def refuse(*_, **__):
        raise OSError(error, os.strerror(error))

    if name == "instances":
        monkeypatch.setattr(linux_watch, "INotify", refuse)
    else:
        monkeypatch.setattr(linux_watch.INotify, "add_watch", refuse)
    return linux_watch.InotifyWatcher()


def test_without_an_inotify_instance_files_are_polled_and_it_is_told(tmp_path, monkeypatch):
    watcher = watcher_without(monkeypatch, "instances", errno.EMFILE)
    assert not watcher.add(str(tmp_path))
    watcher.close()
    assert telemetry.recent_alarms()[-1].kind == "REGISTER_INOTIFY_FAIL_ALARM"


def test_without_watches_left_it_is_told(tmp_path, monkeypatch):
    watcher = watcher_without(monkeypatch, "watches", errno.ENOSPC)
    assert not watcher.add(str(tmp_path))
    watcher.close()
    assert telemetry.recent_alarms()[-1].kind == "INOTIFY_DIR_NUM_LIMIT_ALARM"


def test_identity_survives_a_rename_and_not_a_replacement(tmp_path):
    (tmp_path / "a").write_text("1")
    before = identity(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert identity(tmp_path / "b") == before
    (tmp_path / "b").unlink()
    (tmp_path / "b").write_text("1")
    assert identity(tmp_path / "b") != before


def test_birth_times_are_those_of_the_file(tmp_path):
    (tmp_path / "a").write_text("1")
    born = identity(tmp_path / "a").born
    os.utime(tmp_path / "a", (0, 0))
    assert identity(tmp_path / "a").born == born
    assert born == 0 or abs(born - time.time_ns()) < 60e9


def test_input_files_leave_handles_for_the_agent_itself(tmp_path):
    script = (
        "import errno, os, resource\n"
        "from tailrace.agent.platform import current\n"
        "platform, opened = current(), []\n"
        "platform.prepare_process('x', 64)\n"
        "try:\n"
        "    while True:\n"
        f"        opened.append(platform.open_file({str(tmp_path / 'a')!r}))\n"
        "except OSError as error:\n"
        "    assert error.errno == errno.EMFILE\n"
        "own = [os.open('/dev/null', os.O_RDONLY) for _ in range(16)]\n"
        "assert 30 < len(opened) <= 48, len(opened)\n"
    )
    (tmp_path / "a").write_text("1")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
def test_only_regular_files_are_opened(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(OSError, match="not a regular file"):
        current().open_file(str(tmp_path / "x"))


def test_what_is_never_read_is_not_reached_through_links_either(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "key").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    (tmp_path / "homely").write_text("fine")
    platform = current([tmp_path / "home"])
    for path in (tmp_path / "link" / "key", "/proc/self/environ", "/sys/kernel/uevent_seqnum", "/dev/null"):
        with pytest.raises(PermissionError):
            platform.open_file(str(path))
    os.close(platform.open_file(str(tmp_path / "homely")))


def test_changes_are_told_once_each(tmp_path):
    watcher = current().watcher()
    assert watcher.add(str(tmp_path))
    assert not watcher.wait(0)
    with (tmp_path / "x").open("w") as file:
        for _ in range(100):
            file.write("line\n")
            file.flush()
    (tmp_path / "d").mkdir()
    assert watcher.wait(1)
    assert {(change.name, change.is_directory) for change in watcher.changes()} == {("x", False), ("d", True)}
    watcher.close()


def test_what_cannot_be_watched_is_said(tmp_path):
    watcher = current().watcher()
    assert not watcher.add(str(tmp_path / "missing"))
    assert not watcher.add(__file__)
    watcher.close()


def test_without_an_inotify_instance_everything_is_polled(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(24, "too many open files")

    monkeypatch.setattr("tailrace.agent.platform.linux_watch.INotify", refuse)
    watcher = current().watcher()
    assert not watcher.add(str(tmp_path))
    assert not watcher.wait(0)
    assert watcher.changes() == []
    watcher.close()


def test_a_wait_can_be_ended_from_another_thread():
    watcher = current().watcher()
    threading.Timer(0.05, watcher.wake).start()
    began = time.monotonic()
    assert not watcher.wait(10)
    assert time.monotonic() - began < 5
    watcher.close()
    watcher.wake()


HOLD = """
import sys
from pathlib import Path
from tailrace.agent.platform import current
lock = current().own(Path(sys.argv[1]))
print("held", flush=True)
input()
"""


def test_a_home_has_one_owner_and_is_free_when_that_dies(tmp_path):
    path = tmp_path / "agent" / "lock"
    owner = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=f"the process with pid {owner.pid} works on it"):
        current().own(path)
    owner.kill()
    owner.communicate()
    lock = current().own(path)
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_file_that_is_open_is_known_by_its_path_whoever_may_search_its_directory(tmp_path):
    closed, nobody = tmp_path / "closed", 65534
    closed.mkdir()
    with (closed / "out").open("w") as out, (closed / "gone").open("w") as gone:
        (closed / "gone").unlink()
        closed.chmod(0)
        is_root = not os.geteuid()
        if is_root:
            os.seteuid(nobody)  # root may search any
        try:
            with pytest.raises(PermissionError):
                (closed / "out").stat()
            assert file_behind(out.fileno()) == str(closed / "out")
        finally:
            if is_root:
                os.seteuid(0)
            closed.chmod(0o700)
        assert file_behind(gone.fileno()) is None
    reader, writer = os.pipe()
    assert file_behind(reader) is None
    os.close(reader)
    os.close(writer)

"""What the system allows: watches of inotify, open files; and the time zone that times without one are read in."""

import time
import zoneinfo
from collections.abc import Iterator
from typing import Final

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Scene

LEAST_OPEN_FILES: Final = 1024
"""Sockets, checkpoint and spool take some fifty; the rest is for files that are read."""
SYSCTL: Final = "as root: `sysctl -w fs.inotify.{key}={value}`, and the same line in /etc/sysctl.d/90-tailrace.conf"


def check_watching(scene: Scene) -> Iterator[Finding]:
    """Found out by trying. Without watches files are polled: that works, later and for more CPU."""
    watching, wanted = scene.host.watching(scene.home), scene.settings.max_watched_directories
    running = scene.agent.answers or scene.agent.silent
    if not watching.instance_left:
        text = "this user has no instance of inotify left: new files are found by polling"
        yield (info if running else warning)(text, SYSCTL.format(key="max_user_instances", value=1024))
    elif not watching.watch_left:
        yield warning(
            "this user has no watch of inotify left: new files are found by polling", SYSCTL.format(key="max_user_watches", value=524_288)
        )
    elif watching.most < wanted:
        yield warning(
            f"this user may watch {watching.most} directories by inotify, the agent wants up to {wanted}: the rest is polled",
            SYSCTL.format(key="max_user_watches", value=524_288),
        )
    else:
        yield ok(f"inotify has room: this user may watch {watching.most} directories")


def check_open_files(scene: Scene) -> Iterator[Finding]:
    """The hard limit: the agent raises its own to it."""
    most = scene.host.open_files()
    if scene.settings.max_open_files:
        most = min(most, scene.settings.max_open_files)
    if 0 <= most < LEAST_OPEN_FILES:
        yield warning(
            f"a process of this user may open {most} files: the agent reads fewer at a time than that",
            "raise `LimitNOFILE` of its service, `nofile` in /etc/security/limits.conf, or `max_open_files` in HOME/agent.yaml",
        )
    else:
        yield ok(f"a process of this user may open {most:,} files" if most >= 0 else "open files are not bounded")


def check_time_zone(scene: Scene) -> Iterator[Finding]:
    """The C library takes a name that it does not know for UTC, in silence."""
    name = scene.environment.get("TZ", "").lstrip(":")
    if name and "/" in name and name not in zoneinfo.available_timezones() and not name.startswith("/"):
        yield warning(
            f"the time zone `{name}` of the variable TZ is not known here: times without a zone are taken for UTC",
            "name one of `timedatectl list-timezones`, and install `tzdata`",
        )
    else:
        offset = time.strftime("%z")
        yield ok(f"times without a zone are read as {name or time.tzname[0]} (UTC{offset[:3]}:{offset[3:]}), where a pipeline names none")

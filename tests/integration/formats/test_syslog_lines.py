"""Syslog lines that rsyslog wrote, in its three forms, are read back as rsyslog itself tells their parts."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.pipeline.formats.syslog import syslog
from tests.integration.formats.servers import lines_of, parsed, process

RSYSLOG = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
TEMPLATES = {"traditional": "RSYSLOG_TraditionalFileFormat", "iso": "RSYSLOG_FileFormat", "rfc5424": "RSYSLOG_SyslogProtocol23Format"}
MESSAGES = [
    "<38>{now} sshd[4242]: Accepted publickey for ann from 10.0.0.7 port 50022 ssh2",
    "<4>{now} kernel: [   12.345678] usb 1-1: new device: [a:b]",
    "<85>{now} sudo:      bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/ls",
    "<30>{now} systemd[1]: Started Session 1 of user ann.",
    "<78>{now} CRON[99]: (root) CMD (cd / && run-parts --report /etc/cron.hourly)",
    "<13>{now} my-app_2.0/worker: Grüße: äöü",
    "<13>{now} app: ",
]

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("rsyslog")
    parts = {"program": "programname", "pid": "procid", "message": "msg", "hostname": "hostname", "priority": "pri"}
    oracle = ",".join(f'\\"{key}\\":\\"%{name}:::json%\\"' for key, name in parts.items())
    actions = "\n".join(f'action(type="omfile" file="{home}/{name}.log" template="{template}")' for name, template in TEMPLATES.items())
    (home / "rsyslog.conf").write_text(
        f"""module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{home}/log" RateLimit.Interval="0" UsePIDFromSystem="off" IgnoreTimestamp="off")
global(workDirectory="{home}")
template(name="oracle" type="string" string="{{{oracle}}}\\n")
{actions}
action(type="omfile" file="{home}/oracle.log" template="oracle")
"""
    )
    assert RSYSLOG, "rsyslog is not installed: make setup-peers"
    with process([RSYSLOG, "-n", "-f", str(home / "rsyslog.conf"), "-i", str(home / "pid")], path=home / "log"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for message in MESSAGES:
                sender.sendto(message.format(now=time.strftime("%b %e %H:%M:%S")).encode(), str(home / "log"))
        lines_of(home / "oracle.log", len(MESSAGES))
        yield home


@pytest.mark.parametrize("form", TEMPLATES)
def test_every_part_is_what_rsyslog_wrote(logs: Path, form: str) -> None:
    truths = [json.loads(line) for line in lines_of(logs / "oracle.log", len(MESSAGES)).splitlines()]
    log = lines_of(logs / f"{form}.log", len(MESSAGES))
    found = syslog(sample=log.splitlines()[0])
    assert found == syslog(form)
    result = parsed(found, log)
    for row, truth in zip(result.rows(), truths, strict=True):
        assert row["hostname"] == truth["hostname"]
        assert row["program"] == (truth["program"] if form == "rfc5424" else row["program"])
        assert row["program"].startswith(truth["program"])
        assert row["pid"].strip("-") == truth["pid"].strip("-")
        assert row["message"].strip() == truth["message"].strip()
        assert row["priority"] == (truth["priority"] if form == "rfc5424" else "")
    assert all(abs(moment / 1e9 - time.time()) < 120 for moment in result.batch.times)

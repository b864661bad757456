"""Settings reach the worker by all ways, and flags win."""

import json
import re
from pathlib import Path

from tailrace import __version__
from tests.faults.supervised import SupervisedAgent


def test_flags_win_over_the_environment_and_that_over_files(tmp_path: Path):
    settings = "working_ip: 10.0.0.1\nworking_hostname: by-file\nmax_files: 7\n"
    with SupervisedAgent(tmp_path, settings=settings) as agent:
        agent.agent.environment |= {"ALIYUN_LOGTAIL_WORKING_IP": "10.0.0.2", "TAILRACE_WORKING_HOSTNAME": "by-environment"}
        agent.start("--set", "working_hostname=by-flag", "--set", "config_outputs=[/nowhere, out]")
        info = json.loads((agent.home / "app_info.json").read_text())
        assert sorted(info) == ["UUID", "hostname", "instance_id", "ip", "logtail_version", "os", "update_time"]
        assert (info["ip"], info["hostname"], info["logtail_version"]) == ("10.0.0.2", "by-flag", __version__)
        assert re.fullmatch(r".+_10\.0\.0\.2_\d+", info["instance_id"])


def test_a_wrong_setting_is_told_at_once(tmp_path: Path):
    with SupervisedAgent(tmp_path) as agent:
        assert agent.agent.start("--set", "max_fils=1").wait(60) == 2
        assert "there is no setting `max_fils`" in agent.agent.log()

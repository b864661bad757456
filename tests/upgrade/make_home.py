"""Stores a small home of the present release: `python -m tests.upgrade.make_home`, once per release, writes `homes/<version>.tar.gz`.

Its keys were made for it and open nothing else. Its logs are kept for ever, so that they are there whenever the test runs.
"""

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from aliyun.log import LogClient

from tailrace import __version__
from tests.e2e.first_run import Up

HOMES = Path(__file__).parent / "homes"
LINES = [f"line {number} of release {__version__}" for number in range(50)]
NOT_STORED = {"logs", "run"}


FOR_EVER_DAYS = 3650


def keep_for_ever(up: Up) -> None:
    key = up.secret("cli.json")
    os.environ["http_proxy"] = key["endpoint"]
    client = LogClient(key["endpoint"], key["key_id"], key["key_secret"])
    client.update_logstore(key["project"], key["logstore"], ttl=FOR_EVER_DAYS)


def main() -> None:
    """Collect some lines, stop cleanly, pack what stays."""
    with tempfile.TemporaryDirectory() as scratch:
        log, home = Path(scratch) / "app.log", Path(scratch) / "home"
        log.write_text("".join(f"{line}\n" for line in LINES))
        up = Up(home, "--collect", str(log)).start("--port", "0")
        try:
            up.wait_until_found("line", len(LINES), 60)
            keep_for_ever(up)
        finally:
            up.stop()
        for name in NOT_STORED:
            shutil.rmtree(home / name)
        HOMES.mkdir(exist_ok=True)
        with tarfile.open(HOMES / f"{__version__}.tar.gz", "w:gz") as archive:
            archive.add(home, "home")


if __name__ == "__main__":
    main()

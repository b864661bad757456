"""A consumer as users write it with the official library: `python -m …consumer KEY_ID SECRET PROJECT LOGSTORE GROUP NAME ORDER FILE`.

It appends `<shard> <n>` of every log to FILE before it lets the library keep a checkpoint. The server is its HTTP proxy.
"""

import sys
from pathlib import Path

from aliyun.log.consumer import ConsumerProcessorBase, ConsumerWorker, CursorPosition, LogHubConfig


class Keeper(ConsumerProcessorBase):
    """Keeps what comes in a file."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.checkpoint_timeout = 0.3
        self._path = Path(path)

    def process(self, log_groups, check_point_tracker) -> None:
        with self._path.open("a") as file:
            for group in log_groups.LogGroups:
                for log in group.Logs:
                    number = next(content.Value for content in log.Contents if content.Key == "n")
                    file.write(f"{self.shard_id} {number}\n")
        self.save_checkpoint(check_point_tracker)


def main(key_id: str, secret: str, project: str, logstore: str, group: str, name: str, order: str, path: str) -> None:
    config = LogHubConfig(
        "http://127.0.0.1:8080", key_id, secret, project, logstore, group, name,
        cursor_position=CursorPosition.BEGIN_CURSOR, heartbeat_interval=1, data_fetch_interval=0.2, in_order=order == "order",
    )  # fmt: skip
    ConsumerWorker(Keeper, config, args=(path,)).start(join=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The page docs/reference/agent-settings.md, from the model: `python -m tailrace.agent.settings.page FILE`."""

import sys
from pathlib import Path
from typing import Final

from tailrace.agent.settings.settings import AgentSettings
from tailrace.pipeline.reference import key_table

HEAD: Final = """# Agent settings

What the administrator of a machine decides for its agent. A later place wins:

1. what a server gives to the machine group (`tailrace group settings`): only the settings down to `batch_send_bytes`
2. `HOME/agent.yaml`
3. the files `*.yaml`, `*.yml` and `*.json` of `HOME/config.d`, in the order of their names
4. the environment: `TAILRACE_` or `ALIYUN_LOGTAIL_` and the key in capitals (`TAILRACE_MEM_USAGE_LIMIT=512`), or the bare key
5. flags: `--set mem_usage_limit=512`

`tailrace agent settings` shows the values that hold and where each comes from. They are read when the agent starts; a mistake on the
machine keeps it from starting, with the place and what to do. What a server gives is taken over at once, or refused as a whole where it is
wrong. The names are those of Logtail's start-up file where that has the setting; its `ilogtail_config.json` may be put into `HOME/config.d`
as it is. Keys of it that mean nothing here are accepted, so that it need not be edited, and say why they have no effect. Beside settings
the environment may give the agent's own ids (`ALIYUN_LOGTAIL_USER_DEFINED_ID`) and variables that become tags (`ALIYUN_LOG_ENV_TAGS`);
`ALIYUN_LOGTAIL_USER_ID` and `ALIYUN_LOGTAIL_CONFIG` are not needed, because an agent joins a server with a
[token](../howto/enrol-agents.md).
"""


def page() -> str:
    return "\n".join([HEAD, *key_table(AgentSettings), ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

"""What the agent says of its targets, or said last: what they refuse, and what waits for them."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Row, Scene
from tailrace.agent.status.left import SNAPSHOT

CODE: Final = re.compile(r"\((\w+)\)$")
"""How `trouble` of a target ends."""
QUOTA: Final = (
    "send less (`MaxSendRate`), or let an administrator of the server raise the quota (docs/concepts/security.md); what waits is kept"
)
MISSING: Final = "make it on the server, or correct `Project` and `Logstore` of the flusher; what waits is kept"
KEY: Final = "see `keys` and `membership` above"
WAY: Final = "see `connection` above"
REMEDIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("WriteQuotaExceed", "ProjectQuotaExceed", "ShardWriteQuotaExceed", "ReadQuotaExceed"), QUOTA),
    **dict.fromkeys(("LogStoreNotExist", "ProjectNotExist"), MISSING),
    **dict.fromkeys(("Unauthorized", "SignatureNotMatch", "NoKey", "AgentRevoked"), KEY),
    **dict.fromkeys(("Network", "Certificate", "Timeout"), WAY),
    "ServerBusy": "the server is overloaded; the agent waits and tries again by itself",
    "RequestTimeExpired": "see `clock` above",
}
OTHERWISE: Final = "`tailrace agent status targets` and `status alarms` say more; what waits is kept"


def check_delivery(scene: Scene) -> Iterator[Finding]:
    """One finding per target in trouble."""
    rows, told = _targets(scene)
    for row in rows:
        if row["trouble"]:
            code = CODE.search(str(row["trouble"]))
            yield warning(
                f"`{row['target']}` takes nothing{told}: {row['trouble']}; ranges that wait: {row['waiting_ranges']}",
                REMEDIES.get(code[1] if code else "", OTHERWISE),
            )
        elif row["waiting_bytes"] >= row["limit_bytes"] > 0:
            yield info(f"`{row['target']}` is slower than what comes{told}: its queue is full", "the agent reads on when there is room")
    if rows and not any(row["trouble"] for row in rows):
        yield ok(f"all targets ({len(rows)}) take what they are sent{told}")


def _targets(scene: Scene) -> tuple[Sequence[Row], str]:
    """Rows, and how old they are, in words."""
    if scene.agent.answers:
        return scene.agent.rows["targets"], ""
    try:
        document: Any = json.loads((scene.home / "run" / SNAPSHOT).read_bytes())
        return list(document["targets"]), f" (as of {(time.time() - float(document['at'])) / 60:.0f} min ago, no agent answers)"
    except (OSError, ValueError, KeyError, TypeError):
        return [], ""

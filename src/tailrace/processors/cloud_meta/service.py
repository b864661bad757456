"""What the cloud says of the machine that the agent runs on.

An ECS instance is told about itself by a service of its host at a fixed address, in two steps: a short-lived token, then one text per path.
All pipelines share what was read. It is read again when it is old and somebody asks, beside whoever asks.
"""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

ADDRESS: Final = "http://100.100.100.200"
TOKEN, TTL = "X-aliyun-ecs-metadata-token", "X-aliyun-ecs-metadata-token-ttl-seconds"
TTL_SECS: Final = 60
TIMEOUT_SECS: Final = 1.0
"""Of each step. The service is a hop away; where there is none, nothing answers at all."""
FIRST_SECS: Final = 3.0
"""So long the first one who asks waits."""
FRESH_SECS: Final = 30.0
ABSENT_SECS: Final = 300.0
"""Where nothing answered, it is asked again after so long."""
MAX_BYTES: Final = 65_536
"""Of one text."""
MAX_TOKEN_CHARS: Final = 1024
TAGS: Final = "__cloud_instance_tags__"
PATHS: Final = {
    "__cloud_instance_id__": "instance-id",
    "__cloud_instance_name__": "instance/instance-name",
    "__cloud_region__": "region-id",
    "__cloud_zone__": "zone-id",
    "__cloud_vpc_id__": "vpc-id",
    "__cloud_vswitch_id__": "vswitch-id",
    "__cloud_image_id__": "image-id",
    "__cloud_instance_type__": "instance/instance-type",
    "__cloud_max_ingress__": "instance/max-netbw-ingress",
    "__cloud_max_egress__": "instance/max-netbw-egress",
}
"""Public name of a fact → where the service has it, below `/latest/meta-data/`."""

Facts = Mapping[str, str]
"""Public name → value; of a tag, `__cloud_instance_tags__` and `_` and its key."""
MADE_UP: Final[Facts] = {
    **{name: f"{name.removeprefix('__cloud_').removeprefix('instance_').removesuffix('_id__').removesuffix('__')}_xxx" for name in PATHS},
    "__cloud_instance_id__": "id_xxx",
    "__cloud_max_ingress__": "100",
    "__cloud_max_egress__": "1000",
    f"{TAGS}_tag_key": "tag_val",
}
"""Of the platform `mock`: for trying out a config where there is no cloud."""


class Service:
    """Asks, and remembers what was said. Any thread may ask it."""

    def __init__(self, address: str = ADDRESS, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._lock = threading.Lock()
        self._facts: Facts = {}
        self._due_at = -1.0
        self._reading: threading.Thread | None = None
        self.trouble = ""
        """Why the last reading brought nothing, or nothing."""

    def facts(self, *, fresh: bool = True) -> Facts:
        """What is known; nothing on a machine that is no ECS instance. `fresh`: see to it that it is not old, from the next call on."""
        with self._lock:
            first = self._due_at < 0
            if (fresh or first) and self._clock() >= self._due_at and self._reading is None:
                self._reading = threading.Thread(target=self._read, name="cloud metadata", daemon=True)
                self._reading.start()
            reading = self._reading
        if first and reading is not None:
            reading.join(FIRST_SECS)
        return self._facts

    def _read(self) -> None:
        again = FRESH_SECS if self._facts else ABSENT_SECS
        try:
            self._facts, self.trouble, again = _ask(self._address), "", FRESH_SECS
        except (OSError, http.client.HTTPException, ValueError) as error:  # whatever else may answer there
            self.trouble = str(error) or type(error).__name__
        finally:
            with self._lock:
                self._due_at, self._reading = self._clock() + again, None


def _ask(address: str) -> Facts:
    """All facts; those that the machine does not have are left out. OSError, HTTPException, ValueError."""
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_SECS)  # past any proxy: it is this machine's own
    with contextlib.closing(connection):
        token = _get(connection, "/latest/api/token", {TTL: str(TTL_SECS)}, method="PUT")
        if len(token) > MAX_TOKEN_CHARS or not (token.isascii() and token.isprintable()):
            raise OSError(f"this is no ECS instance: what answers at `{address}` gives no token")
        headers = {TOKEN: token} if token else {}
        facts = {name: _get(connection, f"/latest/meta-data/{path}", headers) for name, path in PATHS.items()}
        for tag in _get(connection, "/latest/meta-data/tags/instance/", headers).split("\n"):
            if tag.strip():
                facts[f"{TAGS}_{tag.strip()}"] = _get(connection, f"/latest/meta-data/tags/instance/{quote(tag.strip())}", headers)
    return {name: value for name, value in facts.items() if value}


def _get(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], *, method: str = "GET") -> str:
    """One text; empty where the machine has none. Raises OSError when the service is not what it should be."""
    connection.request(method, path, headers=dict(headers))
    answer = connection.getresponse()
    body = answer.read(MAX_BYTES)
    if answer.status in (404, 405):
        answer.read()
        return ""
    if answer.status != 200:
        raise OSError(f"the metadata service answered {answer.status} to `{path}`")
    return body.decode("utf-8", "replace").strip()

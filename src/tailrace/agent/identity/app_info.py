"""`HOME/app_info.json`: who this agent is and what runs, for people and tools that know the manual's file of that name. Nothing reads it
back."""

import contextlib
import json
import platform
import time
from pathlib import Path
from typing import Final

from tailrace import __version__
from tailrace.journal import write_private
from tailrace.pipeline.labels import Machine

NAME: Final = "app_info.json"
PRODUCT: Final = Path("/sys/class/dmi/id/product_uuid")
"""The machine's own id as its firmware has it (DMI); readable for root, and with CAP_DAC_READ_SEARCH."""


def write(home: Path, machine: Machine) -> dict[str, str]:
    """The manual's fields, which are also the answer. `instance_id` is another one after each start. A full disk is no reason to stop."""
    now = time.time()
    uuid = _product_uuid()
    document = {
        "UUID": uuid,
        "hostname": machine.host_name,
        "instance_id": f"{uuid or machine.host_id}_{machine.address}_{int(now)}",
        "ip": machine.address,
        "logtail_version": __version__,
        "os": f"{platform.system()}; {platform.release()}; {platform.version()}; {platform.machine()}",
        "update_time": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)),
    }
    with contextlib.suppress(OSError):
        write_private(home / NAME, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return document


def _product_uuid() -> str:
    try:
        return PRODUCT.read_text(encoding="ascii").strip().upper()
    except (OSError, ValueError):
        return ""

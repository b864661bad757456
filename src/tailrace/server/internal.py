"""The logstore of a project in which its agents keep what they say about themselves: made with their first write, with an index, a time to
live and a quota of its own."""

from typing import Any, Final

from tailrace.errors import ApiError
from tailrace.server.auth.principal import Principal
from tailrace.server.db.catalog import Catalog
from tailrace.server.db.records import Logstore
from tailrace.server.settings import Settings
from tailrace.wire.internal_logs import FIELDS, LOGSTORE

SHARDS: Final = 1
SEPARATORS: Final = list(", '\";=()[]{}?@&<>/:\n\t\r`")
OPTIONS: Final = {"productType": "internal"}


def is_internal(logstore: str) -> bool:
    return logstore == LOGSTORE


async def internal_logstore(catalog: Catalog, settings: Settings, principal: Principal, project: str, name: str) -> Logstore | None:
    """The logstore, made if need be; None when it is none of these, or an agent does not ask."""
    if not is_internal(name) or principal.kind != "agent":
        return None
    found = catalog.logstore(project, name)
    return found or await _made(catalog, settings, project, name)


async def _made(catalog: Catalog, settings: Settings, project: str, name: str) -> Logstore:
    try:
        days = settings.internal_log_ttl_days
        return await catalog.create_logstore(project, name, ttl=days, shard_count=SHARDS, options=OPTIONS, index=index())
    except ApiError as error:
        made = catalog.logstore(project, name)
        if error.error_code != "LogStoreAlreadyExist" or made is None:
            raise
        return made  # with another agent's first write


def index() -> dict[str, Any]:
    """All fields, and the whole text."""
    text = {"token": SEPARATORS, "caseSensitive": False, "chn": False}
    types = {field: kind for fields in FIELDS.values() for field, kind in fields.items()}
    keys = {field: {"type": kind, "doc_value": True, **(text if kind == "text" else {})} for field, kind in types.items()}
    return {"line": text, "keys": keys}

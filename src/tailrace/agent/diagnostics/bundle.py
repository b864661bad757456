"""A file with what helps to find an agent's fault from afar: its status, metrics, settings and configs, the end of its logs. No secrets are
in it: those of configs and settings are masked by their type and by their name, those in texts by what they look like."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel

from tailrace import telemetry
from tailrace.agent.settings.startup import Startup
from tailrace.agent.status.left import snapshot
from tailrace.agent.status.overview import Overview
from tailrace.errors import StateError
from tailrace.pipeline.config import Secret, public_key
from tailrace.pipeline.model import PipelineConfig
from tailrace.telemetry.redaction import MASK, redact, redact_text
from tailrace.wire.commands import MAX_RESULT_BYTES

LOG_BYTES: Final = (1_048_576, 131_072, 16_384)
"""Of the end of each log; less of them when the bundle would be too large."""
CRASHES: Final = 3
LOGS: Final = ("logs/agent.log", "logs/supervisor.log")
FACTS: Final = ("app_info.json", "run/supervisor.json")


def bundle(home: Path, overview: Overview, startup: Callable[[], Startup], pipelines: Callable[[], Sequence[PipelineConfig]]) -> bytes:
    """A ZIP file of at most MAX_RESULT_BYTES. StateError when it cannot be made so small."""
    parts: dict[str, str] = {
        "status.json": _json(redact("", snapshot(overview))),
        "settings.json": _json(redact("", list(startup().rows()))),
        "pipelines.json": _json([shown(one) for one in pipelines()]),
        "metrics.txt": telemetry.render().decode("utf-8", "replace"),
    }
    for most in LOG_BYTES:
        made = _zip({**parts, **_files(home, most)})
        if len(made) <= MAX_RESULT_BYTES:
            return made
    raise StateError(f"the bundle is larger than {MAX_RESULT_BYTES:,} bytes")


def shown(pipeline: PipelineConfig) -> dict[str, Any]:
    """A pipeline as it may be seen."""
    sections = {
        "inputs": pipeline.inputs,
        "processors": pipeline.processors,
        "aggregators": pipeline.aggregators,
        "flushers": pipeline.flushers,
    }
    plugins = {name: [{"Type": one.type, **_masked(one.config)} for one in found] for name, found in sections.items() if found}
    return redact("", {"configName": pipeline.name, "global": _masked(pipeline.global_options), **plugins})


def _masked(value: Any) -> Any:
    """What was given, without what is a secret by its type."""
    if isinstance(value, Secret):
        return MASK if value else ""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        given = [name for name in fields if name in value.model_fields_set]
        return {public_key(name, fields[name]): _masked(getattr(value, name)) for name in given}
    if isinstance(value, Mapping):
        return {str(key): _masked(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in cast("Sequence[Any]", value)]
    return value


def _files(home: Path, most: int) -> dict[str, str]:
    """Texts of the home that hold no secrets by themselves; what cannot be read is left out."""
    crashes = sorted((home / "crash").glob("*.json"))[-CRASHES:]
    found: dict[str, str] = {}
    for name in (*FACTS, *LOGS, *(f"crash/{path.name}" for path in crashes)):
        try:
            with (home / name).open("rb") as file:
                size = file.seek(0, io.SEEK_END)
                file.seek(max(0, size - most))
                text = file.read(most).decode("utf-8", "replace")
        except OSError:
            continue
        found[name] = "\n".join(redact_text(line) for line in text.split("\n"))
    return found


def _zip(parts: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text.encode("utf-8", "replace"))
    return made.getvalue()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)

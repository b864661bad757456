"""From a config as it is stored, in either form, to the pipeline that agents run. The check before saving is the same code."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from tailrace.errors import ApiError, ConfigErrors
from tailrace.pipeline.documents import MAX_DEPTH
from tailrace.pipeline.loading import from_project
from tailrace.pipeline.model import PipelineConfig

FOR_THE_RECORD: Final = ("logSample", "createTime", "lastModifyTime")
"""Keys of a stored pipeline that the SLS API has and no agent needs."""
TARGET: Final = "flusher_sls"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,126}[A-Za-z0-9]")
"""Of a config."""


def pipeline_of(
    name: str, document: Mapping[str, Any], form: Literal["classic", "pipeline"], *, endpoint: str, project: str, topic: str = ""
) -> PipelineConfig:
    """`endpoint` and `project` stand in where the document names none, `topic` is that of the machine group.

    Raises ConfigErrors, all mistakes at once.
    """
    kept = {key: value for key, value in document.items() if form == "classic" or key not in FOR_THE_RECORD}
    pipeline = from_project({**kept, "configName": name}, name, endpoint=endpoint, project=project)
    if topic and pipeline.global_options.topic_type == "machine_group_topic" and not pipeline.global_options.topic_format:
        pipeline = replace(pipeline, global_options=pipeline.global_options.model_copy(update={"topic_format": topic}))
    return pipeline


def check_config(name: str, document: Mapping[str, Any], form: Literal["classic", "pipeline"], project: str) -> None:
    """Raises ApiError 400 InvalidParameter with every mistake. What only a later release can run may be saved."""
    if _depth(document) > MAX_DEPTH:
        raise ApiError(400, "InvalidParameter", f"the config is nested deeper than {MAX_DEPTH} levels")
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ApiError(400, "InvalidParameter", "the config holds half of a surrogate pair, which is no text") from None
    if (elsewhere := _foreign_project(document, project)) is not None:
        raise ApiError(
            400, "InvalidParameter", f"a config of project `{project}` cannot send to project `{elsewhere}` without a key of its own"
        )
    try:
        pipeline_of(name, document, form, endpoint="https://127.0.0.1:9481", project=project)
    except ConfigErrors as errors:
        if not errors.only_unavailable:
            found = ((error.message.removeprefix(f"{name}:1").lstrip(" :"), error.hint) for error in errors.errors)
            message = "\n".join(f"{text} ({hint})" if hint else text for text, hint in found)
            raise ApiError(400, "InvalidParameter", message) from None


def logstores_of(document: Mapping[str, Any], project: str) -> tuple[str, ...]:
    """Logstores of `project` that a config, which was checked, writes to."""
    if "outputDetail" in document:
        output = document["outputDetail"]
        return (output["logstoreName"],) if output.get("projectName") in (None, "", project) else ()
    targets = (one for one in document.get("flushers") or () if one["Type"] == TARGET and one.get("Project") in (None, "", project))
    return tuple(one["Logstore"] for one in targets)


def _foreign_project(document: Mapping[str, Any], project: str) -> str | None:
    """One that agents would write to with their own keys, which whoever saves a config here need not be allowed to."""
    output, flushers = document.get("outputDetail"), document.get("flushers")
    targets = [one for one in flushers if isinstance(one, Mapping) and one.get("Type") == TARGET] if isinstance(flushers, list) else []
    named = [one.get("Project") for one in targets if not one.get("AccessKeyId")]
    if isinstance(output, Mapping):
        named.append(output.get("projectName"))
    return next((one for one in named if isinstance(one, str) and one not in ("", project)), None)


def _depth(value: object) -> int:
    """Of maps and lists. The body's bound keeps it below what Python's own stack takes."""
    deepest, open_values = 0, [(value, 1)]
    while open_values:
        one, depth = open_values.pop()
        inner = one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
        deepest = max(deepest, depth)
        open_values += [(each, depth + 1) for each in inner]
    return deepest

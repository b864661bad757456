"""How old an event may be: what is too old is discarded, counted and alarmed, and the words for it (DESIGN §4.4).

An event's age is counted from the moment when its bytes could first be read, not from when we came to read them: a backlog of ours is
never too old.
"""

from dataclasses import replace
from typing import Final

from tailrace.pipeline.model import GlobalConfig, PipelineConfig

KEY: Final = "MaxLogAgeSecs"
SECOND: Final = 1_000_000_000
ZONE_STEP_SECS: Final = 1800
"""Zones differ by multiples of half an hour, but for two of a quarter."""
ZONE_MOST_SECS: Final = 14 * 3600
ZONE_SLACK_SECS: Final = 240
UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def oldest_kept_ns(readable_at: int, max_age_secs: int) -> int | None:
    """The earliest time that an event may have; None when none is too old (history on purpose, or the rule is off)."""
    return readable_at - max_age_secs * SECOND if readable_at and max_age_secs else None


def in_words(age_secs: float) -> str:
    """`8 h old, wrong time zone?`: the guess stands there when the age is what a wrong zone makes of a fresh event."""
    unit, size = next((one for one in UNITS if age_secs >= 2 * one[1]), UNITS[-1])
    return f"{age_secs / size:.0f} {unit} old{', wrong time zone?' if looks_like_a_zone(age_secs) else ''}"


def looks_like_a_zone(age_secs: float) -> bool:
    steps = round(age_secs / ZONE_STEP_SECS)
    return 0 < steps * ZONE_STEP_SECS <= ZONE_MOST_SECS and abs(age_secs - steps * ZONE_STEP_SECS) <= ZONE_SLACK_SECS


def with_default(pipeline: PipelineConfig, max_age_secs: int | None) -> PipelineConfig:
    """The pipeline with the home's limit, where it gives none itself. The limit becomes a part of the config and so of its version: a
    replay discards by the limit of its first pass."""
    options = pipeline.global_options
    if max_age_secs is None or "max_log_age_secs" in options.model_fields_set:
        return pipeline
    given = options.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return replace(pipeline, global_options=GlobalConfig.model_validate({**given, KEY: max_age_secs}))

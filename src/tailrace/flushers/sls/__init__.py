"""The plugin `flusher_sls`: `plugin` is its face, `request` builds and signs, `answer` judges what came back."""

from tailrace.flushers.sls.plugin import FlusherSls, SlsConfig

__all__ = ["FlusherSls", "SlsConfig"]

"""The plugin `processor_grok`: `plugin` is its face, `expression` makes patterns of expressions, `definitions` are the names they know,
of `programs` and `devices` among them."""

from tailrace.processors.grok.plugin import Grok, GrokConfig

__all__ = ["Grok", "GrokConfig"]

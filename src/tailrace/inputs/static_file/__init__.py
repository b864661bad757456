"""The plugin `input_static_file_onetime`: `plugin` is its face, `listing` finds files, `source` unpacks them, `reading` makes ranges."""

from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.plugin import InputStaticFileOnetime, split

__all__ = ["InputStaticFileOnetime", "StaticFileConfig", "split"]

"""The plugin `input_file`: `plugin` is its face, `follow` its thread, `files` knows the generations, `reader` reads them."""

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.plugin import InputFile, split

__all__ = ["FileConfig", "InputFile", "split"]

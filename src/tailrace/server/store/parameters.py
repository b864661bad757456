"""Values of bound parameters (`{name:Type}`) in the text form that the engine parses them from."""

from collections.abc import Mapping

from tailrace.errors import EngineError


def encode(parameters: Mapping[str, object]) -> dict[str, str]:
    """Raises EngineError for a value that has no form (None, float NaN in an array, objects)."""
    return {name: _outer(name, value) for name, value in parameters.items()}


def _outer(name: str, value: object) -> str:
    if isinstance(value, (str, bytes)):
        return _escaped(value)
    return _inner(name, value)


def _inner(name: str, value: object) -> str:
    match value:
        case bool():
            return "1" if value else "0"
        case int() | float():
            return repr(value)
        case str() | bytes():
            return "'" + _escaped(value).replace("'", "\\'") + "'"
        case list() | tuple():
            return "[" + ",".join(_inner(name, item) for item in value) + "]"
        case _:
            raise EngineError(f"parameter `{name}` cannot be bound: values of type `{type(value).__name__}` have no form")


def _escaped(value: str | bytes) -> str:
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 0x5C else f"\\x{byte:02x}" for byte in data)

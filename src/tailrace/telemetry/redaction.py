"""Secrets never reach a log line, an alarm or a diagnostic: the one place that takes them out.

A value is hidden when its key says what it is (`password`, `access_key_secret`, `Authorization`, …) or when it is a secret type (anything
that has to be asked for its text: `reveal`, or pydantic's `get_secret_value`). Inside texts, the password of a URL, `key=value` pairs with
such a key, the signature of an `Authorization` value, join tokens and private keys are hidden too.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

MASK = "***"

_SECRET_KEY = re.compile(r"pass(word|wd|phrase)?$|secret$|token$|authorization$|credential|private_?key$|signature$|cookie$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_PROSE = r"(?:cannot|could|does|expected|has|is|it|must|needs|no|not|the|there|unknown|without)\s"
"""A message about an option begins with one of these words, and no secret with one and a space."""
_PAIR = re.compile(rf"(?i)\b([\w-]*(?:password|passwd|secret|token))(\s*[=:]\s*)(?!\*\*\*|(?<=:\s){_PROSE})[^\s,;&\"'`]+")
_AUTHORIZATION = re.compile(r"\b(LOG [\w-]+:|Bearer |Basic |Signature=)[\w+/=.~-]+")


_JOIN_TOKEN = re.compile(r"\b(tr1\.[0-9a-z]{8,32}\.)[0-9A-Za-z]{32,64}")
"""Of `wire.join_token`: the id may be seen, the secret not."""
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|$)", re.DOTALL)


def redact(key: str, value: Any) -> Any:
    """`value` as it may be shown under `key`; containers are walked, other objects than texts are left alone."""
    if value is not None and (_SECRET_KEY.search(key) or hasattr(value, "reveal") or hasattr(value, "get_secret_value")):
        return MASK
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {name: redact(str(name), inner) for name, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(key, inner) for inner in cast("list[Any]", value)]
    return value


def redact_text(text: str) -> str:
    """`text` without the secrets that can be told by their surroundings."""
    text = _URL_PASSWORD.sub(rf"\1{MASK}@", text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    text = _JOIN_TOKEN.sub(rf"\1{MASK}", text)
    text = _PRIVATE_KEY.sub(rf"\1{MASK}", text)
    return _PAIR.sub(rf"\1\2{MASK}", text)

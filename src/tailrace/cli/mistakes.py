"""What is wrong with a command line, in our words: the parser knows what it is, this module says it, with the next step as a hint."""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, get_args

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, RepeatArgumentError, UnknownOptionError, UnusedCliTokensError
from cyclopts.exceptions import ConsumeMultipleError, UnknownCommandError
from cyclopts.token import Token

from tailrace.errors import UsageError

_KINDS: Final[dict[object, str]] = {int: "a whole number", float: "a number", Path: "a path"}
_WITHOUT_VERBS: Final = ("query", "tail", "parse", "up")


def mistake(error: CycloptsError, words: Sequence[str]) -> UsageError:
    """The error to show for the command line `words`."""
    match error:
        case UnknownCommandError():
            return _unknown_word(error)
        case UnknownOptionError():
            option = (error.token.keyword or error.token.value).partition("=")[0]
            names = [name for argument in error.argument_collection if argument.parse for name in argument.names]
            message, hint = f"unknown option `{option}`", _nearest(option, names)
        case UnusedCliTokensError():
            message, hint = f"too many words: `{' '.join(error.unused_tokens or [])}`", "quote what has spaces in it"
        case CoercionError() if error.token is not None:
            message, hint = _wrong_value(error, error.token)
        case MissingArgumentError() if not isinstance(error, ConsumeMultipleError):
            message, hint = _missing(error), ""
        case RepeatArgumentError():
            message, hint = f"`{error.token.keyword}` stands twice", ""
        case _:
            message, hint = _in_backticks(str(error)), ""
    return UsageError(message, hint=hint or f"`{_help_for(words)}` shows how to call it")


def unknown_command(word: str, known: Iterable[str]) -> UsageError:
    """`known` are the commands that there are."""
    return UsageError(f"unknown command `{word}`", hint=_nearest(word, list(known)) or f"the commands are {listed(known)}")


def _unknown_word(error: UnknownCommandError) -> UsageError:
    word = (error.unused_tokens or [""])[0]
    known = list(error.app or ())
    if word.startswith("-"):
        options = [name for name in known if name.startswith("-")]
        return UsageError(f"unknown option `{word}`", hint=_nearest(word, options) or f"the options are {listed(options)}")
    return unknown_command(word, [name for name in known if not name.startswith("-")])


def _wrong_value(error: CoercionError, token: Token) -> tuple[str, str]:
    """What to say of a value that an option or a word cannot have, and which it can."""
    name = token.keyword or (error.argument.name if error.argument is not None else "the value")
    message = f"`{name}` cannot be `{token.value}`"
    choices = [str(choice) for choice in get_args(error.target_type)]
    if choices:
        return message, _nearest(token.value, choices) or f"it is one of {listed(choices)}"
    return f"{message}: it is {_KINDS.get(error.target_type, 'of another type')}", ""


def _missing(error: MissingArgumentError) -> str:
    """An option without its value, or a word or option that has to be there."""
    if error.keyword is not None:
        return f"`{error.keyword}` needs a value"
    return f"`{error.argument.name if error.argument is not None else 'a word'}` is missing"


def listed(words: Iterable[str]) -> str:
    """Each in backticks, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def _help_for(words: Sequence[str]) -> str:
    nouns = [word for word in words[:2] if not word.startswith("-")]
    return " ".join(["tailrace", *nouns[: 1 if words[:1] and words[0] in _WITHOUT_VERBS else 2], "--help"])


def _in_backticks(text: str) -> str:
    """The parser's own sentence in our form."""
    text = re.sub(r'"([^"\n]*)"', r"`\1`", " ".join(text.split()).removesuffix("."))
    return text[:1].lower() + text[1:]

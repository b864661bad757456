"""The text of a join token."""

import pytest

from tailrace.wire.join_token import JoinToken, parse_token

TOKEN = JoinToken("0123456789ab", "S" * 43, "f" * 64)


def test_a_token_is_read_as_it_was_written_and_never_shown():
    assert parse_token(f"  {TOKEN.text}\n") == TOKEN
    assert TOKEN.secret not in repr(TOKEN)
    assert TOKEN.secret not in TOKEN.secret_hash


@pytest.mark.parametrize(
    "text", ["", "tr1", TOKEN.text[:-1], TOKEN.text + "0", TOKEN.text.replace("tr1", "tr2"), TOKEN.text.replace(".", ":")]
)
def test_what_is_none_is_refused_without_being_shown(text: str):
    with pytest.raises(ValueError, match="has the form") as refused:
        parse_token(text)
    assert TOKEN.secret not in str(refused.value)

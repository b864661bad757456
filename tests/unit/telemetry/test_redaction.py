"""What may not be shown, by key, by type and by surroundings."""

import pytest
from pydantic import SecretStr

from tailrace.pipeline.config import Secret
from tailrace.telemetry.redaction import MASK, redact, redact_text


@pytest.mark.parametrize(
    "key", ["password", "AccessKeySecret", "access_key_secret", "security_token", "Authorization", "passwd", "private_key", "Set-Cookie"]
)
def test_a_key_that_names_a_secret_hides_its_value(key):
    assert redact(key, "value") == MASK


@pytest.mark.parametrize("key", ["key", "keys", "path", "token_count", "secrets_directory", "access_key_id"])
def test_other_keys_keep_their_value(key):
    assert redact(key, "value") == "value"


@pytest.mark.parametrize("secret", [SecretStr("x"), Secret("x")])
def test_a_secret_type_is_hidden_under_any_key(secret):
    assert redact("value", secret) == MASK


def test_containers_are_walked():
    assert redact("config", {"flushers": [{"Endpoint": "h", "AccessKeySecret": "x"}]}) == {
        "flushers": [{"Endpoint": "h", "AccessKeySecret": MASK}]
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pw@host/path", "http://user:***@host/path"),
        ("cannot log in: password=hunter2, user=a", "cannot log in: password=***, user=a"),
        ("Authorization: LOG key:c2lnbmF0dXJl", "Authorization: LOG key:***"),
        ("Bearer abc.def", "Bearer ***"),
        (f"refused tr1.0123456789ab.{'S' * 43}.{'f' * 64}", f"refused tr1.0123456789ab.***.{'f' * 64}"),
        ("flushers[0].AccessKeySecret: cannot read the file `x`", "flushers[0].AccessKeySecret: cannot read the file `x`"),
        ("AccessKeySecret: cannotread the file", "AccessKeySecret: *** the file"),
        ("password: hunter2 is wrong", "password: *** is wrong"),
        ("password=the key", "password=*** key"),
        ("read at 12:30 by a@b.c", "read at 12:30 by a@b.c"),
    ],
)
def test_texts_lose_what_their_surroundings_give_away(text, shown):
    assert redact_text(text) == shown

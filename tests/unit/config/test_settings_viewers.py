"""What is valid alone and not beside the others."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headwater.config.settings_viewers import Jwt, Proxy, Tokens, ViewerLimits

KEY = {"id": "a", "secret": "a-secret-of-some-length"}


def test_tokens_are_off_until_there_is_a_key() -> None:
    assert not Tokens().enabled
    assert Tokens.model_validate({"keys": [KEY]}).enabled
    assert Tokens.model_validate({"key_file": "/keys"}).enabled
    assert Tokens.model_validate({"jwt": {"jwks": "https://issuer.example/jwks"}}).enabled


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (Tokens, {"keys": [KEY, KEY]}, "another key has this id"),
        (Tokens, {"keys": [{"id": "a.b", "secret": "a-secret-of-some-length"}]}, "pattern"),
        (Tokens, {"public": ["assets/"]}, "begins with a slash"),
        (Jwt, {"jwks": "ftp://issuer.example/jwks"}, "pattern"),
        (ViewerLimits, {"unlimited": ["192.0.2.0/24", "here"]}, "not a network"),
        (Proxy, {"trusted": ["192.0.2.1/24"]}, "not a network"),
        (Proxy, {"protocol": True}, "nobody would be believed"),
        (Proxy, {"forwarded": "forwarded"}, "nobody would be believed"),
        (Proxy, {"trusted": ["192.0.2.1"], "forwarded": "both"}, "forwarded"),
    ],
)
def test_what_is_wrong(model: type[Tokens | Jwt | ViewerLimits | Proxy], values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        model.model_validate(values)

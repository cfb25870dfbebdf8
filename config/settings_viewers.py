"""[edge.tokens]: who may watch. Sans-IO."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from .section import Section, wrong
from .units import Seconds


class TokenKey(Section):
    """[[edge.tokens.keys]]: a secret that signs playback tokens."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Name of the key; it stands in every token that it signs."
    )
    secret: SecretStr = Field(
        min_length=16,
        max_length=256,
        description="Shared with whoever mints tokens: `openssl rand -hex 32` makes a good one.",
    )


class Jwt(Section):
    """[edge.tokens.jwt]: tokens of another issuer."""

    jwks: str | None = Field(
        None,
        pattern=r"^(https?://[^\s#]+|[^\s:]+)$",
        description="JSON Web Key Set (RFC 7517) with the issuer's keys: a file, which is read again when it changes, "
        "or an http(s) URL. Algorithms: RS256, ES256, HS256. Unset: no JWT is taken.",
    )
    issuer: str | None = Field(None, min_length=1, description="What `iss` has to be; unset: anything.")
    audience: str | None = Field(None, min_length=1, description="What has to be in `aud`; unset: anything.")
    refresh_s: Seconds = Field(
        300, description="Between fetches of a key set by URL. Why: a key that is withdrawn ends within this time."
    )


class Tokens(Section):
    """[edge.tokens]: playback tokens; with any key configured nothing is served without one."""

    keys: tuple[TokenKey, ...] = Field(
        (),
        max_length=16,
        description="Keys that tokens may be signed with; several at once for rotation, the first signs what "
        "`headwater token` mints.",
    )
    key_file: Path | None = Field(
        None,
        description="File with more keys, one `ID SECRET` per line; read again when it changes. Why: keys rotate "
        "without a restart and stay out of the settings file.",
    )
    public: tuple[str, ...] = Field(
        ("/assets/",),
        max_length=32,
        description="Paths that need no token; a path that ends in a slash opens all below it. Why: the player "
        "page's scripts and styles are no secret and are the same for every stream.",
    )
    jwt: Jwt = Jwt()

    @property
    def enabled(self) -> bool:
        """Whether requests need a token."""
        return bool(self.keys) or self.key_file is not None or self.jwt.jwks is not None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [key.id for key in self.keys]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                raise wrong(f"keys.{index}.id", "another key has this id")
        for index, path in enumerate(self.public):
            if not path.startswith("/"):
                raise wrong(f"public.{index}", "not a path: it begins with a slash")
        return self

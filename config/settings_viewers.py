"""[edge.tokens], [edge.limits], [edge.proxy]: who may watch, what an address may cost, who tells it. Sans-IO."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from .section import Section, wrong
from .units import Count, Milliseconds, Seconds


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


class ViewerLimits(Section):
    """[edge.limits]: what one address may cost, and what is given up first when there is too much of all."""

    connections_per_address: Count = Field(
        5_000,
        description="Open connections of one address (IPv6: of one /64); above it 503 and close. Why: a tenth of all; "
        "a mobile network puts thousands of viewers behind one address.",
    )
    requests_per_s_per_address: Count = Field(
        10_000,
        description="Requests and new connections of one address, in bursts of two seconds' worth; above it 429. "
        "Why: a viewer has about six a second, a core answers some 60,000.",
    )
    requests_per_s: Count | None = Field(
        None,
        description="Requests of all; above it newcomers get 503, above twice as many everybody. Unset: no such "
        "limit, the event loop's lag tells when there is too much.",
    )
    unlimited: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        max_length=64,
        description="Networks whose addresses have no limits of their own. Why: what comes from a private network is "
        "a proxy with many viewers behind it, or a test.",
    )
    shed_lag_ms: Milliseconds = Field(
        250,
        description="Lag of the event loop above which newcomers get 503 with Retry-After, while whoever watched in "
        "the last 30 s is served. Why: waking 10,000 viewers takes 100 ms, so this is no peak any more.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_networks("unlimited", self.unlimited)
        return self


class Proxy(Section):
    """[edge.proxy]: load balancers before the edge, which tell whom they speak for."""

    trusted: tuple[str, ...] = Field(
        (), max_length=64, description="Networks of the load balancers (CIDR); what anybody else tells is not believed."
    )
    protocol: bool = Field(
        False,
        description="Connections of trusted peers begin with a PROXY protocol header, version 1 or 2; one without is "
        "refused.",
    )
    forwarded: Literal["none", "x-forwarded-for", "forwarded"] = Field(
        "none",
        description="Field in which trusted peers tell the viewer's address: the last one in it that is not trusted. "
        "Why: one and not both, since a viewer can send the other one through a proxy that does not know it.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_networks("trusted", self.trusted)
        if not self.trusted and (self.protocol or self.forwarded != "none"):
            raise wrong("trusted", "empty: nobody would be believed")
        return self


def _check_networks(key: str, texts: tuple[str, ...]) -> None:
    for index, text in enumerate(texts):
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise wrong(f"{key}.{index}", "not a network such as 192.0.2.0/24 or 2001:db8::/32") from None

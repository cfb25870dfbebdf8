"""JSON Web Tokens as playback tokens: key sets (RFC 7517) and verification (RFC 7515, 7519, 8725). Sans-IO.

PyJWT checks signatures. What a key may be used for is a property of the key, never of the token (RFC 8725, 3.1).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

from .tokens import Grant, Verdict, read_claims

MAX_DOCUMENT_BYTES = 256 << 10
"""Of a key set. Why: a key has about 400; the largest issuers publish a dozen."""
MAX_KEYS = 64
MIN_RSA_BITS = 2_048
"""RFC 7518 section 3.3."""
MIN_OCT_BYTES = 32
"""RFC 7518 section 3.2."""

_MEMBERS = {"RSA": ("RS256", ("n", "e")), "EC": ("ES256", ("crv", "x", "y")), "oct": ("HS256", ("k",))}
"""By key type: the one algorithm that it is taken for, and what is read of it (never its private part)."""

_OPTIONS: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""Only the signature: what of these claims counts is judged here, by the clock that is handed in."""
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class KeySetError(ValueError):
    """The document is no usable key set; the message says why."""


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str | None
    algorithm: str
    key: Any
    """As PyJWT takes it."""


class KeySet:
    """The keys of one issuer."""

    def __init__(self, keys: list[_Key], issuer: str | None, audience: str | None) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    @classmethod
    def parse(cls, document: bytes, issuer: str | None = None, audience: str | None = None) -> KeySet:
        """Raises KeySetError. Keys of other kinds are left out (RFC 7517 section 5)."""
        if len(document) > MAX_DOCUMENT_BYTES:
            raise KeySetError(f"larger than {MAX_DOCUMENT_BYTES} bytes")
        try:
            listed = json.loads(document)["keys"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise KeySetError("not a JSON Web Key Set") from None
        if not isinstance(listed, list) or len(listed) > MAX_KEYS:
            raise KeySetError(f"not a list of at most {MAX_KEYS} keys")
        keys = [key for entry in listed if (key := _read(entry)) is not None]
        if not keys:
            raise KeySetError("no key for RS256 (2048 bits), ES256 or HS256 (32 bytes) in it")
        return cls(keys, issuer, audience)

    def __len__(self) -> int:
        return len(self._keys)

    def verify(self, token: str) -> Grant | Verdict:
        """What a JWT opens."""
        try:
            header = jwt.get_unverified_header(token)
        except _BROKEN:
            return Verdict.MALFORMED
        if "crit" in header:  # RFC 7515 section 4.1.11: not understood, so not valid
            return Verdict.MALFORMED
        kid = header.get("kid")
        fitting = [key for key in self._keys if key.algorithm == header.get("alg") and kid in (None, key.kid)]
        if not fitting:
            return Verdict.UNKNOWN_KEY
        for key in fitting:
            claims = _claims(token, key)
            if claims is not None:
                return self._judge(claims)
        return Verdict.SIGNATURE

    def _judge(self, claims: dict[str, Any]) -> Grant | Verdict:
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        if self._audience is not None and self._audience not in listed:
            return Verdict.CLAIMS
        if self._issuer is not None and claims.get("iss") != self._issuer:
            return Verdict.CLAIMS
        return read_claims(claims) or Verdict.CLAIMS


def _claims(token: str, key: _Key) -> dict[str, Any] | None:
    try:
        return jwt.decode(token, key.key, algorithms=[key.algorithm], options=_OPTIONS)
    except _BROKEN:
        return None


def _read(entry: object) -> _Key | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    algorithm, members = _MEMBERS.get(str(entry.get("kty")), ("", ()))
    if entry.get("alg", algorithm) != algorithm:
        return None
    kid = entry.get("kid")
    try:
        parsed = jwt.PyJWK({"kty": entry["kty"], **{name: entry[name] for name in members}}, algorithm)
    except _BROKEN:
        return None
    key: Any = parsed.key
    strong = (
        (isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS)
        or (isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1")
        or (isinstance(key, bytes) and len(key) >= MIN_OCT_BYTES)
    )
    return _Key(kid if isinstance(kid, str) else None, algorithm, key) if strong else None

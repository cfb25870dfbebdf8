"""JWTs as playback tokens, with keys made here (RFC 7515, 7517, 8725)."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from headwater.edge.jwts import MAX_DOCUMENT_BYTES, KeySet, KeySetError
from headwater.edge.tokens import Grant, Verdict

NOW = 1_800_000_000
RSA = rsa.generate_private_key(65_537, 2_048)
WEAK = rsa.generate_private_key(65_537, 1_024)
EC = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
OCT = b"0123456789abcdef0123456789abcdef"
CLAIMS = {"exp": NOW, "path": "/live/x/", "iss": "me", "aud": ["edge", "other"]}


def jwk(kid: str | None, key: Any, **more: object) -> dict[str, Any]:
    if isinstance(key, bytes):
        entry = HMACAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, rsa.RSAPrivateKey):
        entry = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        entry = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    entry.pop("key_ops", None)
    return {**entry, **({"kid": kid} if kid else {}), **more}


def document(*entries: object) -> bytes:
    return json.dumps({"keys": entries}).encode()


KEYS = KeySet.parse(document(jwk("r", RSA), jwk("e", EC), jwk("o", OCT)))


def token(key: Any, algorithm: str, kid: str | None, claims: dict[str, Any] = CLAIMS, **header: object) -> str:
    return jwt.encode(claims, key, algorithm, headers={**({"kid": kid} if kid else {}), **header})


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "r"), (EC, "ES256", "e"), (OCT, "HS256", "o")])
def test_three_algorithms(key: Any, algorithm: str, kid: str) -> None:
    for name in (kid, None):
        grant = KEYS.verify(token(key, algorithm, name))
        assert isinstance(grant, Grant)
        assert grant.judge("/live/x/a", "", NOW - 1) is Verdict.OK
        assert grant.judge("/live/y/a", "", NOW - 1) is Verdict.PATH
        assert grant.judge("/live/x/a", "", NOW) is Verdict.EXPIRED
    assert KEYS.verify(token(key, algorithm, "elsewhere")) is Verdict.UNKNOWN_KEY


def test_a_signature_of_another_key() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    assert KEYS.verify(token(other, "ES256", "e")) is Verdict.SIGNATURE
    genuine = token(RSA, "RS256", "r").split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "path": "/"}).encode()).decode().rstrip("=")
    assert KEYS.verify(".".join((genuine[0], forged, genuine[2]))) is Verdict.SIGNATURE


def test_rfc_8725_2_1_the_token_does_not_choose_the_algorithm() -> None:
    none = jwt.encode(CLAIMS, None, "none", headers={"kid": "r"})  # type: ignore[arg-type]
    assert KEYS.verify(none) is Verdict.UNKNOWN_KEY
    # the public key, which everybody has, as the secret of an HMAC (by hand: PyJWT does not sign such)
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for kid, verdict in (("r", Verdict.UNKNOWN_KEY), ("o", Verdict.SIGNATURE)):
        front = token(OCT, "HS256", kid).rpartition(".")[0]
        mac = base64.urlsafe_b64encode(hmac.digest(public, front.encode(), "sha256")).decode().rstrip("=")
        assert KEYS.verify(f"{front}.{mac}") is verdict
    assert KEYS.verify(token(RSA, "RS512", "r")) is Verdict.UNKNOWN_KEY


def test_rfc_7515_4_1_11_critical_headers_are_not_understood() -> None:
    assert KEYS.verify(token(OCT, "HS256", "o", crit=["b64"], b64=True)) is Verdict.MALFORMED


def test_issuer_and_audience_where_they_are_wanted() -> None:
    keys = KeySet.parse(document(jwk("o", OCT)), "me", "edge")
    assert isinstance(keys.verify(token(OCT, "HS256", "o")), Grant)
    assert isinstance(keys.verify(token(OCT, "HS256", "o", {**CLAIMS, "aud": "edge"})), Grant)
    for change in ({"iss": "you"}, {"aud": "third"}, {"aud": ["third"]}):
        assert keys.verify(token(OCT, "HS256", "o", {**CLAIMS, **change})) is Verdict.CLAIMS
    bare = {"exp": NOW, "path": "/"}
    assert keys.verify(token(OCT, "HS256", "o", bare)) is Verdict.CLAIMS
    assert isinstance(KEYS.verify(token(OCT, "HS256", "o", bare)), Grant)


def test_what_opens_nothing_is_no_playback_token() -> None:
    assert KEYS.verify(token(OCT, "HS256", "o", {"exp": NOW})) is Verdict.CLAIMS
    assert KEYS.verify(token(OCT, "HS256", "o", {"path": "/"})) is Verdict.CLAIMS


def test_two_keys_of_one_name_while_one_is_replaced() -> None:
    new = b"fedcba9876543210fedcba9876543210"
    keys = KeySet.parse(document(jwk("o", OCT), jwk("o", new)))
    assert isinstance(keys.verify(token(OCT, "HS256", "o")), Grant)
    assert isinstance(keys.verify(token(new, "HS256", "o")), Grant)


@pytest.mark.parametrize(
    "bad",
    [
        jwk("w", WEAK), jwk("p", P384), jwk("s", b"short"), jwk("r", RSA, use="enc"), jwk("r", RSA, alg="RS512"),
        {"kty": "OKP"}, {"kty": "RSA"}, {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": ["x"]}, {}, 7, None,
    ],
)  # fmt: skip
def test_keys_that_are_not_taken(bad: object) -> None:
    with pytest.raises(KeySetError):
        KeySet.parse(document(bad))
    assert len(KeySet.parse(document(bad, jwk("o", OCT)))) == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"keys": 5}', b"\xff", b"[" * 5_000, document(*[{}] * 65), b" " * (MAX_DOCUMENT_BYTES + 1)],
)
def test_documents_that_are_no_key_set(raw: bytes) -> None:
    with pytest.raises(KeySetError):
        KeySet.parse(raw)


def test_a_private_key_in_the_set_is_only_used_to_verify() -> None:
    entry = RSAAlgorithm.to_jwk(RSA, as_dict=True)
    entry.pop("key_ops")
    assert isinstance(KeySet.parse(document(entry)).verify(token(RSA, "RS256", None)), Grant)


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_is_judged_and_never_raises(text: str) -> None:
    genuine = token(OCT, "HS256", "o")
    nested = base64.urlsafe_b64encode(b"[" * 3_000).decode()
    for each in (text, f"{text}.{text}.{text}", f"{text}{genuine}", genuine[: len(text)], f"{nested}.{text}.x"):
        assert isinstance(KEYS.verify(each), Verdict | Grant)

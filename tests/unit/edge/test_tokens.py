"""Signed playback tokens: minted, verified, judged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.edge.tokens import (
    EARLY_S,
    MAX_TOKEN_BYTES,
    ClaimError,
    Grant,
    Verdict,
    is_signed,
    mint,
    read_claims,
    scope,
    verify,
)

SECRET = b"a-secret-of-some-length"
KEYS = {"a": SECRET, "b": b"another-secret-of-length"}
NOW = 1_800_000_000.0


def signed(claims: object, kid: str = "a", secret: bytes = SECRET) -> str:
    """As any other program would mint it, by the words of the ADR."""

    def encoded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    text = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    front = f"h1.{kid}.{encoded(text)}"
    return f"{front}.{encoded(hmac.new(secret, front.encode(), hashlib.sha256).digest())}"


def grant_of(token: str) -> Grant:
    grant = verify(token, KEYS)
    assert isinstance(grant, Grant), grant
    return grant


def test_what_is_minted_is_verified() -> None:
    token = mint("a", SECRET, expires=NOW + 60, paths=["/live/x/"], not_before=NOW, networks=["192.0.2.0/24"])
    assert is_signed(token)
    grant = grant_of(token)
    assert grant.judge("/live/x/v/index.m3u8", "192.0.2.7", NOW + 1) is Verdict.OK


def test_what_others_mint_is_verified() -> None:
    assert grant_of(signed({"exp": NOW, "path": "/"})).expires == NOW
    assert grant_of(signed({"exp": 1, "path": "/"}, "b", KEYS["b"])).paths == ("/",)


def test_a_token_that_openssl_signed() -> None:
    """printf 'h1.a.%s' CLAIMS | openssl dgst -sha256 -hmac SECRET -binary | basenc --base64url"""
    token = "h1.a.eyJleHAiOjE4MDAwMDAwNjAsInBhdGgiOiIvbGl2ZS94LyJ9.XVOvaRyZVd8V3M_Zlyaq54mVsxisPkGwYHHkz9mxb4M"
    assert token == mint("a", SECRET, expires=1_800_000_060, paths=["/live/x/"])
    assert grant_of(token).expires == 1_800_000_060


@pytest.mark.parametrize(
    ("path", "unix", "address", "verdict"),
    [
        ("/live/x/index.m3u8", NOW, "192.0.2.7", Verdict.OK),
        ("/live/x", NOW, "192.0.2.7", Verdict.OK),
        ("/live/xyz", NOW, "192.0.2.7", Verdict.PATH),
        ("/live/", NOW, "192.0.2.7", Verdict.PATH),
        ("/", NOW, "192.0.2.7", Verdict.PATH),
        ("/b.m3u8", NOW, "192.0.2.7", Verdict.OK),
        ("/live/x/a", NOW + 10, "192.0.2.7", Verdict.EXPIRED),
        ("/live/x/a", NOW + 9.9, "192.0.2.7", Verdict.OK),
        ("/live/x/a", NOW - EARLY_S - 0.1, "192.0.2.7", Verdict.EARLY),
        ("/live/x/a", NOW - EARLY_S, "192.0.2.7", Verdict.OK),
        ("/live/x/a", NOW, "192.0.3.7", Verdict.ADDRESS),
        ("/live/x/a", NOW, "2001:db8::9", Verdict.OK),
        ("/live/x/a", NOW, "2001:db9::9", Verdict.ADDRESS),
        ("/live/x/a", NOW, "", Verdict.ADDRESS),
    ],
)
def test_judges(path: str, unix: float, address: str, verdict: Verdict) -> None:
    claims = {"exp": NOW + 10, "nbf": NOW, "path": ["/live/x", "/b.m3u8"], "ip": ["192.0.2.0/24", "2001:db8::/32"]}
    grant = grant_of(signed(claims))
    assert grant.judge(path, address, unix) is verdict
    assert grant.judge(path, address, unix) is verdict, "and again, with what it remembers"


def test_an_address_that_was_right_does_not_open_for_another() -> None:
    grant = grant_of(signed({"exp": NOW, "path": "/", "ip": "192.0.2.7"}))
    assert grant.judge("/", "192.0.2.7", 0) is Verdict.OK
    assert grant.judge("/", "192.0.2.8", 0) is Verdict.ADDRESS
    assert grant.judge("/", "192.0.2.7", 0) is Verdict.OK


def test_any_changed_character_is_noticed() -> None:
    token = mint("a", SECRET, expires=NOW, paths=["/live/"])
    for at, character in enumerate(token):
        other = "B" if character != "B" else "C"
        assert isinstance(verify(token[:at] + other + token[at + 1 :], KEYS), Verdict)
    assert verify(token + "A", KEYS) is Verdict.SIGNATURE
    assert verify(token[:-1], KEYS) is Verdict.SIGNATURE


def test_keys_of_another_name_and_of_none() -> None:
    token = mint("a", SECRET, expires=NOW, paths=["/"])
    assert verify(token, {"b": SECRET}) is Verdict.UNKNOWN_KEY
    assert verify(token, {"a": b"another-secret-of-length"}) is Verdict.SIGNATURE
    assert verify(token.replace("h1.a.", "h1.b."), KEYS) is Verdict.SIGNATURE


@pytest.mark.parametrize(
    "token", ["", "h1", "h1.a", "h1.a.b", "h1...", "h2.a.e30.x", "....", "h1.a.e30.x.y", "h1.a.é.x"]
)
def test_no_token_at_all(token: str) -> None:
    assert verify(token, KEYS) in (Verdict.MALFORMED, Verdict.UNKNOWN_KEY)


@pytest.mark.parametrize(
    "claims",
    [
        {}, [], None, 5, b"nonsense", b"\xff", b"[" * 1_400,
        {"exp": NOW}, {"path": "/"}, {"exp": "1", "path": "/"}, {"exp": True, "path": "/"}, {"exp": NOW, "path": []},
        {"exp": NOW, "path": "live"}, {"exp": NOW, "path": "/a/../b"}, {"exp": NOW, "path": "/a%2Fb"},
        {"exp": NOW, "path": ["/"] * 17}, {"exp": NOW, "path": [1]}, {"exp": NOW, "path": "/a?b"},
        {"exp": NOW, "path": "/", "ip": "nowhere"}, {"exp": NOW, "path": "/", "ip": 7},
        {"exp": NOW, "path": "/", "nbf": "x"},
        b'{"exp": Infinity, "path": "/"}', b'{"exp": NaN, "path": "/"}', b'{"exp": 1e999, "path": "/"}',
        b'{"exp": 1' + b"0" * 400 + b', "path": "/"}',
    ],
)  # fmt: skip
def test_genuine_nonsense_opens_nothing(claims: object) -> None:
    assert verify(signed(claims), KEYS) is Verdict.CLAIMS


def test_an_empty_list_of_addresses_is_no_limit_and_paths_are_canonical() -> None:
    grant = read_claims({"exp": NOW, "path": "/%6Cive/ä", "ip": []})
    assert grant is not None
    assert grant.judge("/live/%C3%A4/x", "", 0) is Verdict.OK
    assert scope("/a/%2e%2e/b") is None


@pytest.mark.parametrize(("paths", "networks"), [(["live"], []), ([], []), (["/"], ["here"]), (["/x" * 900] * 2, [])])
def test_what_no_edge_would_take_is_not_minted(paths: list[str], networks: list[str]) -> None:
    with pytest.raises(ClaimError):
        mint("a", SECRET, expires=NOW, paths=paths, networks=networks)


def test_minted_tokens_need_no_escape_in_a_url() -> None:
    token = mint("a-_9", SECRET, expires=NOW, paths=["/live/x~/"], networks=["::1"])
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    assert len(token) < MAX_TOKEN_BYTES


@given(st.text(max_size=80))
def test_any_text_is_judged_and_never_raises(text: str) -> None:
    assert isinstance(verify(text, KEYS), Verdict)
    assert isinstance(verify(f"h1.a.{text}", KEYS), Verdict)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["exp", "nbf", "path", "ip"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_any_genuine_claims_are_read_or_refused(claims: object) -> None:
    assert isinstance(verify(signed(claims), KEYS), Verdict | Grant)

"""How the keys of a connection change."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.errors import WrongSecret
from headwater.ingest.srt.keyring import BAD_SECRET, NO_SECRET, Keyring, Refresh
from headwater.ingest.srt.keys import EVEN, ODD, KeyAnswer, PacketCipher, build_key_material, parse_key_material

SALT, KEK = bytes(16), bytes(range(16))
FIRST, SECOND, THIRD = (bytes([number]) * 16 for number in (1, 2, 3))


def ring() -> Keyring:
    keyring = Keyring()
    keyring.install(parse_key_material(build_key_material(EVEN, SALT, KEK, FIRST)), KEK)
    return keyring


def sealed(key: bytes, salt: bytes = SALT) -> bytes:
    return PacketCipher(key, salt).apply(9, b"hello")


def test_plain() -> None:
    keyring = Keyring()
    assert not keyring.secured
    assert keyring.open(0, 9, b"hello") == b"hello"
    assert keyring.open(EVEN, 9, b"hello") is None
    assert keyring.request(b"anything", may_ask=True) == (Refresh.REFUSED, NO_SECRET)


def test_each_key_opens_its_own() -> None:
    keyring = ring()
    assert keyring.open(EVEN, 9, sealed(FIRST)) == b"hello"
    assert keyring.open(ODD, 9, sealed(SECOND)) is None
    assert keyring.open(3, 9, b"hello") is None
    assert keyring.open(0, 9, b"hello") is None
    raw = build_key_material(ODD, SALT, KEK, SECOND)
    assert keyring.request(raw, may_ask=True) == (Refresh.DONE, raw)
    assert keyring.request(raw, may_ask=True) == (Refresh.DONE, raw)
    assert keyring.open(ODD, 9, sealed(SECOND)) == b"hello"
    assert keyring.open(EVEN, 9, sealed(FIRST)) == b"hello"
    both = build_key_material(EVEN | ODD, SALT, KEK, THIRD, SECOND)
    assert keyring.request(both, may_ask=True) == (Refresh.DONE, both)
    assert keyring.open(EVEN, 9, sealed(THIRD)) == b"hello"
    assert keyring.open(ODD, 9, sealed(SECOND)) == b"hello"


def test_a_wrong_key_leaves_what_is_there() -> None:
    keyring = ring()
    raw = build_key_material(EVEN, SALT, bytes(16), SECOND)
    assert keyring.request(raw, may_ask=True) == (Refresh.REFUSED, BAD_SECRET)
    assert keyring.open(EVEN, 9, sealed(FIRST)) == b"hello"
    with pytest.raises(WrongSecret):
        ring().install(parse_key_material(raw), KEK)
    assert ring().request(b"broken", may_ask=True) == (Refresh.MALFORMED, b"")


def test_another_salt_is_asked_for() -> None:
    keyring, salt, kek = ring(), bytes(range(16)), bytes(range(1, 17))
    raw = build_key_material(ODD, salt, kek, SECOND)
    assert keyring.request(raw, may_ask=False) == (Refresh.WAITING, b"")
    assert keyring.request(raw, may_ask=True) == (Refresh.ASK, b"")
    assert (keyring.question.salt, keyring.question.length) == (salt, 16)
    assert keyring.request(raw, may_ask=True) == (Refresh.WAITING, b"")
    assert keyring.answer(KeyAnswer(kek)) == (Refresh.DONE, raw)
    assert keyring.open(ODD, 9, sealed(SECOND, salt)) == b"hello"
    assert keyring.answer(KeyAnswer(kek)) == (Refresh.REFUSED, b"")
    assert keyring.request(build_key_material(ODD, SALT, kek, SECOND), may_ask=True) == (Refresh.ASK, b"")
    assert keyring.answer(None) == (Refresh.REFUSED, NO_SECRET)


def test_what_is_remembered_is_bounded() -> None:
    keyring = ring()
    for number in range(10):
        keyring.request(build_key_material(ODD, SALT, KEK, bytes([number]) * 16), may_ask=True)
    assert len(keyring._confirmed) == 2


def test_a_callers_own_key() -> None:
    keyring = Keyring()
    keyring.adopt(SALT, KEK, FIRST, b"sent")
    assert keyring.open(EVEN, 9, sealed(FIRST)) == b"hello"
    raw = build_key_material(ODD, SALT, KEK, SECOND)
    assert keyring.request(raw, may_ask=True) == (Refresh.DONE, raw)

"""Key material and AES-CTR."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from headwater.ingest.srt.errors import KeyMaterialError, WrongSecret
from headwater.ingest.srt.keys import (
    EVEN,
    ODD,
    PacketCipher,
    build_key_material,
    derive_kek,
    is_gcm,
    parse_key_material,
    unwrap,
)

SALT = bytes(range(16))


@pytest.mark.parametrize("length", [16, 24, 32])
@pytest.mark.parametrize("which", [EVEN, ODD, EVEN | ODD])
def test_there_and_back(length: int, which: int) -> None:
    kek = derive_kek("correct horse", SALT, length)
    keys = [bytes([number]) * length for number in range(2 if which == 3 else 1)]
    raw = build_key_material(which, SALT, kek, *keys)
    material = parse_key_material(raw)
    assert (material.which, material.salt, material.length, material.raw) == (which, SALT, length, raw)
    assert list(unwrap(material, kek).values()) == keys
    assert set(unwrap(material, kek)) == {EVEN, ODD} if which == 3 else {which}


def test_the_bytes_of_a_message() -> None:
    raw = build_key_material(EVEN, SALT, bytes(16), bytes(16))
    assert raw[:16].hex(" ", 4) == "12202901 00000000 02000200 00000404"
    assert raw[16:32] == SALT
    assert len(raw) == 16 + 16 + 16 + 8


def test_another_passphrase() -> None:
    material = parse_key_material(build_key_material(EVEN, SALT, derive_kek("one passphrase", SALT, 16), bytes(16)))
    with pytest.raises(WrongSecret):
        unwrap(material, derive_kek("another passphrase", SALT, 16))
    with pytest.raises(WrongSecret):
        unwrap(material, derive_kek("one passphrase", SALT, 32))


def test_only_the_end_of_the_salt_counts_for_the_key() -> None:
    assert derive_kek("x" * 10, bytes(8) + SALT[8:], 16) == derive_kek("x" * 10, SALT, 16)
    # From `openssl kdf PBKDF2` with SHA1, 2048 rounds and salt 08090a0b0c0d0e0f.
    assert derive_kek("password12", SALT, 24).hex() == "320446db5312f30d5795475f79149c8d80133211000f0e06"


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 0x92 & 0x7F ^ 0x40), (1, 0x21), (3, 0), (8, 0), (8, 3), (9, 1), (14, 3), (14, 0), (15, 5), (15, 0), (15, 6)],
)
def test_broken_messages(at: int, value: int) -> None:
    raw = bytearray(build_key_material(EVEN, SALT, bytes(16), bytes(16)))
    raw[at] = value
    with pytest.raises(KeyMaterialError):
        parse_key_material(bytes(raw))


def test_messages_of_any_other_length_are_broken() -> None:
    raw = build_key_material(EVEN, SALT, bytes(16), bytes(16))
    for size in (*range(len(raw)), len(raw) + 1, len(raw) + 4):
        with pytest.raises(KeyMaterialError):
            parse_key_material(raw[:size].ljust(size, b"\0"))


def test_gcm_is_recognised() -> None:
    raw = bytearray(build_key_material(EVEN, SALT, bytes(16), bytes(16)))
    assert not is_gcm(bytes(raw))
    raw[8] = 4
    assert is_gcm(bytes(raw))
    assert not is_gcm(b"")


@pytest.mark.parametrize("sequence", [0, 1, 77, (1 << 31) - 1])
def test_the_counter(sequence: int) -> None:
    """Draft section 6.1.2, spelled out."""
    key = bytes(range(32))
    counter = bytearray(16)
    counter[10:14] = sequence.to_bytes(4)
    start = bytes(a ^ b for a, b in zip(counter[:14], SALT[:14], strict=True)) + bytes(2)
    payload = bytes(1316)
    expected = Cipher(AES(key), CTR(start)).encryptor().update(payload)
    cipher = PacketCipher(key, SALT)
    assert cipher.apply(sequence, payload) == expected
    assert cipher.apply(sequence ^ 1, payload) != expected
    assert cipher.apply(sequence, expected) == payload
    assert cipher.apply(sequence, b"") == b""


def test_secrets_are_not_shown() -> None:
    raw = build_key_material(EVEN, SALT, bytes(16), b"\x77" * 16)
    assert "wrapped" not in repr(parse_key_material(raw))

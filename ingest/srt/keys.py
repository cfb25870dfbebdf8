"""Encryption: key material messages, key wrap, and AES-CTR of packets (draft sections 3.2.2 and 6). Sans-IO.

    SEK     the key that encrypts packets; the sender makes it, and a new one after 2^25 packets
    KEK     the key that wraps it, derived from the passphrase and the salt
    KM      the message that carries salt and wrapped SEK: in the handshake, and again before each change

`derive_kek` takes milliseconds; nothing here calls it. The shell does, in a thread.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from .errors import KeyMaterialError, WrongSecret

ITERATIONS = 2_048
"""Rounds of PBKDF2 (draft section 6.1.4)."""
SALT_BYTES = 16
KEY_LENGTHS = (16, 24, 32)
"""Bytes of AES-128, -192 and -256."""
PASSPHRASE_BYTES = (10, 79)
"""Shortest and longest passphrase that libsrt takes."""

EVEN, ODD = 1, 2
"""Values of KK; 3 in a KM message is both (draft section 3.2.2)."""
FIXED = struct.Struct(">BHBIBBBBHBB")
"""S V PT, Sign, KK, KEKI, Cipher, Auth, SE, Resv2, Resv3, SLen/4, KLen/4."""
VERSION_AND_TYPE = 0x12
SIGNATURE = 0x2029
CIPHER_CTR = 2
CIPHER_GCM = 4
ENCAPSULATION_SRT = 2
WRAP_OVERHEAD = 8


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """A KM message, read."""

    which: int
    """EVEN, ODD, or both."""
    salt: bytes
    length: int
    """Bytes of one key."""
    wrapped: bytes = field(repr=False)
    raw: bytes = field(repr=False)
    """The message as it came, to be sent back as the answer."""


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What the shell needs to derive the key that opens a KM message: `derive_kek(passphrase, salt, length)`."""

    salt: bytes
    length: int


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """The derived key, 16, 24 or 32 bytes."""

    kek: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyOffer:
    """For a caller: the shell draws `salt` (16 random bytes) and derives `kek` from it."""

    salt: bytes
    kek: bytes = field(repr=False)


def derive_kek(passphrase: str, salt: bytes, length: int) -> bytes:
    """The KEK of `length` bytes; takes about 2 ms (draft section 6.1.4). For the shell, in a thread."""
    # Only the last 8 bytes of the salt count.
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), salt[-8:], ITERATIONS, length)


def parse_key_material(body: bytes) -> KeyMaterial:
    """Read a KM message (draft section 3.2.2).

    Raises:
        KeyMaterialError: it breaks its own lengths, or asks for another cipher than AES-CTR.
    """
    if len(body) < FIXED.size + SALT_BYTES:
        raise KeyMaterialError("key material is too short")
    kind, sign, which, _keki, cipher, auth, _se, _, _, salt_words, key_words = FIXED.unpack_from(body)
    if kind & 0x7F != VERSION_AND_TYPE or sign != SIGNATURE:
        raise KeyMaterialError("no key material message")
    which &= 3
    if which == 0:
        raise KeyMaterialError("key material without a key")
    if cipher != CIPHER_CTR or auth != 0:
        raise KeyMaterialError("another cipher than AES-CTR")
    length = key_words * 4
    if length not in KEY_LENGTHS or salt_words * 4 != SALT_BYTES:
        raise KeyMaterialError("a key or salt of an unknown length")
    keys = 2 if which == EVEN | ODD else 1
    end = FIXED.size + SALT_BYTES + keys * length + WRAP_OVERHEAD
    if len(body) != end:
        raise KeyMaterialError("key material of the wrong length")
    return KeyMaterial(which, body[16:32], length, body[32:end], body)


def is_gcm(body: bytes) -> bool:
    """A KM message that asks for AES-GCM, which SRT 1.6 adds."""
    return len(body) > 8 and body[8] == CIPHER_GCM


def build_key_material(which: int, salt: bytes, kek: bytes, *keys: bytes) -> bytes:
    """A KM message with `keys` wrapped by `kek`; for both, the even key first (draft section 3.2.2)."""
    fixed = FIXED.pack(
        VERSION_AND_TYPE,
        SIGNATURE,
        which,
        0,
        CIPHER_CTR,
        0,
        ENCAPSULATION_SRT,
        0,
        0,
        SALT_BYTES // 4,
        len(keys[0]) // 4,
    )
    return fixed + salt + aes_key_wrap(kek, b"".join(keys))


def unwrap(material: KeyMaterial, kek: bytes) -> dict[int, bytes]:
    """The keys of a KM message, by EVEN and ODD (draft section 6.3.1).

    Raises:
        WrongSecret: `kek` does not open it.
    """
    if len(kek) != material.length:
        raise WrongSecret("the key has another length than the key material")
    try:
        plain = aes_key_unwrap(kek, material.wrapped)
    except InvalidUnwrap:
        raise WrongSecret("the passphrase does not open the key material") from None
    if material.which == EVEN | ODD:
        return {EVEN: plain[: material.length], ODD: plain[material.length :]}
    return {material.which: plain}


class PacketCipher:
    """AES-CTR with one key (draft sections 6.1.2, 6.2.2, 6.3.2); the same operation encrypts and decrypts.

    One context is kept and only its counter is set per packet: 1.5 microseconds for 1316 bytes of AES-256, where a new
    context takes 8.
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        # Draft section 6.1.2: the upper 112 bits of the counter are those of the salt, XORed with the packet's number
        # above the 16 bits that count blocks.
        self._salt = int.from_bytes(salt[:14]) << 16
        context = Cipher(AES(key), CTR(bytes(16))).encryptor()
        self._reset = context.reset_nonce
        self._update = context.update

    def apply(self, sequence: int, payload: bytes) -> bytes:
        """`payload` of the packet with this sequence number, encrypted or decrypted."""
        self._reset((self._salt ^ (sequence << 16)).to_bytes(16))
        return self._update(payload)

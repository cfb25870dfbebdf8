"""The keys of one connection, and how they change (draft section 6.1.6). Sans-IO."""

from __future__ import annotations

import enum

from .errors import KeyMaterialError, WrongSecret
from .keys import EVEN, KeyAnswer, KeyMaterial, KeyRequest, PacketCipher, parse_key_material, unwrap

NO_SECRET = (3).to_bytes(4)
BAD_SECRET = (4).to_bytes(4)
"""States that a KMRSP of one word reports (draft section 3.2.1.2)."""


class Refresh(enum.Enum):
    """What a KM message during the connection led to."""

    DONE = enum.auto()
    """The keys are in place."""
    ASK = enum.auto()
    """Another salt: the shell has to derive the key; `Keyring.question` is what it needs."""
    WAITING = enum.auto()
    """The shell was asked already, or a moment ago."""
    REFUSED = enum.auto()
    MALFORMED = enum.auto()


class Keyring:
    """Even and odd key of a connection; none, when it is not encrypted."""

    def __init__(self) -> None:
        self.secured = False
        """The connection is encrypted: plain packets are not taken."""
        self._ciphers: list[PacketCipher | None] = [None, None, None, None]
        self._kek = b""
        self._salt = b""
        self._confirmed: dict[bytes, None] = {}
        self._pending: KeyMaterial | None = None

    @property
    def question(self) -> KeyRequest:
        """What the shell is asked. Only after Refresh.ASK."""
        assert self._pending is not None
        return KeyRequest(self._pending.salt, self._pending.length)

    def install(self, material: KeyMaterial, kek: bytes) -> None:
        """Put the keys of `material` in place; other keys stay.

        Raises:
            WrongSecret: `kek` does not open it.
        """
        keys = unwrap(material, kek)
        for which, key in keys.items():
            self._ciphers[which] = PacketCipher(key, material.salt)
        self.secured = True
        self._kek, self._salt = kek, material.salt
        self._confirmed[material.raw] = None
        if len(self._confirmed) > 2:
            del self._confirmed[next(iter(self._confirmed))]

    def adopt(self, salt: bytes, kek: bytes, key: bytes, raw: bytes) -> None:
        """A caller uses the even key that it made itself; `raw` is the KM message that it sent."""
        self._ciphers[EVEN] = PacketCipher(key, salt)
        self.secured = True
        self._kek, self._salt = kek, salt
        self._confirmed[raw] = None

    def open(self, which: int, sequence: int, payload: bytes) -> bytes | None:
        """The payload decrypted, by its KK bits; None when there is no key for it, or it should have one."""
        if which == 0:
            return None if self.secured else payload
        cipher = self._ciphers[which]
        return None if cipher is None else cipher.apply(sequence, payload)

    def request(self, body: bytes, *, may_ask: bool) -> tuple[Refresh, bytes]:
        """A KMREQ during the connection: what it led to, and the KMRSP to send, empty for none."""
        if body in self._confirmed:
            return Refresh.DONE, body
        if not self.secured:
            return Refresh.REFUSED, NO_SECRET
        try:
            material = parse_key_material(body)
        except KeyMaterialError:
            return Refresh.MALFORMED, b""
        if material.salt == self._salt and material.length == len(self._kek):
            return self._try(material, self._kek)
        if self._pending is not None or not may_ask:
            return Refresh.WAITING, b""
        self._pending = material
        return Refresh.ASK, b""

    def answer(self, answer: KeyAnswer | None) -> tuple[Refresh, bytes]:
        """The shell's answer to Refresh.ASK."""
        material, self._pending = self._pending, None
        if material is None:
            return Refresh.REFUSED, b""
        if answer is None:
            return Refresh.REFUSED, NO_SECRET
        return self._try(material, answer.kek)

    def _try(self, material: KeyMaterial, kek: bytes) -> tuple[Refresh, bytes]:
        try:
            self.install(material, kek)
        except WrongSecret:
            return Refresh.REFUSED, BAD_SECRET
        return Refresh.DONE, material.raw

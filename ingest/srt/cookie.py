"""The SYN cookie: a listener keeps nothing of a caller until it has shown that it receives at its address. Sans-IO.

Draft section 4.3.1.1: the cookie of the induction response depends on the caller's address and the minute; a conclusion
must bring it back. Ours is an HMAC, so that nobody can make one for an address at which he does not listen.
"""

from __future__ import annotations

import hashlib
import hmac

from .addresses import Address

PERIOD_S = 60
"""How long one cookie is given out (draft section 4.3.1.1); the one before is accepted as well."""


class CookieJar:
    """Makes and checks cookies. `secret`: 32 or more random bytes."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"srt cookie" + secret).digest()

    def cookie(self, address: Address, now: float) -> int:
        """The cookie for a caller at `address`: 1 .. 2^32 - 1."""
        return self._bake(address, int(now // PERIOD_S))

    def valid(self, cookie: int, address: Address, now: float) -> bool:
        """Whether this is the cookie that `address` got in this period or the one before."""
        period = int(now // PERIOD_S)
        given = cookie.to_bytes(4)
        fresh = hmac.compare_digest(given, self._bake(address, period).to_bytes(4))
        late = hmac.compare_digest(given, self._bake(address, period - 1).to_bytes(4))
        return fresh or late

    def _bake(self, address: Address, period: int) -> int:
        text = f"{address[0]}|{address[1]}|{period}".encode()
        return int.from_bytes(hmac.digest(self._key, text, hashlib.sha256)[:4]) or 1


class IdSource:
    """Unpredictable numbers from a secret and a counter: socket ids and initial sequence numbers."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"srt ids" + secret).digest()
        self._count = 0

    def number(self, bits: int) -> int:
        """A number of 1 .. 2^bits - 1, for `bits` of at most 32."""
        while True:
            self._count += 1
            digest = hmac.digest(self._key, self._count.to_bytes(8), hashlib.sha256)
            number = int.from_bytes(digest[:4]) & ((1 << bits) - 1)
            if number:
                return number

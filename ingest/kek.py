"""Keys out of passphrases, off the event loop: in a thread, so many a second, remembered.

PBKDF2 costs 1 to 3 ms of a core, and whoever can bring back a cookie can ask for one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .srt.keys import derive_kek

REMEMBERED = 256
"""Keys kept, the last used ones. Why: an encoder that reconnects may bring the same salt."""
MOST_WAIT_S = 2.5
"""Longest wait for a turn; who would wait longer is told so at once. Why: libsrt callers give up after 3 s."""

Derived = Callable[[bytes], None]


class KeyDeriver:
    """Derives keys on the running loop.

    Args:
        per_second: derivations; the others wait for their turn.
    """

    def __init__(self, per_second: int) -> None:
        self.derived = 0
        """So many were computed."""
        self._interval = 1.0 / per_second
        self._next = 0.0
        self._loop = asyncio.get_running_loop()
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._waiting: set[asyncio.Handle] = set()
        self._closed = False
        # One thread: the second core is for the encoders, and the rate above says how much of one it may use.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="srt-kek")

    def derive(self, passphrase: str, salt: bytes, length: int, then: Derived) -> bool:
        """Call `then` with the key, at once when it is remembered; False: too many wait, and it will not be called.

        Args:
            salt: of the key material; its last 8 bytes count.
            length: of the key, bytes.
        """
        mark = hashlib.sha256(salt[-8:] + bytes((length,)) + passphrase.encode()).digest()
        known = self._known.get(mark)
        if known is not None:
            self._known.move_to_end(mark)
            then(known)
            return True
        now = self._loop.time()
        turn = max(self._next, now)
        if turn - now > MOST_WAIT_S:
            return False
        self._next = turn + self._interval

        def start() -> None:
            self._waiting.discard(handle)
            self._start(mark, passphrase, salt, length, then)

        handle: asyncio.Handle = self._loop.call_later(turn - now, start)
        self._waiting.add(handle)
        return True

    def close(self) -> None:
        """Nothing is derived or told any more."""
        self._closed = True
        for handle in self._waiting:
            handle.cancel()
        self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, mark: bytes, passphrase: str, salt: bytes, length: int, then: Derived) -> None:
        if self._closed:
            return
        future = self._loop.run_in_executor(self._pool, derive_kek, passphrase, salt, length)

        def done(ended: asyncio.Future[bytes]) -> None:
            if ended.cancelled() or self._closed:
                return
            self.derived += 1
            kek = ended.result()
            self._known[mark] = kek
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            then(kek)

        future.add_done_callback(done)

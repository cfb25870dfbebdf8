"""Keys are derived in a thread, not too many a second, and remembered."""

from __future__ import annotations

import asyncio
import threading

from headwater.ingest.kek import REMEMBERED, KeyDeriver
from headwater.ingest.srt.keys import derive_kek

SALT = bytes(range(16))


async def derived(deriver: KeyDeriver, salt: bytes = SALT, passphrase: str = "correct-horse") -> bytes | None:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    if not deriver.derive(passphrase, salt, 16, future.set_result):
        return None
    async with asyncio.timeout(10):
        return await future


async def test_the_key_is_that_of_the_core_and_comes_on_the_loop() -> None:
    deriver = KeyDeriver(50)
    threads: list[str] = []
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def then(kek: bytes) -> None:
        threads.append(threading.current_thread().name)
        future.set_result(kek)

    assert deriver.derive("correct-horse", SALT, 24, then)
    assert await future == derive_kek("correct-horse", SALT, 24)
    assert threads == [threading.main_thread().name]
    deriver.close()


async def test_what_was_derived_is_remembered() -> None:
    deriver = KeyDeriver(50)
    first = await derived(deriver)
    assert await derived(deriver) == first
    # Only the last 8 bytes of the salt count.
    assert await derived(deriver, bytes(8) + SALT[8:]) == first
    assert deriver.derived == 1
    assert await derived(deriver, passphrase="another-horse") != first
    assert deriver.derived == 2
    deriver.close()


async def test_a_flood_is_told_to_go_and_the_memory_is_bounded() -> None:
    deriver = KeyDeriver(10)
    came: list[bytes] = []
    taken = [deriver.derive("correct-horse", bytes(8) + number.to_bytes(8), 16, came.append) for number in range(400)]
    assert sum(taken) == 26
    await asyncio.sleep(0.35)
    assert 1 <= len(came) <= 5
    deriver.close()
    await asyncio.sleep(0.15)
    after = len(came)
    await asyncio.sleep(0.2)
    assert len(came) == after
    assert REMEMBERED < 1_000

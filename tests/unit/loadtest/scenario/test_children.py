"""Processes with lines in and out. `quopri` of the standard library gives back what it reads when its input ends."""

from __future__ import annotations

import pytest

from headwater.loadtest.scenario import children as module
from headwater.loadtest.scenario.children import Child


async def test_lines_and_a_good_end() -> None:
    child = await Child.start("quopri")
    await child.send("one")
    await child.send("two")
    child.finish()
    assert [line async for line in child.lines()] == [b"one\n", b"two\n"]
    assert await child.ended(10) == 0
    assert await child.last_words() == ""


async def test_words_in_front_and_last_words() -> None:
    child = await Child.start("no.such.module", before=("env", "A=b"))
    await child.send("lost")
    assert [line async for line in child.lines()] == []
    assert await child.ended(10) == 1
    assert "No module named" in await child.last_words()
    await child.send("nobody is there")
    child.kill()


async def test_who_does_not_end_is_ended() -> None:
    child = await Child.start("quopri")
    assert await child.ended(0.01) in (-15, -9)


async def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 10)
    child = await Child.start("quopri")
    await child.send("x" * 100_000)
    child.finish()
    with pytest.raises(ValueError, match=r"longer than|limit"):
        _ = [line async for line in child.lines()]
    child.kill()
    await child.ended(1)

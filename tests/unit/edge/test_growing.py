"""Bodies that grow: places of readers, bounds, pace."""

from __future__ import annotations

import pytest
from tests.fill_kit import Tap

from headwater.edge import growing
from headwater.edge.growing import Growing, Reader


def take(reader: Reader, most: int = 1 << 30) -> bytes:
    return b"".join(reader.take(most))


def nothing() -> None:
    """A wake that nobody needs."""


def test_each_reader_has_its_own_place() -> None:
    body = Growing(None)
    wakes: list[int] = []
    first = body.read(lambda: wakes.append(1))
    body.append(b"abc")
    late = body.read(lambda: wakes.append(2), 1)
    assert (take(first), take(late)) == (b"abc", b"bc")
    assert take(first) == b""
    body.append(b"")
    body.append(b"def")
    assert wakes == [1, 1, 2]
    assert (take(late, 2), take(late), take(first)) == (b"de", b"f", b"def")
    assert not first.done
    body.finish()
    assert first.done
    assert not first.lost
    assert body.whole() == b"abcdef"
    first.cancel()
    first.cancel()
    assert body.readers == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_any_span_in_any_steps(size: int) -> None:
    body = Growing(12)
    text = b"abcdefghijkl"
    readers = {(a, b): body.read(nothing, a, b) for a in range(12) for b in (None, *range(a + 1, 13))}
    got: dict[tuple[int, int | None], bytes] = dict.fromkeys(readers, b"")
    for at in range(0, 12, 5):
        body.append(text[at : at + 5])
        for span, reader in readers.items():
            while piece := take(reader, size):
                got[span] += piece
    body.finish()
    for (a, b), reader in readers.items():
        assert got[a, b] == text[a:b]
        assert reader.done
        assert not reader.lost


def test_what_breaks_off_is_lost_for_those_who_want_more() -> None:
    body = Growing(10)
    content, want_all = body.read(nothing, 0, 3), body.read(nothing)
    body.append(b"abcd")
    body.finish(broken=True)
    body.append(b"efghij")
    assert not want_all.lost, "what came can still be taken"
    assert (take(content), take(want_all)) == (b"abc", b"abcd")
    assert (content.done, content.lost) == (True, False)
    assert (want_all.done, want_all.lost) == (False, True)


def test_a_bounded_body_keeps_what_is_not_taken_and_cuts_who_is_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "SMALL_BYTES", 0)
    body = Growing(None)
    quick, slow = body.read(nothing), body.read(nothing)
    body.append(b"x" * 10)
    body.bound(21, None)
    for _ in range(2):
        take(quick)
        body.append(b"x" * 10)
        assert body.kept_from == 0
    take(slow, 10)
    assert body.kept_from == 10
    assert body.size - body.kept_from == 20
    with pytest.raises(ValueError, match="not here any more"):
        body.read(nothing)
    take(quick)
    body.append(b"y" * 20)
    assert not slow.cut, "a piece at once makes nobody slow"
    body.append(b"y")
    assert (slow.cut, quick.cut) == (True, False)
    assert slow.lost
    assert take(slow) == b""
    assert body.kept_from == 30
    assert take(quick) == b"y" * 21
    assert body.kept_from == 50, "the last piece stays, for who comes now"


def test_the_upstream_waits_for_the_quickest_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "AHEAD_BYTES", 20)
    body, tap = Growing(None), Tap()
    quick, slow = body.read(nothing), body.read(nothing)
    body.bound(1_000, tap)
    for _ in range(3):
        body.append(b"x" * 10)
    assert tap.told == ["pause"]
    take(slow, 5)
    take(quick, 15)
    assert tap.told == ["pause"]
    take(quick, 10)
    assert tap.told == ["pause", "resume"]
    body.append(b"x" * 20)
    assert tap.told[2:] == ["pause"]
    quick.cancel()
    take(slow)
    assert tap.told[3:] == ["resume"]


def test_who_only_watches_is_told_and_keeps_everything() -> None:
    body = Growing(None)
    told: list[int] = []
    cancel = body.watch(lambda: told.append(len(body.pieces)))
    body.bound(10, None)
    body.append(b"x" * 8)
    body.append(b"x" * 8)
    assert (body.kept_from, body.broken) == (0, False)
    body.append(b"x" * 8)
    assert body.broken
    assert told == [1, 2, 3, 3]
    cancel()
    cancel()
    assert body.readers == 0


def test_a_bounded_body_that_goes_on_for_days_stays_small() -> None:
    body = Growing(None)
    reader, behind = body.read(nothing), body.read(nothing)
    body.bound(20_000, None)
    got = bytearray()
    for number in range(30_000):
        body.append(bytes([number % 251]))
        got += take(reader)
        if not number % 1_000:
            assert take(behind) == bytes(at % 251 for at in range(max(0, number - 999), number + 1))
    assert bytes(got) == bytes(number % 251 for number in range(30_000))
    for _ in range(2_000):
        body.append(b"x" * 10_000)
        take(reader)
        take(behind)
    assert len(body.pieces) < growing.SPARE_PIECES + 5
    assert not behind.cut


def test_small_pieces_stay_as_they_are_while_somebody_takes_them_by_number() -> None:
    body = Growing(None)
    body.watch(nothing)
    body.bound(1_000, None)
    for piece in (b"a", b"b"):
        body.append(piece)
    assert body.pieces == [b"a", b"b"]

"""Parts are matched to the packets that closed them."""

from __future__ import annotations

import pytest

from headwater.loadtest.bench.delay import pair

SENT = [(100 + n, float(n)) for n in range(40)]


def parts(start: int, end: int, delay: float, *, each: int = 2) -> list[tuple[int, float]]:
    """Parts of `each` packets from packet `start` on; each arrives `delay` after the packet that closed it."""
    return [(sum(size for size, _ in SENT[at : at + each]), float(at + each) + delay) for at in range(start, end, each)]


@pytest.mark.parametrize("start", [0, 3, 8])
def test_the_packet_that_closes_a_part_is_the_first_one_that_is_not_in_it(start: int) -> None:
    received = parts(start, start + 20, 0.25)
    assert pair(SENT, received, settle=0) == pytest.approx([0.25] * 10)
    assert pair(SENT, received) == pytest.approx([0.25] * 2)


def test_parts_that_nothing_closed_have_no_delay() -> None:
    assert len(pair(SENT, parts(0, 40, 0.1), settle=0)) == 19


def test_a_lost_or_altered_sample_is_seen() -> None:
    received = parts(0, 20, 0.1)
    received[4] = (received[4][0] - 1, received[4][1])
    with pytest.raises(ValueError, match="not a run of packets at 8"):
        pair(SENT, received)
    with pytest.raises(ValueError, match="the first part"):
        pair(SENT, [(7, 0.0)])


def test_no_parts_are_no_delay() -> None:
    with pytest.raises(ValueError, match="no parts"):
        pair(SENT, [])

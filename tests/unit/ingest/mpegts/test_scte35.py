from __future__ import annotations

import pytest

from headwater.ingest.mpegts.scte35 import splice_time

WRAP = 1 << 33


def section(command: int, body: str, *, adjustment: int = 0, encrypted: int = 0) -> bytes:
    """A splice_info_section up to its command; `body` in bits."""
    bits = f"{0xFC:08b}{0x3000:016b}{0:08b}{encrypted}{0:06b}{adjustment:033b}{0:08b}"
    bits += f"{0xFFF:012b}{0xFFF:012b}{command:08b}"
    bits += body + "0" * 40
    bits = bits[: len(bits) // 8 * 8]
    return int(bits, 2).to_bytes(len(bits) // 8)


def time(pts: int) -> str:
    return f"1{0x3F:06b}{pts:033b}"


INSERT = f"{0x12345678:032b}"


@pytest.mark.parametrize(
    ("command", "body", "expected"),
    [
        (6, time(900_000), 900_000),
        (6, "0" + "1" * 7, None),
        (5, INSERT + "0" + "1" * 7 + "1" + "1" + "0" + "0" + "1111" + time(5), 5),
        (5, INSERT + "0" + "1" * 7 + "1" + "1" + "0" + "1" + "1111", None),
        (5, INSERT + "0" + "1" * 7 + "1" + "0" + "0" + "0" + "1111", None),
        (5, INSERT + "1" + "1" * 7, None),
        (0, "", None),
        (255, "", None),
    ],
)
def test_times(command: int, body: str, expected: int | None) -> None:
    """Time signal with and without time; insert with time, at once, by component, cancelled; null; private."""
    assert splice_time(section(command, body)) == expected


def test_adjustment_wraps() -> None:
    assert splice_time(section(6, time(WRAP - 10), adjustment=20)) == 10


def test_what_is_encrypted_or_cut_short_says_none() -> None:
    assert splice_time(section(6, time(5), encrypted=1)) is None
    whole = section(6, time(5))
    assert all(splice_time(whole[:size]) is None for size in range(19))

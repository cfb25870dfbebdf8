from __future__ import annotations

import pytest

from headwater.origin.hls import dates
from headwater.origin.hls.attributes import PlaylistError

AT = 1_763_637_369_123_000


def test_writes_milliseconds_and_zone() -> None:
    assert dates.write(AT) == "2025-11-20T11:16:09.123Z"
    assert dates.write(AT + 500) == "2025-11-20T11:16:09.124Z"
    assert dates.write(0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "unix_us"),
    [
        ("2025-11-20T11:16:09.123Z", AT),
        ("2025-11-20T12:16:09.123+01:00", AT),
        ("2025-11-20T12:16:09.123+0100", AT),
        ("2025-11-20T10:16:09.123-01", AT),
        ("2025-11-20T11:16:09.123", AT),
        ("2025-11-20 11:16:09,123456789Z", AT + 456),
        ("2025-11-20T11:16:09Z", AT - 123_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000),
    ],
)
def test_reads(text: str, unix_us: int) -> None:
    assert dates.read(text) == unix_us


@pytest.mark.parametrize(
    "text",
    ["", "now", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "2025-01-01T25:00:00Z", "2025-01-01T00:00:61Z",
     "2025-01-01T00:00:00+24:00", "2025-01-01", "0000-01-01T00:00:00Z", "２025-01-01T00:00:00Z"],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(PlaylistError):
        dates.read(text)


def test_round_trip() -> None:
    assert dates.read(dates.write(AT)) == AT

"""Box framing."""

from __future__ import annotations

from headwater.origin.cmaf.boxes import box, full_box


def test_a_box_says_its_size_and_type() -> None:
    assert box(b"free", b"ab", b"c") == b"\0\0\0\x0bfreeabc"


def test_a_full_box_has_version_and_flags() -> None:
    assert full_box(b"test", 1, 0x020304, b"x") == b"\0\0\0\x0dtest\x01\x02\x03\x04x"

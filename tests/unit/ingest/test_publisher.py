"""What may be said of a publisher."""

from __future__ import annotations

from headwater.ingest.publisher import Wish, printable


def test_printable() -> None:
    assert printable("FMLE/3.0 (\x1b[31mred\n)") == "FMLE/3.0 (?[31mred?)"
    assert len(printable("x" * 1000)) == 64


def test_a_wish_does_not_show_its_key() -> None:
    assert "secret" not in repr(Wish("live", "demo", {"key": "secret"}))

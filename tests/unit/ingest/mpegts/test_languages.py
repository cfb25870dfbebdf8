from __future__ import annotations

import re

import pytest

from headwater.ingest.mpegts.languages import _TO_SHORT, tag_of


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        (b"eng", "en"),
        (b"ENG", "en"),
        (b"ger", "de"),
        (b"deu", "de"),
        (b"fre", "fr"),
        (b"gsw", "gsw"),
        (b"und", "und"),
        (b"qaa", "und"),
        (b"mul", "und"),
        (b"e\xe9g", "und"),
        (b"e1g", "und"),
        (b"en", "und"),
        (b'a"b', "und"),
        (b"\x00\x00\x00", "und"),
    ],
)
def test_tags(code: bytes, tag: str) -> None:
    assert tag_of(code) == tag


def test_the_table_is_well_formed() -> None:
    # 183 languages with two letters, 20 of which have a bibliographic and a terminological code.
    assert (len(set(_TO_SHORT.values())), len(_TO_SHORT)) == (183, 203)
    assert all(re.fullmatch("[a-z]{3}:[a-z]{2}", f"{long}:{short}") for long, short in _TO_SHORT.items())

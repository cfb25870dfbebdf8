from __future__ import annotations

import pytest
from tests.doctor_records import media, recording, rendition, rules

from headwater.loadtest.doctor.checks.variants import _same, check

GOOD = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="en"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i"
#EXT-X-STREAM-INF:BANDWIDTH=9,AVERAGE-BANDWIDTH=8,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=16x9,FRAME-RATE=25,AUDIO="a",CLOSED-CAPTIONS=NONE
v1
#EXT-X-STREAM-INF:BANDWIDTH=3,AVERAGE-BANDWIDTH=2,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=8x4,FRAME-RATE=25,AUDIO="a",CLOSED-CAPTIONS=NONE
v2
"""


def found(text: str) -> set[int]:
    return rules(check, recording(rendition(media()), master=text))


def test_good() -> None:
    assert found(GOOD) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('CODECS="avc1.64001f,mp4a.40.2",', "", 172),
        ("avc1.64001f", "avc3.64001f", 173),
        ("FRAME-RATE=25,", "", 171),
        ("FRAME-RATE=25,", "FRAME-RATE=25,VIDEO-RANGE=XYZ,", 174),
        ("#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-OTHER", 184),
        ('LANGUAGE="en",', "", 177),
        ("DEFAULT=YES", "DEFAULT=YES,AUTOSELECT=NO", 178),
        ("#EXT-X-I-FRAME", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en"\n#EXT-X-I-FRAME', 178),
        (
            "#EXT-X-I-FRAME",
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="B",LANGUAGE="de",DEFAULT=YES\n#EXT-X-I-FRAME',
            178,
        ),
        ("#EXT-X-I-FRAME", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",NAME="B",LANGUAGE="de"\n#EXT-X-I-FRAME', 178),
        ("#EXT-X-I-FRAME", '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="B"\n#EXT-X-I-FRAME', 179),
    ],
)
def test_one_thing_wrong(old: str, new: str, rule: int) -> None:
    assert old in GOOD
    assert found(GOOD.replace(old, new, 1)) == {rule}


def test_one_variant_and_captions_that_are_not_mentioned() -> None:
    assert found(GOOD[: GOOD.index("#EXT-X-STREAM-INF:BANDWIDTH=3")]) == {176}
    assert found(GOOD.replace(",CLOSED-CAPTIONS=NONE", "")) == {179}
    assert found(GOOD.replace(",CLOSED-CAPTIONS=NONE", "", 1)) == {179}


def test_codecs_that_are_the_same() -> None:
    assert _same("avc1.64001F", "avc1.64001f")
    assert _same("hvc1.1.6.L93.B0", "hvc1.1.6.L93.90")
    assert _same("av01.0.04M.08.0.110", "av01.0.04M.08")
    assert not _same("avc1.640020", "avc1.64001f")
    assert not _same("mp4a.40.2", "avc1.64001f")


def test_no_multivariant_playlist_is_nothing_to_check() -> None:
    assert rules(check, recording(rendition(media()))) == set()

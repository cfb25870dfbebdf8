from __future__ import annotations

import pytest
from tests.doctor_records import media, recording, rendition, rules

from headwater.loadtest.doctor.checks.form import check, media_playlist

GOOD = media(parts=4, opened=2)
ADVERT = 'ID="a",START-DATE="2026-01-02T00:00:00Z"'


def found(text: str) -> set[int]:
    return {seen.rule for seen in media_playlist("", text)}


def test_a_good_playlist() -> None:
    assert found(GOOD) == set()
    assert found(GOOD.replace("\n", "\r\n")) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("#EXTINF:4.000,", "#EXTINF:4.6,", 8),
        ("#EXTINF:4.000,", "#EXTINF:x,", 1),
        ("#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:0", 8),
        ("#EXT-X-TARGETDURATION:4\n", "", 8),
        ("s100.m4s", "s\u0065\u0301.m4s", 1),
        ('URI="p105.1.m4s"', 'URI="p100.1.m4s" ', 1),
        ('URI="p105.1.m4s"', 'URI="p105', 1),
        ("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES", "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=NO", 32),
        ("#EXT-X-MAP", '#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-MAP', 11),
        ("#EXT-X-MAP", "#EXT-X-KEY:METHOD=AES-128\n#EXT-X-MAP", 130),
        ("#EXT-X-MAP", '#EXT-X-KEY:METHOD=NONE,URI="k"\n#EXT-X-MAP', 130),
        ("#EXT-X-MAP", f'#EXT-X-DATERANGE:{ADVERT},END-DATE="2026-01-01T00:00:00Z"\n#EXT-X-MAP', 122),
        ("#EXT-X-MAP", f'#EXT-X-DATERANGE:{ADVERT},DURATION=-1\n#EXT-X-MAP', 122),
        ("#EXT-X-MAP", f'#EXT-X-DATERANGE:{ADVERT},END-ON-NEXT=YES\n#EXT-X-MAP', 122),
        ("#EXT-X-MAP", '#EXT-X-DATERANGE:START-DATE="2026-01-02T00:00:00Z"\n#EXT-X-MAP', 122),
        ('p106.0.m4s"', 'p106.0.m4s?_HLS_part=1"', 79),
        ("#EXT-X-MEDIA-SEQUENCE:100", "#EXT-X-MEDIA-SEQUENCE:100\n#EXT-X-PLAYLIST-TYPE:VOD", 13),
    ],
)  # fmt: skip
def test_one_thing_wrong(old: str, new: str, rule: int) -> None:
    assert old in GOOD
    assert found(GOOD.replace(old, new, 1)) == {rule}


@pytest.mark.parametrize("tag", ['VALUE="a"', 'NAME="a"', 'NAME="a b",VALUE="c"', 'NAME="a",IMPORT="b"'])
def test_definitions(tag: str) -> None:
    text = GOOD.replace("#EXT-X-VERSION:6", f"#EXT-X-VERSION:8\n#EXT-X-DEFINE:{tag}")
    assert found(text) == {124}
    twice = text.replace(tag, 'NAME="a",VALUE="b"\n#EXT-X-DEFINE:NAME="a",VALUE="c"')
    assert found(twice) == {124}


def test_a_good_definition_and_date_range() -> None:
    text = GOOD.replace("#EXT-X-VERSION:6", '#EXT-X-VERSION:8\n#EXT-X-DEFINE:NAME="a",VALUE="b"')
    assert found(text + '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-02T00:00:00Z"\n') == set()


def test_event_playlists_that_keep_everything_are_fine() -> None:
    assert found(media(first=0, head="#EXT-X-PLAYLIST-TYPE:EVENT")) == set()


def test_what_only_the_reader_finds_is_rule_1() -> None:
    text = media() + "#EXT-X-PROGRAM-DATE-TIME:yesterday\n"
    assert rules(check, recording(rendition(text))) == {1}


def test_the_multivariant_playlist() -> None:
    made = recording(rendition(media()))
    made.entry_text = '#EXTM3U\n#EXT-X-STREAM-INF:CODECS="x"\na\n#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b",URI="c"\n'
    made.error = "BANDWIDTH"
    assert rules(check, made) == {127, 171}
    made.entry_text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"
    assert rules(check, made) == {4}
    made.entry_text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"
    assert rules(check, made) == {1}

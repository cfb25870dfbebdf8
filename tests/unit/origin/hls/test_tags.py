"""The reader's tables, each entry by what the reader does with it."""

from __future__ import annotations

import pytest

from headwater.origin.hls import reader, tags
from headwater.origin.hls.reader import PlaylistError

LINES = {
    "#EXT-X-VERSION": ":9",
    "#EXT-X-TARGETDURATION": ":4",
    "#EXT-X-MEDIA-SEQUENCE": ":7",
    "#EXT-X-DISCONTINUITY-SEQUENCE": ":1",
    "#EXT-X-PLAYLIST-TYPE": ":EVENT",
    "#EXT-X-PART-INF": ":PART-TARGET=0.5",
    "#EXT-X-SERVER-CONTROL": ":CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5",
    "#EXT-X-START": ":TIME-OFFSET=0",
    "#EXT-X-SKIP": ":SKIPPED-SEGMENTS=3",
}
"""Of the tags that may stand once: their values."""

HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.5\n"
BODY = "#EXTINF:4,\na.m4s\n"


def playlist(*lines: str) -> str:
    text = HEAD if not any("TARGETDURATION" in line for line in lines) else "#EXTM3U\n"
    if any("PART-INF" in line for line in lines):
        text = text.replace("#EXT-X-PART-INF:PART-TARGET=0.5\n", "")
    return text + "".join(line + "\n" for line in lines) + BODY


@pytest.mark.parametrize("name", sorted(tags.ONCE))
def test_rule_3_at_most_one_of_each(name: str) -> None:
    line = name + LINES.get(name, "")
    reader.read(playlist(line))
    with pytest.raises(PlaylistError, match=f"{name} is repeated"):
        reader.read(playlist(line, line))


@pytest.mark.parametrize("name", sorted(tags.MULTIVARIANT))
def test_rule_4_never_in_a_media_playlist(name: str) -> None:
    with pytest.raises(PlaylistError, match=f"{name} in a media playlist"):
        reader.read(playlist(f'{name}:URI="x"'))


@pytest.mark.parametrize("name", sorted(tags.ANYWHERE))
def test_tags_of_the_whole_playlist_wherever_they_stand(name: str) -> None:
    line = name + ":X=1"
    found = reader.read(HEAD + BODY + line + "\n#EXTINF:4,\nb.m4s\n")
    assert found.tags == (line,)
    assert [segment.tags for segment in found.segments] == [(), ()]


def test_attributes_that_the_model_has_are_not_kept_as_text() -> None:
    lines = (
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,HOLD-BACK=12,PART-HOLD-BACK=1.5,X=1",
        '#EXT-X-MAP:URI="i.mp4",BYTERANGE="9@0",X=2',
        '#EXT-X-PART:URI="p.m4s",DURATION=0.5,INDEPENDENT=YES,BYTERANGE="9@0",X=3',
    )
    last = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="q.m4s",BYTERANGE-START=1,BYTERANGE-LENGTH=2,X=4\n'
    last += '#EXT-X-RENDITION-REPORT:URI="r.m3u8",LAST-MSN=1,LAST-PART=2,X=5\n'
    found = reader.read(playlist(*lines) + last)
    (segment,) = found.segments
    assert segment.map is not None
    extras = (
        found.control.extra,
        segment.map.extra,
        segment.parts[0].extra,
        found.hints[0].extra,
        found.reports[0].extra,
    )
    assert [extra.strip(",") for extra in extras] == ["X=1", "X=2", "X=3", "X=4", "X=5"]

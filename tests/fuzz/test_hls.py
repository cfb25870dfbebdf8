"""Any text reads as a playlist or raises PlaylistError; what was read renders to what reads alike."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.origin.hls.playlists import live

from headwater.origin.hls import directives, multivariant, reader, writer
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.delta import merge
from headwater.origin.hls.directives import Directives, Position, Reject, Serve, Skip, Wait

VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "1", "4", "-1", "0.5", "2.0,", "99999999999999999999", '"x"', "1@2", "YES", "EVENT", "a/b.m4s"]
    ),
)
ATTRIBUTE = st.builds(
    "{}={}".format,
    st.sampled_from(
        ["URI", "DURATION", "PART-TARGET", "BYTERANGE", "TYPE", "SKIPPED-SEGMENTS", "GAP", "LAST-MSN", "LAST-PART",
         "CAN-SKIP-UNTIL", "METHOD", "KEYFORMAT", "RECENTLY-REMOVED-DATERANGES", "ID", "BANDWIDTH", "CODECS",
         "GROUP-ID", "NAME", "RESOLUTION", "X-Y"]
    ),
    st.one_of(VALUES, VALUES.map('"{}"'.format)),
)  # fmt: skip
TAGS = st.sampled_from(
    ["#EXTINF", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PART-INF", "#EXT-X-PART", "#EXT-X-MAP",
     "#EXT-X-KEY", "#EXT-X-SKIP", "#EXT-X-BYTERANGE", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-DISCONTINUITY", "#EXT-X-GAP",
     "#EXT-X-PRELOAD-HINT", "#EXT-X-RENDITION-REPORT", "#EXT-X-SERVER-CONTROL", "#EXT-X-ENDLIST", "#EXT-X-DATERANGE",
     "#EXT-X-PLAYLIST-TYPE", "#EXT-X-VERSION", "#EXT-X-STREAM-INF", "#EXT-X-MEDIA", "#EXT-X-NEW"]
)  # fmt: skip
LINE = st.one_of(
    st.builds("{}:{}".format, TAGS, st.lists(ATTRIBUTE, max_size=4).map(",".join)),
    st.builds("{}:{}".format, TAGS, VALUES),
    TAGS,
    st.text(max_size=20),
)
PLAYLIST = st.lists(LINE, max_size=30).map(lambda lines: "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:4", *lines]))
GOOD = writer.render(live()).splitlines()


@given(st.one_of(PLAYLIST, st.text()))
def test_reading_anything(text: str) -> None:
    with contextlib.suppress(PlaylistError):
        found = reader.read(text)
        again = reader.read(writer.render(found))
        assert (again.last_msn, len(again.segments), again.position) == (
            found.last_msn, len(found.segments), found.position,
        )  # fmt: skip
        assert writer.render(again) == writer.render(found)
        merge(found, reader.read(writer.render(live())))
    with contextlib.suppress(PlaylistError):
        variants = multivariant.read(text)
        assert multivariant.read(multivariant.render(variants)) == variants


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.one_of(LINE, st.sampled_from(GOOD))), max_size=4),
    st.lists(st.integers(0, len(GOOD) - 1), max_size=4),
)
def test_reading_a_playlist_with_changed_lines(changes: list[tuple[int, str]], dropped: list[int]) -> None:
    lines: list[str | None] = list(GOOD)
    for at, line in changes:
        lines[at] = line
    for at in dropped:
        lines[at] = None
    text = "\n".join(line for line in lines if line is not None)
    with contextlib.suppress(PlaylistError):
        found = reader.read(text)
        writer.render(found, delta=Skip.YES)
        assert reader.read(writer.render(found)).position == found.position


@given(
    st.lists(
        st.tuples(st.sampled_from(["_HLS_msn", "_HLS_part", "_HLS_skip", "x"]), st.one_of(VALUES, st.text())),
        max_size=5,
    )
)
def test_directives_of_any_query(query: list[tuple[str, str]]) -> None:
    found = directives.parse(query)
    if isinstance(found, Reject):
        assert found.status == 400
    else:
        assert found.part is None or found.msn is not None


SMALL = st.integers(0, 12)


@given(
    st.builds(
        Position,
        last_msn=st.integers(0, 8),
        last_part_count=SMALL,
        open_parts=SMALL,
        target_duration=st.integers(1, 10),
        part_target=st.one_of(st.none(), st.floats(0.1, 2)),
        ended=st.booleans(),
        can_skip=st.booleans(),
    ),
    SMALL,
    st.one_of(st.none(), SMALL),
)
def test_decisions_keep_the_promise(at: Position, msn: int, part: int | None) -> None:
    """What is served has what was asked for (rules 80, 81); what waits is canonical, so it waits for itself."""
    decision = directives.decide(Directives(msn, part), at)
    if isinstance(decision, Serve) and not at.ended:
        listed = msn <= at.last_msn or (part is not None and msn == at.last_msn + 1 and part < at.open_parts)
        assert listed
    if isinstance(decision, Wait):
        assert directives.decide(Directives(decision.msn, decision.part), at) == decision
